"""The judge of whole texts: which completions leave an error behind."""

from __future__ import annotations

import pytest

from fimble.syntax.around import Hole
from fimble.syntax.errors import adds_syntax_error, completion_verdict, n_syntax_errors
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import Language, language_for
from fimble.syntax.stop import StopJudge, StopVerdict


def _language(name: str) -> Language:
    language = language_for(name)
    assert language is not None
    return language


def _split(text: str) -> tuple[str, str]:
    prefix, suffix = text.split("$0")
    return prefix, suffix


@pytest.mark.parametrize(
    ("language", "text", "completion", "verdict"),
    [
        ("python", "x = foo($0)\n", "a, b", "clean"),
        ("python", "x = foo($0\n", "a, b", "no"),
        ("python", "x = foo($0\n", "a, b)", "clean"),
        ("python", "x = foo($0)\n", "a))", "no"),
        # An error elsewhere is not the completion's.
        ("python", "def f(:\n    pass\n\n\ndef g():\n    x = 1\n    return $0\n", "x", "strong"),
        ("python", "def f(:\n    pass\n\n\ndef g():\n    x = 1\n    return $0\n", "x)", "no"),
        # What tree-sitter lets through and Python does not.
        ("python", "def f():\n    $0\n", "if x:", "no"),
        ("python", "def f():\n    $0\n", "if x:\n        y", "clean"),
        ("python", "def f():\n    $0\n", "a = 1\n      b = 2", "no"),
        ("python", "def f():\n    $0\n    b = 2\n", "if x:", "no"),
        ("python", "def f():\n    $0\n        b = 2\n", "if x:", "clean"),
        # A line further down stands at a level that nobody opened, but the first one does not.
        ("python", "for a in b:\n$0\n            c()\n        d()\n", "    if a:", "no"),
        ("python", "for a in b:\n$0\n            c()\n        d()\n", "        if a:", "clean"),
        # Nor does it where the completion closed the level that the first one stands at.
        ("python", "def f(a):\n    for b in a:\n        c()\n$0\n        d()\n    e()\n", "def g():", "no"),
        ("python", "def f(a):\n    for b in a:\n        c()\n$0\n        d()\n    e()\n", "    if b:", "clean"),
        ("python", "def f(a):\n    for b in a:\n        c()\n$0\n    e()\n", "def g():\n    h()\n", "clean"),
        ("python", "x = $0 + 1\n", "class", "no"),
        ("python", "x $0+= y\n", "+= z ", "no"),
        ("python", "x = $0 += y\n", "z", "no"),
        ("python", "x = $0\n", "y = z", "clean"),
        ("python", "x += $0\ny += 1\n", "(z := 1)", "clean"),
        ("java", "class A { int x = $0; }\n", "1 + y", "clean"),
        ("java", "class A { int x = $0; }\n", "1 + y;", "clean"),
        ("java", "class A { void f() { $0 } }\n", "a.class.b(); int else = 1;", "no"),
        ("javascript", "const f = (a) => {$0\n};\n", "\n  return a;", "clean"),
        ("javascript", "const f = (a) => {$0\n};\n", "\n  return a;\n};", "no"),
        ("go", "func f() {\n\t$0\n}\n", "x := []int{1, 2}", "clean"),
        ("go", "func f() {\n\t$0\n}\n", "x := []int{1, 2", "no"),
        ("c", "int f(void) { return $0; }\n", "a[1", "no"),
        # The lines below stand in a block that only the completion can have opened.
        ("javascript", "function f() {\n  a();\n$0\n    b();\n  }\n}\n", "  if (c) {", "clean"),
        ("javascript", "function f() {\n  a();\n$0\n    b();\n  }\n}\n", "  c();", "no"),
        ("java", "class A {\n  int f() {\n$0\n      b();\n    }\n    else { c(); }\n  }\n}\n", "    d();", "no"),
        ("java", "class A {\n  int f() {\n$0\n      b();\n    }\n    else { c(); }\n  }\n}\n", "    if (d) {", "clean"),
        ("go", "func f() {\n\ta()\n$0\n\t\tb()\n\t}\n}\n", "\tfor {", "clean"),
        ("go", "func f() {\n\ta()\n$0\n\t\tb()\n\t}\n}\n", "\tc()", "no"),
        ("javascript", "function f() {\n  if (c) $0\n    b();\n  }\n}\n", "{", "clean"),
        ("javascript", "function f() {\n  if (c) $0\n    b();\n  }\n}\n", "d();", "no"),
        # And in Python what the lines below go on with: an `else` without its `if`.
        ("python", "for a in b:\n$0\n    else:\n        c()\n", "    if a:\n        d()", "clean"),
        ("python", "for a in b:\n$0\n    else:\n        c()\n", "    d()", "no"),
        ("python", "for a in b:\n    $0\n    elif c:\n        c()\n", "if a:\n        d()", "clean"),
        ("python", "for a in b:\n    $0\n    elif c:\n        c()\n", "d()", "no"),
        ("python", "def f():\n$0\n    except E:\n        c()\n", "    try:\n        d()", "clean"),
        ("python", "def f():\n$0\n    except E:\n        c()\n", "    if a:\n        d()", "no"),
        # What stands deeper is the block of an `if` that the hole has to be, or end with.
        ("python", "def f(a):\n    b = 1\n$0\n        c()\n    else:\n        d()\n", "    return b", "no"),
        ("python", "def f(a):\n    b = 1\n$0\n        c()\n    else:\n        d()\n", "    b += 1\n    if a:", "clean"),
        ("python", "def f(a):\n    b = 1\n    $0\n        c()\n    except E:\n        d()\n", "b += 1", "no"),
        ("python", "def f(a):\n    b = 1\n    $0\n        c()\n    except E:\n        d()\n", "try:", "clean"),
        ("python", "if a$0\n    c()\nelse:\n    d()\n", ".b()", "no"),
        ("python", "if a$0\n    c()\nelse:\n    d()\n", ".b():", "clean"),
        ("python", "if $0\n    a()\nelse:\n    c()\n", "b:", "clean"),
        ("python", "for a in b:\n    if $0\n    else:\n        c()\n", "a:\n        d()\n    e()", "no"),
        # An `else` that has its `if` asks nothing of this line.
        ("python", "def f(:\n    pass\n\n\nif a:\n    $0\nelse:\n    c()\n", "b()", "strong"),
        # Code right of the cursor that the completion left on a line of its own, to the left of what follows.
        ("python", "def f(a):\n    if a:\n        retur$0e\n    return 1\n", "n 2\n", "no"),
        ("python", "def f(a):\n    if a:\n        retur$0e\n    return 1\n", "n 2\n    ", "clean"),
        ("python", "a = $0\n", "1\n```\n\nThe `a", "no"),
        ("python", "a = $0\n", "'`b`'  # `c`", "clean"),
        ("javascript", "a = $0;\n", "`b`", "clean"),
        # Modifiers are for members of classes.
        ("javascript", "x = {\n  a() {},\n  $0\n};\n", "static b() {},", "no"),
        ("javascript", "x = {\n  a() {},\n  $0\n};\n", "static: 1, static() {}, get static() {},", "clean"),
        ("javascript", "class A {\n  $0\n}\n", "static b() { return { c() {} }; }", "clean"),
        ("typescript", "x = {\n  $0\n};\n", "private async a() {},", "no"),
        ("typescript", "class A {\n  $0\n}\n", "private static a() {}\n  override b() {}", "clean"),
        # Declarations are no body of an `if` or a loop.
        ("java", "class A { void f() {\n    $0\n    int b = 1;\n} }\n", "if (a)", "no"),
        ("java", "class A { void f() {\n    $0\n    b = 1;\n} }\n", "if (a)", "clean"),
        ("java", "class A { void f() {\n    if (a)\n    $0\n} }\n", "int b = 1;", "no"),
        ("java", "class A { void f() {\n    $0\n} }\n", "for (int b = 1; b < 2; b++) { int c = b; }", "clean"),
        ("javascript", "$0\nconst a = 1;\n", "while (b)", "no"),
        ("javascript", "$0\nvar a = 1;\n", "while (b)", "clean"),
        ("javascript", "if (a) b();\nelse $0\n", "let c = 1;", "no"),
        ("javascript", "$0", "for (const a of b) { const c = a; }", "clean"),
        ("csharp", "class A { void F() {\n    $0\n    int b = 1;\n} }\n", "foreach (var c in d)", "no"),
        ("php", "<?php\nfor (;;):\n  $0\nendfor;\n", "class A {}", "clean"),
        # Nothing that a `break` could leave: of what is written, and of the block that it opens.
        ("javascript", "function f() {\n  if (a) {\n    $0\n  }\n}\n", "break;", "no"),
        ("javascript", "function f() {\n$0\n    if (a) {\n      break;\n    }\n  }\n}\n", "  if (b) {", "no"),
        ("javascript", "function f() {\n$0\n    if (a) {\n      break;\n    }\n  }\n}\n", "  for (;;) {", "clean"),
        ("javascript", "for (;;) {\n  $0\n}\n", "a.map((b) => { break; });", "no"),
        ("javascript", "a: {\n  $0\n}\n", "break a;", "clean"),
        ("java", "class A { void f() { switch (a) { case 1: $0 } } }\n", "b(); break;", "clean"),
        ("java", "class A { int f() { $0 } }\n", "return switch (a) { default: break; };", "clean"),
        ("python", "def f():\n    if a:\n        $0\n", "continue", "no"),
        ("python", "while a:\n    if a:\n        $0\n", "continue", "clean"),
        ("go", "func f() {\n\t$0\n}\n", "select {\n\tcase <-a:\n\t\tbreak\n\t}", "clean"),
        ("rust", "fn f() { $0 }\n", "let a = 'b: { if c { break 'b 2; } 1 };", "clean"),
        ("go", "func f() {\n\tfor {\n\t\t$0\n\t}\n}\n", "go func() { break }()", "no"),
        # One that was there before, in no block that is written here.
        ("python", "def f():\n    $0\n    y = 2\n    if a:\n        break\n", "x = 1", "clean"),
        ("javascript", "$0\nfunction f() { if (a) { break; } }\n", "import a from 'a';", "clean"),
        ("csharp", "class A { void F() { $0 } }\n", "foreach (var a in b) { break; }", "clean"),
        ("c", "void f(void) {\n  $0\n}\n", "FOREACH(a, b) { break; }", "clean"),
        # Of a large file a part is judged, which may begin in a loop; and so many brackets are not climbed.
        ("python", "        if a:\n            $0\n        b()\n", "break", "clean"),
        ("javascript", f"function f() {'{' * 150}$0{'}' * 150}\n", "break;", "no"),
        ("javascript", f"function f() {'{' * 300}$0{'}' * 300}\n", "break;", "clean"),
        # The lines below are the block of a call that is given one.
        ("javascript", "function f() {\n$0\n        g();\n    });\n}\n", "    for (;;) {", "no"),
        ("javascript", "function f() {\n$0\n        g();\n    });\n}\n", "    a.each((b) => {", "clean"),
        ("go", "func f() {\n$0\n\t\tg()\n\t})\n}\n", "\tif a {", "no"),
        ("go", "func f() {\n$0\n\t\tg()\n\t})\n}\n", "\th(func() {", "clean"),
        # A line end is missing, for which the parser makes no node.
        ("python", "def f():\n    a()\n    if $0b += 1\n    return b\n", "a: c()\n    print(a)", "no"),
        # A closer too many elsewhere asks nothing of this line.
        ("javascript", "function f() {\n  a();\n$0\n  b();\n}\n}\n", "  c();", "strong"),
        # Behind a sign that no token begins with, tree-sitter's Kotlin drops the rest of the file and calls it whole.
        ("kotlin", "fun f() {\n    $0\n}\n", "a()\n}`", "no"),
        ("kotlin", "fun f() {\n    $0\n}\n", "a();\n    `b c`()", "clean"),
        ("kotlin", "fun f() {\n    $0\n};\n", "a()", "clean"),
        ("json", '{"a": $0}\n', "[1, 2]", "clean"),
        ("json", '{"a": $0}\n', "[1, 2", "no"),
    ],
)
def test_completion_verdict(language: str, text: str, completion: str, verdict: str) -> None:
    prefix, suffix = _split(text)
    found = completion_verdict(prefix, completion, suffix, _language(language))
    assert found == verdict
    assert adds_syntax_error(prefix, completion, suffix, _language(language)) is (verdict in ("no", "weak"))


