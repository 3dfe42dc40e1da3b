"""Lines in files that are still being written: what is open above them is not their fault."""

from __future__ import annotations

import pytest

from fimble.syntax.around import Hole
from fimble.syntax.ends import EndJudge
from fimble.syntax.errors import adds_syntax_error
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import language_for
from fimble.syntax.parse import TreeCache
from fimble.syntax.stop import StopVerdict


@pytest.mark.parametrize(
    ("language", "text", "completion"),
    [
        ("javascript", "function f() {\n  const a = $0\n", "g(1);"),
        ("javascript", "describe('a', () => {\n  it('b', () => {\n    expect(c).$0\n", "toBe(1);"),
        ("typescript", "class A {\n  f(): void {\n    const a = $0\n", "b();"),
        ("java", "class A {\n  void f() {\n    int a = $0\n", "b();"),
        # Another method follows, another function.
        ("java", "class A {\n  void f() {\n    int a = $0\n\n  void g() {\n  }\n}\n", "b();"),
        ("go", "package a\n\nfunc f() {\n\ta := $0\n\nfunc g() {\n}\n", "b()"),
        ("go", "package a\n\nfunc f() {\n\tg(func() {\n\t\ta := $0\n", "1"),
        ("rust", "fn f() {\n    let a = $0\n", "b();"),
        ("c", "int main(void) {\n  int a = $0\n", "b();"),
        ("cpp", "int main() {\n  int a = $0\n", "b();"),
        ("csharp", "class A\n{\n  void F()\n  {\n    var a = $0\n", "B();"),
        ("kotlin", "fun main() {\n    val a = $0\n", "b()"),
        ("php", "<?php\nfunction f() {\n    $a = $0\n", "b();"),
        ("json", '{\n  "a": $0\n', "1"),
        # A type of C++, a parameter list, a directive.
        ("cpp", "namespace a {\nclass A {\n  int b;\n  $0\n", "int c;"),
        ("java", "class A {\n  void f(\n      int a,\n      $0\n", "int b,"),
        ("csharp", "class A\n{\n    void F(\n        int a,\n        $0\n", "int b,"),
        ("rust", "fn f(\n    a: &A,\n    $0\n", "b: B,"),
        ("python", "def f(\n    a,\n    $0\n", "b: int,"),
        ("python", "f(\n    a,\n    $0\n", "b=1,"),
        ("c", "#ifdef A\nint f(void) {\n  a();\n  $0\n", "b();"),
        ("kotlin", "class A {\n    fun f() {\n        a()\n        $0\n", "b()"),
        ("json", '{\n  "a": 1,\n  $0\n', '"b": 2'),
        ("html", "<html>\n<body>\n<ul>\n  <li>a</li>\n  $0\n", "<li>b</li>"),
        ("typescriptreact", "const A = () => {\n  return (\n    <div>\n      $0\n", "<p>a</p>"),
        # A statement or a value that ends in a semicolon behind its brace.
        ("rust", "fn f() {\n    let a = A {\n        b: 1,\n        $0\n", "c: 2,"),
        ("java", "class A {\n  int[] a = {\n    1,\n    $0\n", "2,"),
        ("php", "<?php\n$f = function () {\n    g();\n    $0\n", "h();"),
        ("csharp", "class A\n{\n    int[] a = {\n        1,\n        $0\n", "2,"),
        # A blank line with nothing below.
        ("java", "class A {\n  void f() {\n    a();\n    $0\n", "b();"),
        ("ruby", "class A\n  def f\n    a do |b|\n      c = $0\n", "1"),
        ("shellscript", "f() {\n  for a in b; do\n    c=$0\n", "1"),
    ],
)
def test_a_whole_line_may_end_in_a_block_that_nothing_closes_yet(language: str, text: str, completion: str) -> None:
    assert _verdict(language, text, completion) is StopVerdict.STRONG


@pytest.mark.parametrize(
    ("language", "text", "completion"),
    [
        # It opens one more, or leaves one open that it should close.
        ("javascript", "function f() {\n  if ($0\n", "a) {"),
        ("javascript", "it('b', () => {\n    a();\n  }$0\n", ";"),
        # What is open is not all that is wrong.
        ("javascript", "function f() {\n  a(;\n  const b = $0\n", "1 1;"),
    ],
)
def test_other_lines_may_not(language: str, text: str, completion: str) -> None:
    assert not _verdict(language, text, completion).allows_stop


def test_evaluation_stays_strict() -> None:
    language = language_for("kotlin")
    assert language is not None
    assert adds_syntax_error("fun main() {\n    val a = ", "b()", "\n", language)


def _verdict(language_id: str, text: str, completion: str) -> StopVerdict:
    language = language_for(language_id)
    grammar = grammar_for(language) if language else None
    assert language is not None
    assert grammar is not None
    prefix, suffix = text.split("$0")
    judge = EndJudge(language, grammar, Hole.of(prefix.encode(), suffix.encode()), TreeCache())
    return judge.verdict(completion.encode())
