"""How sure the model is of what it wrote, of the part that stays, and of what is left once some of it is typed."""

from __future__ import annotations

import math

import pytest

from fimble.engine.confidence import Confidence

_TEXTS = ("foo", "(", "a", ")", "\n")
_LOGPROBS = (-4.0, -0.1, -0.2, -0.3, -9.0)


@pytest.mark.parametrize(
    ("length", "n_typed", "left"),
    [
        (7, 0, [-4.0, -0.1, -0.2, -0.3, -9.0]),
        (6, 0, [-4.0, -0.1, -0.2, -0.3]),  # the line end goes, and how unlikely it was goes with it
        (6, 3, [-0.1, -0.2, -0.3]),  # what was typed is certain
        (6, 1, [-0.1, -0.2, -0.3]),  # and so is the rest of its token
        (6, 5, [-0.3]),
        (6, 6, []),
        (0, 0, []),
    ],
)
def test_only_the_tokens_that_are_left_count(length: int, n_typed: int, left: list[float]) -> None:
    value = Confidence.of(_TEXTS, _LOGPROBS, length).after(n_typed).value
    assert value == (pytest.approx(math.exp(sum(left) / math.sqrt(len(left)))) if left else None)


def test_of_two_answers_with_the_same_mean_the_shorter_is_surer_and_with_the_same_product_the_longer() -> None:
    def value(logprobs: list[float]) -> float:
        return Confidence.of(["a"] * len(logprobs), logprobs, len(logprobs)).value or 0.0

    assert value([-0.1] * 4) > value([-0.1] * 40)
    assert value([-0.1] * 40) > value([-1.0] * 4)


def test_typing_on_twice_is_typing_on_once() -> None:
    whole = Confidence.of(_TEXTS, _LOGPROBS, 6)
    assert whole.after(3).after(1) == whole.after(4)
