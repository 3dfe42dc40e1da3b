"""The probability of what was written, of the part that stays, and of what is left once some of it is typed."""

from __future__ import annotations

import math

import pytest

from fimble.engine.confidence import Confidence

_TEXTS = ("foo", "(", "a", ")", "\n")
_LOGPROBS = (-4.0, -0.1, -0.2, -0.3, -9.0)


@pytest.mark.parametrize(
    ("length", "n_typed", "logprob"),
    [
        (7, 0, -13.6),
        (6, 0, -4.6),  # the line end goes, and how unlikely it was goes with it
        (6, 3, -0.6),  # what was typed is certain
        (6, 1, -0.6),  # and so is the rest of its token
        (6, 5, -0.3),
        (6, 6, None),
        (0, 0, None),
    ],
)
def test_the_probability_is_that_of_the_tokens_that_are_left(length: int, n_typed: int, logprob: float | None) -> None:
    probability = Confidence.of(_TEXTS, _LOGPROBS, length).after(n_typed).probability
    assert probability == (None if logprob is None else pytest.approx(math.exp(logprob)))


def test_typing_on_twice_is_typing_on_once() -> None:
    whole = Confidence.of(_TEXTS, _LOGPROBS, 6)
    assert whole.after(3).after(1) == whole.after(4)
