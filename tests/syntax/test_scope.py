"""Where a cursor (`$0`) stands."""

from __future__ import annotations

import pytest

from fimble.core.position import ByteOffset
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import Language, language_for
from fimble.syntax.parse import SyntaxTree, parse
from fimble.syntax.scope import (
    PLACEHOLDER,
    begins_block,
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
