"""Where a cursor (`$0`) stands."""

from __future__ import annotations

import pytest

from fimble.core.position import ByteOffset
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import Language, language_for
from fimble.syntax.parse import SyntaxTree, parse
from fimble.syntax.scope import (
    PLACEHOLDER,
    CursorScope,
    Place,
    begins_block,
    cursor_scope,
    first_identifier,
    first_statement_end,
    kind_of_hole,
)


def _language(name: str) -> Language:
    language = language_for(name)
    assert language is not None
    return language


def _tree(name: str, text: str) -> SyntaxTree:
    grammar = grammar_for(_language(name))
    assert grammar is not None
    tree = parse(grammar, text.encode())
    assert tree is not None
    return tree


def _scope(name: str, text: str) -> CursorScope:
    prefix, suffix = text.split("$0")
    return cursor_scope(_tree(name, prefix + suffix), ByteOffset(len(prefix.encode())))


@pytest.mark.parametrize(
    ("language", "text", "place"),
    [
        ("python", "x = $01\n", Place.CODE),
        ("python", "x = 'a$0b'\n", Place.STRING),
        ("python", "x = 'ab'$0\n", Place.CODE),
        ("python", "x = $0'ab'\n", Place.CODE),
        ("python", "x = f'a{b$0}c'\n", Place.CODE),
        ("python", "x = f'a{b}c$0'\n", Place.STRING),
        ("python", "x = 1  # abc$0\n", Place.COMMENT),
        ("python", "x = 1  $0# abc\n", Place.CODE),
        ("python", 'def f():\n    """Doc\n    $0more."""\n', Place.STRING),
        ("javascript", "a = `x ${y$0} z`;\n", Place.CODE),
        ("javascript", "a = `x$0 ${y} z`;\n", Place.STRING),
        ("javascript", "/* a$0 */ b;\n", Place.COMMENT),
        ("javascript", "/* a */$0 b;\n", Place.CODE),
        ("javascript", "a.match(/b$0c/);\n", Place.STRING),
        ("rust", "// héé$0\nfn f() {}\n", Place.COMMENT),
        ("java", "class A { char c = 'x$0'; }\n", Place.STRING),
        ("shellscript", 'echo "a $(b$0) c"\n', Place.CODE),
        ("shellscript", "cat <<X\nab$0c\nX\n", Place.STRING),
        ("html", "<!-- a$0 --><p>b</p>\n", Place.COMMENT),
    ],
)
def test_place(language: str, text: str, place: Place) -> None:
    assert _scope(language, text).place is place


def test_enclosing_kinds_go_outward() -> None:
    scope = _scope("python", "class A:\n    def f(self):\n        return na$0me\n")
    assert scope.node_kind == "identifier"
    assert scope.enclosing_kinds[:2] == ("return_statement", "block")
    assert scope.enclosing_kinds[-2:] == ("class_definition", "module")


@pytest.mark.parametrize(
    ("language", "before", "statement", "after_statement", "after_block"),
    [
        ("python", "def f():\n    ", "a = g$0(1)", "\n    b = 2", "\n\nc = 3\n"),
        ("javascript", "function f() {\n  ", "a = g$0(1);", "\n  b = 2;\n}", "\nc();\n"),
        ("go", "package p\n\nfunc f() {\n\t", "a := g$0(1)", "\n\tb := 2\n}", "\n\nfunc h() {}\n"),
        ("c", "int f(void) {\n  ", "int a = g$0(1);", "\n  return 2;\n}", "\nint b;\n"),
    ],
)
def test_ends_of_statement_and_block(
    language: str, before: str, statement: str, after_statement: str, after_block: str
) -> None:
    scope = _scope(language, before + statement + after_statement + after_block)
    statement_end = len(before + statement) - len("$0")
    assert scope.statement_end == statement_end
    assert scope.block_end == statement_end + len(after_statement)


def test_at_the_top_of_a_file_no_block_encloses_the_cursor() -> None:
    scope = _scope("python", "a = $01\n")
    assert (scope.statement_end, scope.block_end) == (5, None)
    assert _scope("python", "$0").statement_end is None


