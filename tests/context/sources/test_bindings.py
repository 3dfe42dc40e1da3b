"""What local names are bound to, language by language."""

from __future__ import annotations

import time

import pytest

from fimble.context.sources.bindings import bound_of, last_bindings

CASES = [
    (
        "python",
        "def f(a: Foo, b: 'Bar' = 3):\n  x = get(1)\n  with open(x) as fh:\n   for q in self.items:\n"
        "    if isinstance(q, Baz):\n  except OSError as error:\n",
        {"a": "Foo", "b": "Bar", "x": "=get(1)", "fh": "=open(x)", "q": "Baz", "error": "OSError"},
    ),
    (
        "typescript",
        "function f(a: Foo, b?: Bar<X>) { const z = new Foo(); for (const w of ws) {",
        {"a": "Foo", "b": "Bar<X>", "z": "=new Foo()", "w": "=ws"},
    ),
    (
        "java",
        "void m(final Node node, List<Foo> xs) { var y = g(); for (Element e : els) { if (o instanceof TextNode t) {",
        {"node": "Node", "xs": "List<Foo>", "y": "=g()", "e": "Element", "t": "TextNode"},
    ),
    (
        "csharp",
        "void M(Node node, List<Foo> xs) { var y = G(); foreach (var e in els) { if (o is TextNode t) {",
        {"node": "Node", "xs": "List<Foo>", "y": "=G()", "e": "=els", "t": "TextNode"},
    ),
    (
        "go",
        "func f(pass *analysis.Pass, rest ...string) {\n a, err := foo.New(1)\n var z Bar\n for _, q := range xs {\n",
        {"pass": "*analysis.Pass", "a": "=foo.New(1)", "z": "Bar", "q": "=xs"},
    ),
    (
        "rust",
        "fn f(a: &mut Foo, b: Vec<Bar>) {\n let mut x = Foo::new();\n if let Some(z) = foo() {\n for q in it {",
        {"a": "&mut Foo", "b": "Vec<Bar>", "x": "=Foo::new()", "z": "=foo()", "q": "=it"},
    ),
    (
        "cpp",
        "int f(const Foo& a, Bar *b) {\n auto x = g();\n std::vector<Foo> v;\n return y;\n",
        {"a": "Foo", "b": "Bar", "x": "=g()", "v": "std::vector<Foo>"},
    ),
]

SHAPES = [
    (
        "typescript",
        "const { a, b: c, d = 1 } = await useFoo(x);\n"
        "function P({ e }: Props) { const f = g() as Bar; items.forEach((h) => {",
        {"a": "=useFoo().a", "c": "=useFoo().b", "d": "=useFoo().d", "e": "=Props.e", "f": "Bar", "h": "=items"},
    ),
    (
        "rust",
        "let Pair { left, right: r, .. } = self;\n"
        "match x {\n Stmt::If(node) => self.items\n  .iter()\n  .map(|&item| {",
        {"left": "=Pair.left", "r": "=Pair.right", "node": "=Stmt.If", "item": "=self.items.iter()"},
    ),
    (
        "go",
        "a := pass.Of[x].(*inspector.Inspector)\nif b, ok := z.(pkg.T); ok {\nswitch n := node.(type) {\ncase *ast.A:\n"
        " n.B()\ncase *ast.C:\n",
        {"a": "*inspector.Inspector", "b": "pkg.T", "n": "ast.C"},
    ),
    ("java", "var a = (Foo) bar(); els.stream().map(b -> b", {"a": "Foo", "b": "=els.stream()"}),
    ("csharp", "var a = (Foo) Bar(); var b = z as Q; els.Where(c => c", {"a": "Foo", "b": "Q", "c": "=els"}),
    ("python", 'a = cast("Foo", b)\n', {"a": "Foo"}),
]


@pytest.mark.parametrize(("language", "text", "expected"), SHAPES, ids=[case[0] for case in SHAPES])
def test_bindings_by_shape(language: str, text: str, expected: dict[str, str]) -> None:
    test_bindings(language, text, expected)


def test_a_name_bound_to_itself_stays_what_it_was() -> None:
    assert last_bindings("rust", "let x: Foo = y;\nlet Some(x) = x else {")["x"].type_text == "Foo"
    assert last_bindings("python", "path: Place = f()\npath = path.parent\n")["path"].type_text == "Place"


def test_what_a_variant_holds_is_told_from_the_variant() -> None:
    assert last_bindings("rust", "match x { Stmt::If(node) => ")["node"].is_payload


def test_names_that_share_a_type_all_have_it() -> None:
    text = "func (s *Server) f(a, b Foo, c Bar, d, e, g ...*pkg.T) {\n var h, i Baz\n"
    one, two = {"a": "Foo", "b": "Foo", "c": "Bar", "h": "Baz", "i": "Baz"}, dict.fromkeys("deg", "...*pkg.T")
    test_bindings("go", text, {"s": "*Server", **one, **two})


@pytest.mark.parametrize(("language", "text", "expected"), CASES, ids=[case[0] for case in CASES])
def test_bindings(language: str, text: str, expected: dict[str, str]) -> None:
    found = last_bindings(language, text)
    shown = {name: found[name].type_text or f"={found[name].value_text}" for name in expected if name in found}
    assert shown == expected


def test_the_nearest_binding_counts() -> None:
    found = last_bindings("python", "x = one()\nx = two()\n")
    assert found["x"].value_text == "two()"


def test_a_declared_type_says_more_than_the_value() -> None:
    assert last_bindings("python", "x: Foo = make()\n")["x"].type_text == "Foo"


def test_an_unknown_language_has_none() -> None:
    assert last_bindings("cobol", "x = 1") == {}


# What lines of data and of half a statement are made of: for each pattern one of them begins a match at every place.
PIECES = [
    "0123456789abcdef", "a, ", "a.", "...", "(", " ", "\n", "a ", "a: ", "a = ", "a=", "a: b, ", "f(", "f() as ",
    "x.f( ", "a = cast(", "for a in ", "except a ", "A<", "A<>", "A<B ", "A<B> c ", "is A<", "instanceof A<",
    "var a = ", "a::", "A::", "const ", "unsigned ", "auto & ", "a & ", "let A(", "let a = ", "(|", "{a}", "{ a",
    "a := ", "switch a ", "switch a := ", "case a ", "a map[b]", "a = b.(", "func(a, ",
]  # fmt: skip
BEFORE_BLANKS = ["", "a = cast(", "auto", "let a: b", "a ?", "var a = b", "A b", "f(x)", "func f("]


@pytest.mark.parametrize("language", ["python", "typescript", "java", "csharp", "go", "rust", "cpp"])
def test_no_line_takes_long(language: str) -> None:
    lines = [piece * (12_000 // len(piece)) for piece in PIECES]
    lines += [head + " " * (12_000 - len(head)) for head in BEFORE_BLANKS]
    seconds: dict[str, float] = {}
    for line in lines:
        started = time.process_time()
        last_bindings(language, line)
        seconds[line[:20]] = time.process_time() - started
    assert {start: taken for start, taken in seconds.items() if taken >= 0.2} == {}


def test_looking_for_a_bound_takes_not_long_either() -> None:
    started = time.process_time()
    assert bound_of("T", "\n" * 6_000 + "T" + "\n" * 6_000) == ""
    assert time.process_time() - started < 0.2
    assert bound_of("T", "class A<\n    T extends Item, U>") == "Item"
