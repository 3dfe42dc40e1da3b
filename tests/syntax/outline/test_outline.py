"""What outlines hold, language by language: one line a definition, members indented."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.syntax.outline.reading import outline, shown

from fimble.syntax.languages import languages
from fimble.syntax.outline.read import has_outlines, outline_of

TABLE = [
    (
        "a.py",
        '''
        import a.b as c, d
        from ..x import (y as z, w)
        __all__ = ["A", "z"]
        @deco(1)
        class A(B, metaclass=M):
            """First line.

            More."""
            x: int = 3
            @property
            def size(self) -> int: return 1
            def __init__(self, a: "Foo", b=3):
                self.a = a
                self._q = Qux(b)
            async def load(self, path, *rest, key: str = "x", **more) -> Foo: ...
        def get(x):
            return A.make(x)
        _hidden = 1
        if TYPE_CHECKING:
            from t import T
        def f():
            import inner
        ''',
        """
        import a.b - c
        import d - d
        import ..x y z out
        import ..x w w
        import t T T
        import inner - inner
        constant __all__: __all__ = ["A", "z"] | private
        class A: class A(B, metaclass=M) | bases B | "First line."
          field x: x: int = 3 | -> int
          field size: size: int | -> int
          method __init__: def __init__(self, a: "Foo", b=3)
          method load: async def load(self, path, *rest, key: str = "x", **more) -> Foo | -> Foo
          field a: self.a: Foo | -> Foo
          field _q: self._q = Qux(b) | private
        function get: def get(x)
        constant _hidden: _hidden = 1 | private
        function f: def f()
        """,
    ),
    (
        "a.ts",
        """
        import x, { y as z } from "./m";
        import * as ns from "../n";
        export * from "./a";
        export { b as c } from "./b";
        /** Keeps things. */
        export default class A<T> extends B<T> implements C {
          private readonly n: number = 3;
          constructor(private readonly docs: DocsService) { super(); }
          async f(a: string, { b }: Opts = {}): Promise<Foo> { return 1 }
          get g(): string { return "" }
        }
        export interface I extends J { a: string; b?(x: number): void }
        export type U = { a: string } & V;
        export enum E { P = 1, Q }
        export const k = (a: number): Foo => { };
        const o = { a: 1, m(x) { } };
        export { o as other };
        function hidden() {}
        """,
        """
        import ./m default x
        import ./m y z
        import ../n - ns
        import ./a * - out
        import ./b b c out
        class A: class A<T> extends B<T> implements C | bases B, C | "Keeps things."
          field n: private readonly n: number = 3 | -> number | private
          method constructor: constructor(private readonly docs: DocsService)
          field docs: private readonly docs: DocsService | -> DocsService | private
          method f: async f(a: string, { b }: Opts = {}): Promise<Foo> | -> Promise<Foo>
          field g: get g(): string | -> string
        interface I: interface I extends J | bases J
          field a: a: string | -> string
          method b: b?(x: number): void | -> void
        type U: type U = { a: string } & V | -> { a: string } & V
          field a: a: string | -> string
        enum E: enum E
          constant P: P = 1
          constant Q: Q
        function k: const k = (a: number): Foo | -> Foo
        constant o: const o
          field a: a: 1
          method m: m(x)
        function hidden: function hidden() | private
        export default = A
        export other = o
        """,
    ),
    (
        "a.js",
        """
        const x = require("./x"), { y, z: w } = require('./yz');
        /** Does it. */
        function a(p) {}
        class K extends L {
          constructor(z) {
            this.q = new Z();
          }
          m() { }
        }
        K.prototype.late = function (n) {};
        module.exports = { a, d(x) { }, e: function (y) {}, k: 3 };
        exports.g = function (z) {};
        """,
        """
        import ./x default x
        import ./yz y y
        import ./yz z w
        function a: function a(p) | "Does it."
        class K: class K extends L | bases L | private
          method constructor: constructor(z)
          field q: this.q = new Z()
          method m: m()
          method late: K.prototype.late = function (n)
        function d: d(x)
        function e: e: function (y)
        constant k: k: 3
        function g: exports.g = function (z)
        """,
    ),
    (
        "A.java",
        """
        package a.b;
        import a.c.D;
        import static a.E.f;
        import x.*;
        /** Doc. */
        @Ann(x = 1)
        public class A<T> extends B<T> implements C, D {
          private final int x = 3;
          /**
           * Gives.
           * @return x
           */
          @Override public List<Foo> m(final Foo a, String... b) throws E { }
          enum K { P, Q(1) { }; int v; }
        }
        interface I extends J { int q(); }
        record R(int a, Foo b) { }
        """,
        """
        package a.b
        import a.c.D D D
        import a.E f f
        import x * -
        class A: public class A<T> extends B<T> implements C, D | bases B<T>, C, D | "Doc."
          field x: private final int x = 3 | -> int | private
          method m: public List<Foo> m(final Foo a, String... b) throws E | -> List<Foo> | "Gives."
          enum K: enum K
            constant P: P
            constant Q: Q(1)
            field v: int v | -> int
        interface I: interface I extends J | bases J
          method q: int q() | -> int
        class R: record R(int a, Foo b)
          field a: int a | -> int
          field b: Foo b | -> Foo
        """,
    ),
    (
        "A.cs",
        """
        using A.B;
        using Q = Z.W;
        namespace N.M;
        /// <summary>Doc</summary>
        [Attr(1)]
        public class A<T> : B, IC where T : new() {
          private readonly int _x = 3;
          public string P { get; set; }
          public async Task<Foo> M(Foo a, int b = 1) { }
          public int E => 3;
        }
        public interface I { int Q(int a); }
        """,
        """
        package N.M
        import A.B * -
        import Z W Q
        class A: public class A<T> : B, IC where T : new() | bases B, IC | "Doc"
          field _x: private readonly int _x = 3 | -> int | private
          field P: public string P { get; set; } | -> string
          method M: public async Task<Foo> M(Foo a, int b = 1) | -> Task<Foo>
          field E: public int E | -> int
        interface I: public interface I
          method Q: int Q(int a) | -> int
        """,
    ),
    (
        "a.go",
        """
        package p
        import (
            "a/b"
            c "d/e/v2"
            . "f"
            "x/y/v3"
        )
        // A is it.
        type A struct {
            X int `json:"x"`
            *B
        }
        type I interface { M(a int) error }
        func (a *A[T]) Foo(x int, z ...string) (*B, error) { }
        // New makes.
        func New(x int) *A { }
        const (
            K1 Col = iota
            k2
        )
        """,
        """
        package p
        import a/b - b
        import d/e/v2 - c
        import f * -
        import x/y/v3 - y
        class A: type A struct | bases B | "A is it."
          field X: X int | -> int
          field B: *B | -> B
        interface I: type I interface
          method M: M(a int) error | -> error
        function New: func New(x int) *A | -> *A | "New makes."
        constant K1: const K1 Col = iota | -> Col
        constant k2: const k2 | -> Col | private
        extends A
          method Foo: func (a *A[T]) Foo(x int, z ...string) (*B, error) | -> (*B, error)
        """,
    ),
    (
        "a.rs",
        """
        use a::b::{c, d as e, f::*, self, self as g};
        pub use x::y;
        mod m;
        /// Doc
        #[derive(Debug)]
        pub struct A<T> { pub x: Foo, y: i32 }
        pub enum E { P, Q(i32) }
        pub trait Tr: Base { fn m(&self, a: Foo) -> Bar; }
        impl<T> A<T> { pub fn new(x: i32) -> Self { } }
        impl Tr for A<i32> { fn m(&self, a: Foo) -> Bar {} }
        pub const N: usize = 1;
        macro_rules! mac { () => {} }
        pub(crate) async fn f(a: &mut Foo) -> Result<Bar> { }
        mod tests { use super::z; fn t() {} }
        """,
        """
        import a::b c c
        import a::b d e
        import a::b::f * -
        import a b b
        import a b g
        import x y y out
        import mod m - m
        import super z z
        class A: pub struct A<T> | "Doc"
          field x: pub x: Foo | -> Foo
          field y: y: i32 | -> i32 | private
        enum E: pub enum E
          constant P: P
          constant Q: Q(i32) | -> i32
        interface Tr: pub trait Tr: Base | bases Base
          method m: fn m(&self, a: Foo) -> Bar | -> Bar
        constant N: pub const N: usize = 1 | -> usize
        function mac: macro_rules! mac
        function f: pub(crate) async fn f(a: &mut Foo) -> Result<Bar> | -> Result<Bar>
        module tests: mod tests | private
          function t: fn t() | private
        extends A
          method new: pub fn new(x: i32) -> Self | -> Self
        extends A with Tr
          method m: fn m(&self, a: Foo) -> Bar | -> Bar
        """,
    ),
    (
        "a.cpp",
        """
        #include "a/b.h"
        #include <c.h>
        #ifndef GUARD
        #define GUARD
        #define LIMIT 3
        namespace n {
        /// Doc
        class A : public B, private C<D> {
         public:
          A(int x);
          int foo(const Foo& a, int b = 1) const;
          int x, *y;
          enum E { P, Q = 1 };
         private:
          int z_ = 1;
        };
        typedef struct { int q; } Td;
        using Al = Foo;
        template <typename T> T free_fn(int a, char *b);
        int A::foo(const Foo& a, int b) const { }
        }
        #endif
        """,
        """
        package n
        import a/b.h * - out
        import <c.h> * - out
        constant LIMIT: #define LIMIT 3
        class A: class A : public B, private C<D> | bases B, C<D> | "Doc"
          method A: A(int x)
          method foo: int foo(const Foo& a, int b = 1) const | -> int
          field x: int x, *y | -> int
          field y: int x, *y | -> int
          enum E: enum E
            constant P: P
            constant Q: Q = 1
          field z_: int z_ = 1 | -> int | private
        class Td: typedef struct Td
          field q: int q | -> int
        type Al: using Al = Foo | -> Foo
        function free_fn: T free_fn(int a, char *b) | -> T
        extends A
          method foo: int A::foo(const Foo& a, int b) const | -> int
        """,
    ),
]


@pytest.mark.parametrize(("path", "text", "expected"), TABLE, ids=[path for path, _, _ in TABLE])
def test_outline(path: str, text: str, expected: str) -> None:
    assert shown(outline(path, text)) == textwrap.dedent(expected).strip()


_IN_BODIES = [
    ("a.py", "class A:\n    def f(self):\n        import json\n        self.a = B()\n        return self\n"),
    ("a.ts", "class A {\n  constructor(store: Store) {\n    this.store = store;\n    this.b = new B()\n  }\n}\n"),
]


@pytest.mark.parametrize(("path", "text"), [*((path, text) for path, text, _ in TABLE), *_IN_BODIES])
def test_line_ends_of_windows_change_nothing(path: str, text: str) -> None:
    assert outline(path, text.replace("\n", "\r\n")) == outline(path, text)


@settings(max_examples=120)
@given(st.sampled_from([item for item in languages() if has_outlines(item)]), st.text(max_size=200))
def test_any_text_has_an_outline(language: object, text: str) -> None:
    outline_of(language, text)  # type: ignore[arg-type]


@settings(max_examples=120)
@given(st.sampled_from(TABLE), st.data())
def test_any_piece_of_code_has_an_outline(entry: tuple[str, str, str], data: st.DataObject) -> None:
    path, text, _ = entry
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    for definition in outline(path, text[start:end]).walk():
        assert definition.first_line <= definition.last_line
