"""The published scorers, on the cases where they differ from each other and from ours."""

from __future__ import annotations

import pytest
from tests.evaluation.conftest import record

from fimble.evaluation.answers import Answer
from fimble.evaluation.metrics import own_scores
from fimble.evaluation.official import bigcode, qwen, safim_match


def answer(text: str, *, is_insertion: bool = True) -> Answer:
    return Answer(text, is_insertion, "")


@pytest.mark.parametrize(
    ("text", "em_bigcode", "em_qwen", "em_ours"),
    [
        ("    return x", 1, 1, 1),
        ("return x", 0, 1, 1),  # bigcode strips nothing
        ("    return x\n", 0, 1, 1),  # nor a line end
        ("    return x\n\ndef more():", 0, 1, 0),  # Qwen reads one line and forgives what follows
        ("\n    return x", 0, 1, 1),  # the second line after a line end
        (" \n    return x", 0, 1, 1),
        ("\n\n    return x", 0, 0, 1),  # but only the second
        ("  \n    return x", 0, 0, 1),  # and only after one blank at most
        ("    return y", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_santacoder_scorers_differ(text: str, em_bigcode: int, em_qwen: int, em_ours: int) -> None:
    truth = record(middle="    return x")
    assert bigcode(truth, answer(text)) == {"em_bigcode": em_bigcode}
    assert qwen(truth, answer(text))["em_qwen"] == em_qwen
    assert own_scores(truth, answer(text))["em"] == em_ours


def test_qwens_similarity_is_whole_percent_of_the_one_line() -> None:
    truth = record(middle="    return total")
    assert qwen(truth, answer("    return total\nrubbish"))["es_qwen"] == 1.0
    assert qwen(truth, answer("return totals"))["es_qwen"] == 0.96  # 2 * 12 / 25


def test_an_answer_that_changed_its_surroundings_matches_nothing() -> None:
    truth = record(middle="x")
    changed = answer("x", is_insertion=False)
    assert bigcode(truth, changed)["em_bigcode"] == 0
    assert qwen(truth, changed)["em_qwen"] == 0
    assert own_scores(truth, changed)["em"] == own_scores(truth, changed)["em_first_line"] == 0
    assert not safim_match(truth, changed)


@pytest.mark.parametrize(
    ("language", "middle", "text", "matches"),
    [
        ("java", "foo(a, b)", "foo( a,b )\n", True),  # white space does not count
        ("java", "foo(a, b)", "foo(b, a)", False),
        ("python", "foo(a, key=1, other=2)", "foo(a, other=2, key=1)", True),  # keyword order does not count
        ("python", "foo(a, b)", "bar(a, b)", True),  # SAFIM compares arguments alone
        ("python", "foo(a, b)", "foo(b, a)", False),
        ("python", "foo(a", "foo(a", True),  # no expression: compared as text
        ("python", "foo(a)", "", False),
    ],
)
def test_safim(language: str, middle: str, text: str, matches: bool) -> None:
    assert safim_match(record(language=language, middle=middle), answer(text)) is matches
