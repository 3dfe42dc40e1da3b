"""Definitions that scoping rules and the shape of a binding lead to, language by language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.context.sources.conftest import Case

from fimble.context.sources.surroundings import Surveyor
from fimble.context.sources.symbols import Symbols
from fimble.context.sources.wants import Finder

# (language, workspace, the type that the cursor asks for first, lines of it that must be shown)
CASES = [
    (
        "java: a base that is nested in the same type, not the class of that name",
        """
        #- p/Tag.java
        package p;
        public class Tag { void unrelated() {} }
        #- p/Token.java
        package p;
        class Token {
            static class Tag extends Token { void finish(int mode) {} }
            static class Start extends Tag { }
        }
        #- p/Builder.java
        package p;
        class Builder {
            void make(Token.Start start) {
                start.$0
            }
        }
        """,
        "Start",
        ["  void finish(int mode)"],
    ),
    (
        "java: a type that the enclosing class inherits, and an inherited method named without this",
        """
        #- p/Connection.java
        package p;
        interface Connection { enum Method { GET; boolean hasBody() { return true; } } }
        #- p/Base.java
        package p;
        class Base { Request request() { return null; } }
        #- p/Request.java
        package p;
        class Request implements Connection { Method verb; }
        #- p/Runner.java
        package p;
        class Runner extends Base {
            void run() {
                request().verb.$0
            }
        }
        """,
        "Method",
        ["  boolean hasBody()"],
    ),
    (
        "java: overriding, where an annotation stands alone above",
        """
        #- p/Node.java
        package p;
        abstract class Node { abstract void tail(StringBuilder out); }
        #- p/Leaf.java
        package p;
        class Leaf extends Node {
            @Override
            $0

            @Override
            public String toString() { return ""; }
        }
        """,
        "Node",
        ["  void tail(StringBuilder out)"],
    ),
    (
        "java: a name that is a keyword elsewhere",
        """
        #- p/Settings.java
        package p;
        class Settings { String syntax() { return ""; } }
        #- p/Main.java
        package p;
        class Main {
            void write(Settings out) {
                if (out.$0
            }
        }
        """,
        "Settings",
        ["  String syntax()"],
    ),
    (
        "rust: what a variant holds, a field taken out of a struct, a wrapper's value",
        """
        #- Cargo.toml
        [package]
        name = "app"
        #- src/lib.rs
        mod nodes;
        mod main_part;
        #- src/nodes.rs
        pub struct Branch { pub test: Test }
        impl Branch { pub fn negate(&self) -> bool { true } }
        pub struct Test;
        impl Test { pub fn is_true(&self) -> bool { true } }
        pub enum Stmt { If(Branch), Other }
        pub struct Holder { pub inner: Option<Test> }
        #- src/main_part.rs
        use crate::nodes::{Holder, Stmt};
        fn run(stmt: Stmt, holder: Holder) {
            let Holder { inner } = holder;
            let found = inner.as_ref().unwrap();
            match stmt {
                Stmt::If(branch) => branch.test.is_true() && branch.$0
            }
        }
        """,
        "Branch",
        ["  fn negate(&self) -> bool", "  fn is_true(&self) -> bool"],
    ),
    (
        "rust: the methods of a trait that is imported and not named again",
        """
        #- Cargo.toml
        [package]
        name = "app"
        #- src/lib.rs
        mod ext;
        mod user;
        #- src/ext.rs
        pub trait Stylish { fn styled(&self, width: usize) -> String; }
        #- src/user.rs
        use crate::ext::Stylish;
        fn show(tree: other::Tree) -> String {
            tree.$0
        }
        """,
        "Stylish",
        ["  fn styled(&self, width: usize) -> String"],
    ),
    (
        "rust: a glob in a string is no comment",
        """
        #- Cargo.toml
        [package]
        name = "app"
        #- src/lib.rs
        mod pattern;
        mod user;
        #- src/pattern.rs
        pub struct Pattern;
        impl Pattern {
            pub fn parse(text: &str) -> Result<Self, ()> { Ok(Self) }
            pub fn into_absolute(self) -> String { String::new() }
        }
        #- src/user.rs
        use crate::pattern::Pattern;
        fn show() -> String {
            let all = "lib/**/*.py";
            Pattern::parse("a/*").unwrap().$0
        }
        """,
        "Pattern",
        ["  fn into_absolute(self) -> String"],
    ),
    (
        "typescript: destructured, and a closure's parameter",
        """
        #- src/model.ts
        export interface Item { price(): number; label: string }
        export interface Cart { items: Item[] }
        export function useCart(): Cart { return null as any; }
        #- src/app.ts
        import { useCart } from "./model";
        export function total() {
            const { items } = useCart();
            return items.map((it) => it.$0
        }
        """,
        "Item",
        ["  price(): number"],
    ),
    (
        "rust: what a type parameter must be",
        """
        #- Cargo.toml
        [package]
        name = "app"
        #- src/lib.rs
        mod run;
        mod user;
        #- src/run.rs
        pub trait Runner { fn drive(self, n: usize) -> usize; }
        #- src/user.rs
        use crate::run::Runner;
        fn go<R, T>(pi: R) -> usize
        where
            R: Runner,
            T: Send,
        {
            pi.$0
        }
        """,
        "Runner",
        ["  fn drive(self, n: usize) -> usize"],
    ),
    (
        "go: a type assertion",
        """
        #- go.mod
        module example.com/m
        #- inspect/inspect.go
        package inspect
        type Inspector struct{}
        func (in *Inspector) Preorder(kinds []int) int { return 0 }
        #- main.go
        package main
        import "example.com/m/inspect"
        func run(results map[string]any) {
            found := results["x"].(*inspect.Inspector)
            found.$0
        }
        """,
        "Inspector",
        ["func (in *Inspector) Preorder(kinds []int) int"],
    ),
]


@pytest.mark.parametrize(("text", "asked_for", "lines"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_finds_the_definition_that_the_cursor_asks_for(
    case: Callable[[str], Case], text: str, asked_for: str, lines: list[str]
) -> None:
    found = case(text)
    first, *_ = finder_at(found).focus()
    assert first.found.definition is not None
    assert (first.found.definition.name, first.reason != "receiver unknown") == (asked_for, True)
    shown = found.text()
    assert not [line for line in lines if line not in shown], shown


def test_members_of_other_types_of_the_package_are_not_seen_bare(case: Callable[[str], Case]) -> None:
    found = case(
        """
        #- p/Reader.java
        package p;
        class Reader { boolean isEmpty() { return true; } }
        #- p/Main.java
        package p;
        class Main {
            void run(java.util.List<String> names) {
                if (names.isEmpty()) return;
                int n = $0
            }
        }
        """
    )
    reasons = [want.reason for want in finder_at(found).scope()]
    assert "same package" in reasons
    assert "isEmpty is used here" not in reasons


def finder_at(case: Case) -> Finder:
    """Looks from the case's cursor."""
    around = Surveyor().survey(case.path, case.before, case.after)
    assert around is not None
    symbols = Symbols(case.workspace)
    symbols.begin(case.path, around.outline)
    return Finder(around, symbols)


def test_every_name_of_a_large_type_comes_before_the_heads_of_a_few(case: Callable[[str], Case]) -> None:
    methods = "\n".join(
        f"    def method{n:02}(self, value: int, other: str = 'x') -> list[int]: ..." for n in range(60)
    )
    found = case(f"#- store.py\nclass Store:\n{methods}\n#- main.py\nfrom store import Store\nStore().$0\n")
    shown = found.text(360)
    assert [name for name in (f"method{n:02}" for n in range(60)) if name not in shown] == []
    assert "def method00(self" in shown
