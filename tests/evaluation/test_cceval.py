"""CrossCodeEval's scorer: statements, comments, identifiers."""

from __future__ import annotations

import pytest
from tests.evaluation.conftest import record

from fimble.evaluation.answers import Answer
from fimble.evaluation.cceval import cceval, identifiers, one_statement


@pytest.mark.parametrize(
    ("prefix", "text", "kept"),
    [
        ("x = ", "f(1)\ny = 2\n", "f(1)"),
        ("x = ", "f(1,\n      2)\ny = 2\n", "f(1,\n      2)"),  # goes on until the file parses
        ("x = ", "f(1)  \ny = 2\n", "f(1)"),
        ("x = ", "f(1)", "f(1)"),  # no line end: all of it
        ("x = f(", "1\n\n", "1\n\n"),  # never parses: all of it
        ("def f():\n    ", "return (\n", "return (\n"),
    ],
)
def test_a_python_statement_ends_where_the_file_parses(prefix: str, text: str, kept: str) -> None:
    assert one_statement(record(prefix=prefix), text) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("foo(a);\nbar();", "foo(a);"),
        ("if (x) {\n  y();", "if (x) {"),
        ("{ x }", "{ x }"),  # one at the very start does not count
        ("a\nb", "a\nb"),
        ("", ""),
    ],
)
def test_a_statement_of_other_languages_ends_at_a_brace_or_semicolon(text: str, kept: str) -> None:
    assert one_statement(record(language="java"), text) == kept


def test_exact_match_ignores_comments_blank_lines_and_indentation() -> None:
    truth = record(language="java", middle="foo(a);  // why")
    scores = cceval(truth, Answer("\n   foo(a);\nbar();", is_insertion=True, document=""))
    assert scores["em_cceval"] == 1
    assert scores["es_cceval"] == 1
    assert cceval(truth, Answer("foo(b);", is_insertion=True, document=""))["em_cceval"] == 0


def test_the_true_middle_is_not_cut() -> None:
    truth = record(language="typescript", middle="map((x) => { return x })")
    scores = cceval(truth, Answer(truth.middle, is_insertion=True, document=""))
    assert scores["em_cceval"] == 0  # as in the original: the answer ends at the brace


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("self.load(path, 'not me', \"nor me\")", "python", ["self", "load", "path"]),
        ("return x if True else y", "python", ["x", "True", "y"]),  # True and False count as identifiers
        ("final int n2 = 2n;", "java", ["n2"]),
        ("using static System.Math;", "csharp", ["System", "Math"]),
        ("async (a) => await b", "typescript", ["async", "a", "await", "b"]),
    ],
)
def test_identifiers(text: str, language: str, found: list[str]) -> None:
    assert identifiers(text, language) == found


def test_identifier_f1() -> None:
    truth = record(language="java", middle="foo(a, b);")
    scores = cceval(truth, Answer("foo(a, c);", is_insertion=True, document=""))
    assert scores["id_f1_cceval"] == pytest.approx(2 * 2 / 6)
    assert scores["id_em_cceval"] == 0
    nothing = cceval(record(language="java", middle="1);"), Answer("2);", is_insertion=True, document=""))
    assert nothing["id_f1_cceval"] == 0  # no identifiers at all count as none right
