"""Show or not: what a least confidence would hide, of right answers and of wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fimble.evaluation.results import RecordResult
from fimble.evaluation.statistics import Estimate, rate

_RIGHT_BY = ("em", "em_qwen", "em_cceval", "pass_safim", "pass_at_1")


@dataclass(frozen=True, slots=True)
class Shown:
    """What `completion.min_confidence` of `least` would leave of the answers that have a confidence, as shares of 1."""

    least: float
    n_shown: int
    right_of_shown: Estimate
    shown_of_right: Estimate | None


def shown_at(results: Sequence[RecordResult], leasts: Sequence[float]) -> list[Shown]:
    """For each least confidence; none where it would hide everything.

    Right is an answer that passes its tests, or matches by any scorer of its set.
    """
    rated = [
        (result.confidence, any(result.scores.get(name) == 1.0 for name in _RIGHT_BY))
        for result in results
        if result.confidence is not None
    ]
    made: list[Shown] = []
    for least in leasts:
        right_of_shown = rate([right for confidence, right in rated if confidence >= least])
        if right_of_shown is not None:
            shown_of_right = rate([confidence >= least for confidence, right in rated if right])
            made.append(Shown(least, right_of_shown.n, right_of_shown, shown_of_right))
    return made


def curve(results: Sequence[RecordResult]) -> list[Shown]:
    """For each least confidence that would change something."""
    return shown_at(results, sorted({result.confidence for result in results if result.confidence is not None}))
