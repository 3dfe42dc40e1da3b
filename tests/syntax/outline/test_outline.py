"""What outlines hold, language by language: one line a definition, members indented."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimble.syntax.languages import language_for, language_id_for_path, languages
from fimble.syntax.outline.model import Definition, Outline
from fimble.syntax.outline.read import has_outlines, outline_of


def outline(path: str, text: str) -> Outline:
    language = language_for(language_id_for_path(path), path)
    assert language is not None
    return outline_of(language, textwrap.dedent(text))


def shown(result: Outline) -> str:
    lines: list[str] = []

    def show(definition: Definition, depth: int) -> None:
        parts = [f"{definition.kind} {definition.name}: {definition.signature}"]
        parts += [f"-> {definition.type_text}"] if definition.type_text else []
        parts += [f"bases {', '.join(definition.bases)}"] if definition.bases else []
        parts += [f'"{definition.doc}"'] if definition.doc else []
        parts += [] if definition.is_public else ["private"]
        lines.append("  " * depth + " | ".join(parts))
        for member in definition.members:
            show(member, depth + 1)

    lines += [f"package {result.package}"] if result.package else []
    for item in result.imports:
        lines.append(f"import {item.module or '-'} {item.name or '-'} {item.alias or '-'}{' out' * item.is_export}")
    for definition in result.definitions:
        show(definition, 0)
    for extension in result.extensions:
        lines.append(f"extends {extension.type_name}{''.join(f' with {base}' for base in extension.bases)}")
        for member in extension.members:
            show(member, 1)
    lines += [f"export {name} = {local}" for name, local in result.exports]
    return "\n".join(lines)


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


def test_what_a_typescript_file_declares_and_exports() -> None:
    result = outline(
        "a.d.ts",
        """
        /** Makes it. */
        export declare function f(a: number): string;
        export declare class C { m(): void }
        export declare const X: number, Y: string;
        export declare type T = string;
        export declare namespace N { const q: 1; }
        declare function hidden(): void;
        """,
    )
    assert (
        shown(result)
        == textwrap.dedent(
            """
        function f: function f(a: number): string | -> string | "Makes it."
        class C: class C
          method m: m(): void | -> void
        constant X: const X: number, Y: string | -> number
        constant Y: const X: number, Y: string | -> string
        type T: type T = string | -> string
        module N: namespace N
          constant q: const q: 1 | -> 1
        function hidden: function hidden(): void | -> void | private
        """
        ).strip()
    )


def test_methods_of_generic_go_types_belong_to_them() -> None:
    receivers = ["m *Map[K, V]", "Map[K, V]", "*Map[K, V]", "m Map", "*Map", "m *Map[K]", "m (*Map)"]
    text = "".join(f"func ({receiver}) F{i}() {{}}\n" for i, receiver in enumerate(receivers))
    [extension] = outline("a.go", f"package p\n{text}").extensions
    assert extension.type_name == "Map"
    assert [member.name for member in extension.members] == [f"F{i}" for i in range(len(receivers))]


def test_a_go_constant_inherits_a_type_only_with_the_value() -> None:
    text = "package p\nconst (\n\tA Color = iota\n\tB\n\tMax = 10\n\tMore\n)\n"
    assert [item.type_text for item in outline("a.go", text).definitions] == ["Color", "Color", "", ""]


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        (
            "a.c",
            "struct s {\n  int a;\n#ifdef X\n  int b;\n#elif Y\n  int c;\n#else\n  int d;\n#endif\n  int e;\n};\n",
            "s a b c d e",
        ),
        ("a.c", "enum e {\n  A,\n#if X\n  B,\n#endif\n  C\n};\n", "e A B C"),
        ("a.cpp", "class A {\n public:\n#if X\n  void f();\n#endif\n  int b;\n};\n", "A f b"),
        ("A.cs", "class A {\n  int b;\n#if X\n  void F() {}\n#else\n  int G() {}\n#endif\n  int c;\n}\n", "A b F G c"),
        ("A.cs", "namespace N {\n#if X\nclass A { int b; }\n#endif\n}\n#if Y\nclass C {}\n#endif\n", "A b C"),
    ],
)
def test_members_in_preprocessor_branches(path: str, text: str, names: str) -> None:
    assert [item.name for item in outline(path, text).walk()] == names.split()


def test_every_name_of_a_typedef() -> None:
    text = "typedef struct T { int q; } T, *PT;\ntypedef struct { int r; } *Q;\ntypedef int A, *B;\n"
    assert (
        shown(outline("a.c", text))
        == textwrap.dedent(
            """
        class T: struct T
          field q: int q | -> int
        type PT: typedef struct T *PT | -> struct T
        class Q: typedef struct Q
          field r: int r | -> int
        type A: typedef int A, *B | -> int
        type B: typedef int A, *B | -> int
        """
        ).strip()
    )


def test_conversions_of_a_class() -> None:
    text = (
        "class A {\n public:\n  explicit operator bool() const;\n  operator int *() { return 0; }\n"
        "  operator const B &();\n};\nA::operator bool() const { return true; }\n"
    )
    assert (
        shown(outline("a.cpp", text))
        == textwrap.dedent(
            """
        class A: class A
          method operator bool: explicit operator bool() const
          method operator int *: operator int *()
          method operator const B &: operator const B &()
        extends A
          method operator bool: A::operator bool() const
        """
        ).strip()
    )


_IN_BODIES = [
    ("a.py", "class A:\n    def f(self):\n        import json\n        self.a = B()\n        return self\n"),
    ("a.ts", "class A {\n  constructor(store: Store) {\n    this.store = store;\n    this.b = new B()\n  }\n}\n"),
]


@pytest.mark.parametrize(("path", "text"), [*((path, text) for path, text, _ in TABLE), *_IN_BODIES])
def test_line_ends_of_windows_change_nothing(path: str, text: str) -> None:
    assert outline(path, text.replace("\n", "\r\n")) == outline(path, text)


@pytest.mark.parametrize(
    ("implemented", "type_name"),
    [
        ("&'a Foo", "Foo"),
        ("&mut m::Bar<T>", "Bar"),
        ("*const Foo", "Foo"),
        ("Box<dyn Q>", "Box"),
        ("dyn Q", "Q"),
        ("dyn Q + Send", "Q"),
    ],
)
def test_the_type_that_a_rust_impl_is_of(implemented: str, type_name: str) -> None:
    [extension] = outline("a.rs", f"impl Tr for {implemented} {{ fn f(&self) {{}} }}\n").extensions
    assert extension.type_name == type_name


def test_what_a_rust_file_takes_from_c() -> None:
    text = 'extern "C" {\n    /// Does it.\n    pub fn f(a: i32) -> u8;\n    static X: i32;\n}\n'
    assert (
        shown(outline("a.rs", text))
        == textwrap.dedent(
            """
        function f: pub fn f(a: i32) -> u8 | -> u8 | "Does it."
        constant X: static X: i32 | -> i32 | private
        """
        ).strip()
    )


def test_operators_of_csharp_have_names() -> None:
    text = (
        "class A {\n  public static A operator +(A a, A b) => a;\n"
        "  public static implicit operator List<int>(A a) => a.b;\n}\n"
    )
    assert [item.name for item in outline("A.cs", text).walk()] == ["A", "operator +", "operator List<int>"]


def test_python_names_that_come_together() -> None:
    result = outline("a.py", "A, B = 1, make(2)\n(C, _d, *E) = f()\n")
    assert [(item.name, item.value_text, item.is_public) for item in result.definitions] == [
        ("A", "1", True),
        ("B", "make(2)", True),
        ("C", "", True),
        ("_d", "", False),
    ]


def test_python_parameters_and_aliases_with_types() -> None:
    result = outline("a.py", "def f(a: int, *args: int, b: str, **kw: str): ...\ntype L[T] = list[T]\n")
    function, alias = result.definitions
    assert [(param.name, param.type_text) for param in function.params] == [
        ("a", "int"),
        ("args", ""),
        ("b", "str"),
        ("kw", ""),
    ]
    assert (alias.name, alias.type_text) == ("L", "list[T]")


def test_types_and_values_that_are_not_written_are_kept_as_expressions() -> None:
    result = outline("a.py", "class A:\n    def __init__(self):\n        self.b = make(1)\ndef f():\n    return A()\n")
    values = {item.name: item.value_text for item in result.walk() if item.value_text}
    assert values == {"b": "make(1)", "f": "A()"}


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("A.java", "class A {\n  int first() { return 1; }\n  int second() { if (x) {\n", "first"),
        ("a.ts", "export class A {\n  first() { return 1 }\n  second() { if (x) {\n", "first"),
        ("A.cs", "class A {\n  int First() { return 1; }\n  int Second() { if (x) {\n", "First"),
    ],
)
def test_a_file_that_is_being_written_keeps_its_types(path: str, text: str, name: str) -> None:
    types = [item for item in outline(path, text).definitions if item.name == "A"]
    assert types, shown(outline(path, text))
    assert name in [member.name for member in types[0].members]


def test_long_signatures_are_cut() -> None:
    table = ", ".join(f"'key{i}': {i}" for i in range(10_000))
    result = outline("a.py", f"TABLE = {{{table}}}\ndef f(x={{{table}}}): ...\n")
    assert all(len(item.signature) <= 240 for item in result.walk())


def test_lines_count_from_zero_and_include_decorators() -> None:
    [definition] = outline("a.py", "@deco\ndef f():\n    return 1\n").definitions
    assert (definition.first_line, definition.last_line) == (0, 2)


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
