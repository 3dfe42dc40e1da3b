"""The judges of shown completions: each defect is seen, and what the true text does too is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.evaluation.conftest import record

from fimble.evaluation.answers import Answer
from fimble.evaluation.defects import defect_scores, overlaps


@pytest.mark.parametrize(
    ("source", "completion", "expected"),
    [
        ("x = $0 + total(y)\n", "1 + total(y)", True),
        ("x = $0 + total(y)\n", "1", False),
        ("def f():\n    $0\n    return total\n", "total = 1\n    return total", True),
        ("def f():\n    $0\n    return total\n", "total = 1", False),
        ("foo($0)\n", "a)", True),
        ("foo($0)\n", "bar(a)", False),
        ("foo(bar($0))\n", "a))", True),
        ("foo(bar($0)\n", "a)", False),  # two are open, one is there
        ("{\n    $0\n}\n", "a();\n}", False),  # a lone bracket tells nothing
    ],
)
def test_overlaps(source: str, completion: str, expected: bool) -> None:
    prefix, suffix = source.split("$0")
    assert overlaps(prefix, completion, suffix) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("return a + b", {"overlap": 0.0, "adds_error": 0.0, "adds_error_compiler": 0.0}),
        ("return a + (b", {"overlap": 0.0, "adds_error": 1.0, "adds_error_compiler": 1.0}),
        ("return a\n      return b", {"overlap": 0.0, "adds_error": 1.0, "adds_error_compiler": 1.0}),
        ("", {}),
    ],
)
def test_errors_are_seen_by_both_judges(text: str, expected: dict[str, float]) -> None:
    asked = record()
    assert (
        defect_scores(asked, Answer(text, is_insertion=True, document=asked.prefix + text + asked.suffix)) == expected
    )


def test_what_cannot_be_judged_is_left_out() -> None:
    """The true file is broken, so nobody can say what the answer broke."""
    asked = record(suffix="\n)(\n")
    scores = defect_scores(asked, Answer("return 1", is_insertion=True, document=asked.prefix + "return 1\n)(\n"))
    assert "adds_error_compiler" not in scores


def test_a_parser_that_takes_too_long_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = tmp_path / "parser"
    parser.write_text("#!/bin/sh\ngrep -q slow && exec sleep 9\nexit 0\n")
    parser.chmod(0o755)
    monkeypatch.setattr("fimble.evaluation.defects._found", lambda program: str(parser))
    monkeypatch.setattr("fimble.evaluation.defects._CHECK_TIMEOUT_S", 0.5)
    asked = record(language="javascript", path="a.js", prefix="x = ", middle="1", suffix="\n")
    for text, is_judged in (("2", True), ("slow", False)):
        scores = defect_scores(asked, Answer(text, is_insertion=True, document=f"x = {text}\n"))
        assert ("adds_error_compiler" in scores) is is_judged


def test_what_the_truth_repeats_too_is_no_defect() -> None:
    asked = record(prefix="x = ", middle="a + total(y)", suffix=" + total(y)\n")
    answer = Answer("b + total(y)", is_insertion=True, document="x = b + total(y) + total(y)\n")
    assert defect_scores(asked, answer)["overlap"] == 0.0


@pytest.mark.parametrize(
    ("language", "program", "source"),
    [
        ("javascript", "node", "function f() {\n  return $0;\n}\n"),
        ("java", "javac", "import no.such.Name;\nclass A { Name f() { return $0; } }\n"),
        ("go", "gofmt", "package a\n\nfunc f() int {\n\treturn $0\n}\n"),
        ("rust", "rustfmt", "mod no_such;\nfn f() -> i32 {\n    $0\n}\n"),
    ],
)
@pytest.mark.parametrize(("text", "expected"), [("unknown(1)", 0.0), ("f(1", 1.0)])
def test_each_languages_own_parser(language: str, program: str, source: str, text: str, expected: float) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine")
    prefix, suffix = source.split("$0")
    asked = record(language=language, path=f"a.{language}", prefix=prefix, middle="1", suffix=suffix)
    answer = Answer(text, is_insertion=True, document=prefix + text + suffix)
    assert defect_scores(asked, answer)["adds_error_compiler"] == expected
