"""What outlines make of single constructs of a language, and of text that is long or unfinished."""

from __future__ import annotations

import textwrap

import pytest
from tests.syntax.outline.reading import outline, shown


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