@pytest.mark.parametrize(
    ("language", "text", "statement"),
    [
        ("python", "def f():\n    $0a = 1\n    b = 2$0\n", "a = 1"),
        ("python", "def f():\n    $0if a:\n        b()\n    c()$0\n", "if a:\n        b()"),
        ("python", "def f():\n    x = g($0a,\n  1)\n    b = 2$0\n", "b = 2"),
        ("python", "def f():\n    $0if a:$0\n        b()\n", None),
        ("python", "$0$0", None),
        ("go", "package p\nfunc f() {\n\t$0a := 1\n\tb := 2$0\n}\n", "a := 1"),
        ("javascript", "f(() => {$0\n  a();\n  b();\n});$0\n", "a();"),
        ("javascript", "$0a(;\nb();$0\n", None),
    ],
)
def test_first_statement_end(language: str, text: str, statement: str | None) -> None:
    before, inside, after = text.split("$0")
    start, end = len(before), len(before + inside)
    found = first_statement_end(_tree(language, before + inside + after), ByteOffset(start), ByteOffset(end))
    expected = (before + inside + after).index(statement) + len(statement) if statement else None
    assert found == expected


@pytest.mark.parametrize(
    ("language", "text", "begins"),
    [
        ("python", "def f():$0\n", True),
        ("python", "def f():\n    $0\n", True),
        ("python", "def f():\n    $0\n\nx = 1\n", True),
        ("python", "def f():\n    $0\n    x = 1\n", False),
        ("python", "class A:\n    def f(self):  # why\n        $0\n\n    def g(self):\n        pass\n", True),
        ("python", "x = {'a':$0}\n", False),
        ("python", "x = 1\n$0\n", False),
        ("python", "def f():\n    x = 1$0\n", False),
        ("python", "for a in b: c($0)\n", False),
        ("javascript", "function f() {$0}\n", True),
        ("javascript", "function f() {\n  $0\n}\n", True),
        ("javascript", "g(() => {$0})\n", True),
        ("javascript", "function f() {\n  $0\n  a();\n}\n", False),
        ("javascript", "function f() $0\n", False),
        ("java", "class A {\n    void f() {$0", True),
        ("go", "if x {\n\t$0\n}\n", True),
        ("c", "int a = b$0;\n", False),
        ("ruby", "def f(a)\n  $0\nend\n", True),
        ("ruby", "a.each do |x|\n  $0\nend\n", True),
        ("ruby", "a = b\n$0\n", False),
        ("shellscript", "if [ -f x ]; then\n  $0\nfi\n", True),
        ("shellscript", "for a in b; do\n  $0\ndone\n", True),
        ("shellscript", "a=b\n$0\n", False),
        ("html", "<div>\n  $0\n</div>\n", True),
        ("html", '<ul class="a">$0</ul>\n', True),
        ("html", "<br>$0</p>\n", False),
        ("html", "<p>a$0</p>\n", False),
        ("toml", "[a]\n$0", False),
    ],
)
def test_begins_block(language: str, text: str, begins: bool) -> None:
    prefix, suffix = text.split("$0")
    assert begins_block(_language(language), prefix, suffix) is begins


def test_first_identifier() -> None:
    assert first_identifier("  foo_1(bar)") == "foo_1"
    assert first_identifier("1 + größe") == "größe"
    assert first_identifier(") {") is None


@pytest.mark.parametrize(
    ("language_id", "source", "kind"),
    [
        ("python", "def add(a, b):\n    return $0\n", "return_statement"),
        ("python", "x = foo(a, $0)\n", "argument_list"),
        ("python", "foo.$0\n", "attribute"),
        ("python", "foo.na$0\n", "attribute"),
        ("python", "x = 'ab$0'\n", "string_content"),
        ("python", "# note $0\n", "comment"),
        ("python", "import os\n$0\n", "module"),
        ("typescript", "const total = price($0);\n", "arguments"),
        ("go", "package a\nfunc f() {\n\tg()\n\t$0\n\th()\n}\n", "statement_list"),
    ],
)
def test_a_hole_is_called_by_what_it_is_part_of(language_id: str, source: str, kind: str) -> None:
    tree = _tree(language_id, source.replace("$0", PLACEHOLDER.decode()))
    assert kind_of_hole(tree, ByteOffset(source.index("$0"))) == kind
