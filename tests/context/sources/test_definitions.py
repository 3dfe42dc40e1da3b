"""What each language's source finds at a cursor: the definition that the next name needs, out of another file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.context.sources.conftest import Case

from fimble.context.sources.definitions import Definitions

# (language, workspace, lines that must be shown)
CASES = [
    (
        "python: receiver annotated as a parameter",
        """
        #- app/store.py
        class Store:
            def find(self, key: str) -> "Item":
                return self.items[key]
            def put(self, item): ...
        #- app/main.py
        from app.store import Store

        def run(store: Store):
            store.$0
        """,
        ["class Store:", '    def find(self, key: str) -> "Item"', "    def put(self, item)"],
    ),
    (
        "python: receiver assigned from a function that returns a constructor call",
        """
        #- pkg/__init__.py
        #- pkg/tok.py
        class Tokenizer:
            @classmethod
            def load(cls, path): return cls()
            def get_vocab_size(self): return 1
        def get_tokenizer():
            return Tokenizer.load("x")
        #- main.py
        from pkg.tok import get_tokenizer
        tokenizer = get_tokenizer()
        n = tokenizer.$0
        """,
        ["    def get_vocab_size(self)"],
    ),
    (
        "python: attribute set in __init__, inherited method, relative import",
        """
        #- pkg/__init__.py
        #- pkg/base.py
        class Base:
            def close(self) -> None: ...
        class Client(Base):
            def send(self, data: bytes) -> int: ...
        #- pkg/app.py
        from .base import Client
        class App:
            def __init__(self, client: Client):
                self._client = client
            def stop(self):
                self._client.$0
        """,
        ["    def send(self, data: bytes) -> int", "    def close(self) -> None"],
    ),
    (
        "python: import line",
        """
        #- lib/__init__.py
        #- lib/tools.py
        def hammer(nail): ...
        LIMIT = 3
        #- main.py
        from lib.tools import (
            hammer,
            $0
        )
        """,
        ["LIMIT = 3"],
    ),
    (
        "python: re-exported through a package, src layout",
        """
        #- src/lib/__init__.py
        from lib._impl import Engine as Engine
        #- src/lib/_impl.py
        class Engine:
            def start(self): ...
        #- tests/test_it.py
        import lib
        engine = lib.Engine()
        engine.$0
        """,
        ["    def start(self)"],
    ),
    (
        "python: import inside a function",
        """
        #- lib.py
        def encode(values): ...
        #- main.py
        def f():
            import lib
            return lib.$0
        """,
        ["def encode(values)"],
    ),
    (
        "typescript: constructor parameter property, tsconfig paths",
        """
        #- tsconfig.json
        { // comments are allowed
          "compilerOptions": { "paths": { "@core/*": ["./core/*"] }, } }
        #- core/docs.ts
        export class DocsService {
          private cache = new Map<string, string>();
          async syncAll(force: boolean): Promise<void> {}
        }
        #- app/main.ts
        import { DocsService } from "@core/docs";
        export class Main {
          constructor(private readonly docs: DocsService) {}
          async run() {
            await this.docs.$0
          }
        }
        """,
        ["  async syncAll(force: boolean): Promise<void>"],
    ),
    (
        "typescript: keys of the object that a call takes",
        """
        #- options.ts
        export interface Options { retries: number; timeoutMs?: number }
        export function connect(url: string, options: Options): void {}
        #- main.ts
        import { connect } from "./options.js";
        connect("x", { $0 });
        """,
        ["function connect(url: string, options: Options): void", "  retries: number", "  timeoutMs?: number"],
    ),
    (
        "typescript: index file and star exports",
        """
        #- lib/index.ts
        export * from "./impl";
        #- lib/impl.ts
        export enum Level { Low = 1, High }
        #- main.ts
        import { Level } from "./lib";
        const l = Level.$0
        """,
        ["enum Level {", "  Low = 1", "  High"],
    ),
    (
        "javascript: CommonJS module of functions",
        """
        #- utils/ast.js
        "use strict";
        function isFunction(node) { return true; }
        function hidden() {}
        module.exports = { isFunction, getName(node) { return node.id; } };
        #- rule.js
        const astUtils = require("./utils/ast");
        if (astUtils.$0
        """,
        ["function isFunction(node)", "getName(node)"],
    ),
    (
        "javascript: class behind module.exports, with parts added to it",
        """
        #- plugin.js
        class Plugin { apply(compiler) {} }
        module.exports = Plugin;
        module.exports.strip = (text) => text;
        #- main.js
        const Plugin = require("./plugin");
        new Plugin().$0
        """,
        ["class Plugin {", "  apply(compiler)", "  module.exports.strip = (text)"],
    ),
    (
        "java: parameter of another package's type, inherited",
        """
        #- src/main/java/a/model/Node.java
        package a.model;
        public abstract class Node {
            /** Its place among its siblings. */
            public int siblingIndex() { return 0; }
            private int secret;
        }
        #- src/main/java/a/model/Element.java
        package a.model;
        public class Element extends Node { public String tagName() { return ""; } }
        #- src/main/java/a/Walk.java
        package a;
        import a.model.Element;
        class Walk {
            void walk(Element element) {
                int i = element.$0
            }
        }
        """,
        ["  String tagName()", "  int siblingIndex()"],
    ),
    (
        "java: superclass is of the same package",
        """
        #- p/Leaf.java
        package p;
        abstract class Leaf { abstract String nodeName(); }
        #- p/Text.java
        package p;
        class Text extends $0 {
        }
        """,
        ["Leaf"],
    ),
    (
        "go: package through go.mod, struct literal",
        """
        #- go.mod
        module example.com/m
        #- diag/diag.go
        package diag
        // Info is related.
        type Info struct {
            Pos int
            Message string
        }
        func (i *Info) String() string { return "" }
        func hidden() {}
        #- main.go
        package main
        import "example.com/m/diag"
        func f() {
            x := diag.Info{
                $0
            }
        }
        """,
        ["type Info struct {", "  Message string", "func (i *Info) String() string"],
    ),
    (
        "go: method of a type whose methods stand in two files",
        """
        #- go.mod
        module m
        #- a.go
        package m
        type Server struct { addr string }
        func (s *Server) Serve() error { return nil }
        #- b.go
        package m
        func (s *Server) Close() {
            s.$0
        }
        """,
        ["func (s *Server) Serve() error", "  addr string"],
    ),
    (
        "rust: crate path, impl block",
        """
        #- Cargo.toml
        [package]
        name = "demo"
        #- src/lib.rs
        pub mod store;
        mod app;
        #- src/store.rs
        pub struct Store { pub size: usize }
        impl Store {
            pub fn open(path: &str) -> Self { Store { size: 0 } }
            pub fn flush(&mut self) -> bool { true }
        }
        #- src/app.rs
        use crate::store::Store;
        fn run() {
            let mut store = Store::open("x");
            store.$0
        }
        """,
        ["struct Store {", "  fn flush(&mut self) -> bool", "  size: usize"],
    ),
    (
        "rust: another crate of the workspace, module path in an expression",
        """
        #- crates/core-lib/Cargo.toml
        [package]
        name = "core-lib"
        #- crates/core-lib/src/lib.rs
        pub mod text;
        #- crates/core-lib/src/text.rs
        pub fn indent(text: &str) -> String { String::new() }
        #- crates/app/Cargo.toml
        [package]
        name = "app"
        #- crates/app/src/main.rs
        use core_lib::text;
        fn main() {
            let s = text::$0
        }
        """,
        ["fn indent(text: &str) -> String"],
    ),
    (
        "c: struct of an included header",
        """
        #- include/net/conn.h
        #ifndef CONN_H
        #define CONN_H
        struct conn { int fd; char *host; };
        int conn_open(struct conn *c);
        #endif
        #- src/main.c
        #include "net/conn.h"
        int run(struct conn *c) {
            return c->$0
        }
        """,
        ["struct conn {", "  int fd", "  char *host"],
    ),
    (
        "c++: method of the class in its header",
        """
        #- shape.hpp
        namespace geo {
        class Shape {
         public:
          double area() const;
         private:
          int id_;
        };
        }
        #- shape.cpp
        #include "shape.hpp"
        void f(const geo::Shape& shape) {
          shape.$0
        }
        """,
        ["class Shape {", "  double area() const"],
    ),
    (
        "c#: namespace through using, extension in the own namespace",
        """
        #- Core/Builder.cs
        namespace Acme.Core;
        public class Builder {
            public Builder AddTimeout(int seconds) { return this; }
            private int hidden;
        }
        #- App/Main.cs
        using Acme.Core;
        namespace Acme.App;
        class Program {
            void Run(Builder builder) {
                builder.$0
            }
        }
        """,
        ["class Builder {", "  Builder AddTimeout(int seconds)"],
    ),
]


@pytest.mark.parametrize(("text", "lines"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_finds_the_definition_that_the_cursor_asks_for(
    case: Callable[[str], Case], text: str, lines: list[str]
) -> None:
    shown = case(text).text()
    missing = [line for line in lines if line not in shown]
    assert not missing, shown


@pytest.mark.parametrize(("text", "lines"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_the_cursor_asks_for_survives_a_small_budget(
    case: Callable[[str], Case], text: str, lines: list[str]
) -> None:
    chunks = case(text).chunks(n_tokens=90)
    assert sum(len(chunk.path) + len(chunk.text) for chunk in chunks) <= 90 * 3.5
    names = " ".join(chunk.text for chunk in chunks)
    needed = [line.split("(")[0].split(":")[0].split()[-1].strip("{") or line.split()[-2] for line in lines[:1]]
    assert all(name in names for name in needed)


def test_shows_nothing_of_the_file_itself(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- a.py
        class Near:
            def m(self): ...
        x = Near()
        x.$0
        #- b.py
        class Far: ...
        """
    )
    assert "a.py" not in {chunk.path for chunk in found.chunks()}