def test_an_error_the_empty_hole_has_too_is_only_weak() -> None:
    # The stray `=` stands on the cursor's own line: without the line the file is clean, with the hole it is not.
    prefix, suffix = _split("a = = 1; b = $0\nc = 2\n")
    assert completion_verdict(prefix, "1", suffix, _language("python")) is StopVerdict.WEAK


def test_text_before_and_after_may_hold_any_characters() -> None:
    prefix, suffix = _split("s = 'héλ🎉'; t = ($0)  # 日本\n")
    assert completion_verdict(prefix, "'é🎉', 2", suffix, _language("python")) is StopVerdict.CLEAN
    assert completion_verdict(prefix, "'é🎉', 2)", suffix, _language("python")) is StopVerdict.NO
    assert completion_verdict("x = '\udc80' + (", "1)", "\n", _language("python")) is StopVerdict.CLEAN


def test_no_grammar_is_no_opinion() -> None:
    toml = _language("toml")
    assert n_syntax_errors("a = [", toml) is None
    assert completion_verdict("a = ", "[", "\n", toml) is None
    assert adds_syntax_error("a = ", "[", "\n", toml) is None


def test_n_syntax_errors() -> None:
    python = _language("python")
    assert n_syntax_errors("x = 1\n", python) == 0
    assert n_syntax_errors("", python) == 0
    assert (n_syntax_errors("x = )\ny = 1\nz = ]\n", python) or 0) >= 2
    assert n_syntax_errors("fun f() {\n}`\nfun g() {\n}\n", _language("kotlin")) == 1


@pytest.mark.parametrize(
    ("language", "text", "closer"),
    [
        ("java", "class A {\n  int f() {\n    return 1;\n  }\n$0\n", b"}"),
        ("java", "class A {\n  int f() {\n    return 1;\n$0\n  int b;\n}\n", b"  }"),
        ("javascript", "a(() => {\n  b();\n$0\n", b"});"),
        ("javascript", "function f() {\n$0\n", b"}"),
        ("javascript", "function f() {\n  b();\n$0\n}\n", None),
        ("javascript", "function f() {\n  b();\n$0\n\nfunction (\n", None),
        ("python", "def f():\n$0\n", None),
    ],
)
def test_the_line_that_closes_what_is_open(language: str, text: str, closer: bytes | None) -> None:
    prefix, suffix = (part.encode() for part in _split(text))
    grammar = grammar_for(_language(language))
    assert grammar is not None
    assert StopJudge(_language(language), grammar, Hole.of(prefix, suffix)).closing_line() == closer