def test_typing_on_keeps_the_chunks(case: Callable[[str], Case]) -> None:
    """The prompt's head must stay the same while a statement is typed, or the model reads it anew at every key."""
    found = case(CASES[0][1])
    source = Definitions(found.workspace, 512)
    first = source.find(found.path, found.before, found.after)
    for typed in ("f", "fi", "find", "find(", "find(k", "find(key", "find(key)"):
        assert source.find(found.path, found.before + typed, found.after) == first
    assert source.find(found.path, f"{found.before}find(key)\n    x = 1\n    y", found.after) == first


def test_a_new_receiver_joins_what_is_there(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- one.py
        class One:
            def alpha(self): ...
        #- two.py
        class Two:
            def beta(self): ...
        #- main.py
        from one import One
        from two import Two
        def f(a: One, b: Two):
            a.$0
        """
    )
    source = Definitions(found.workspace, 400)
    first = source.find(found.path, found.before, found.after)
    assert first[0].path == "one.py"
    second = source.find(found.path, f"{found.before}alpha()\n    b.", found.after)
    assert {chunk.path for chunk in second} == {"one.py", "two.py"}


def test_an_edited_file_is_read_anew(case: Callable[[str], Case], tmp_path: Path) -> None:
    found = case(CASES[0][1])
    assert "def find" in found.text()
    (tmp_path / "app/store.py").write_text("class Store:\n    def lookup(self): ...\n")
    assert "def lookup" in found.text()
    assert "def find" not in found.text()


def test_a_secret_in_a_definition_is_left_out(case: Callable[[str], Case]) -> None:
    shown = case(
        """
        #- conf.py
        AWS_ID = "AKIAIOSFODNN7EXAMPL2"
        REGION = "eu-west-1"
        #- main.py
        import conf
        x = conf.$0
        """
    ).text()
    assert "REGION" in shown
    assert "AKIA" not in shown


@pytest.mark.parametrize("broken", ["def (", "class {{{", "\x00\x01", "import", "from . import", "x = [" * 200, ""])
def test_broken_files_are_no_reason_to_fail(case: Callable[[str], Case], broken: str) -> None:
    for suffix in ("py", "ts", "java", "go", "rs", "cpp", "cs"):
        found = case(f"#- other.{suffix}\n{broken}\n#- main.{suffix}\n{broken} x.$0 {broken}\n")
        found.chunks()


def test_a_class_that_is_its_own_base_ends(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- a.py
        from b import B
        class A(B.C): ...
        class B(A): ...
        #- b.py
        from a import A
        class B(A, B.C): ...
        #- main.py
        from b import B
        B().$0
        """
    )
    assert found.chunks() is not None


def test_a_signature_that_changed_is_shown_as_it_is_now(case: Callable[[str], Case]) -> None:
    found = case(
        "#- net.py\ndef connect(host, port): ...\n#- main.py\nfrom net import connect\n\ndef f():\n    connect($0\n"
    )
    source = Definitions(found.workspace, 256)
    assert "connect(host, port)" in source.find(found.path, found.before, found.after)[0].text
    (found.workspace.root / "net.py").write_text("def connect(url, *, timeout): ...\n")
    assert "connect(url, *, timeout)" in source.find(found.path, found.before, found.after)[0].text
