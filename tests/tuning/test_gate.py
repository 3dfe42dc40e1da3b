"""The gate: an adapter that does not win beyond chance, or loses anywhere, is not let in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fimble.evaluation.results import RecordResult
from fimble.tuning.gate import Verdict, compare, judge


def results(set_name: str, values: Sequence[float], metric: str = "es") -> list[RecordResult]:
    return [
        RecordResult(
            set_name=set_name,
            record_id=str(i),
            language="python",
            parts=("all",),
            scores={metric: value},
            rejection=None,
            stop_reason=None,
            test_outcome=None,
            n_prompt_tokens=1,
            n_reused_tokens=0,
            n_generated_tokens=1,
            first_token_ms=1.0,
            total_ms=1.0,
            wall_ms=1.0,
            answer=None,
        )
        for i, value in enumerate(values)
    ]


def verdict(base: list[RecordResult], tuned: list[RecordResult]) -> Verdict:
    return judge(compare(base, tuned), "tasks")


def test_a_clear_gain_wins() -> None:
    made = verdict(results("tasks", [0.2] * 30), results("tasks", [0.6] * 28 + [0.1] * 2))
    assert made.wins
    assert "es 0.200 -> 0.567" in made.reason


@pytest.mark.parametrize(
    ("base", "tuned"),
    [([0.5] * 30, [0.5] * 30), ([0.5] * 4, [0.9] * 4), ([0.5] * 30, [0.6] * 16 + [0.4] * 14), ([0.5] * 30, [0.2] * 30)],
    ids=["no change", "too few to tell", "chance", "worse"],
)
def test_what_may_be_chance_does_not_win(base: list[float], tuned: list[float]) -> None:
    assert not verdict(results("tasks", base), results("tasks", tuned)).wins


def test_a_loss_on_another_set_outweighs_the_gain() -> None:
    base = [*results("tasks", [0.2] * 30), *results("published", [1.0] * 30, "em")]
    tuned = [*results("tasks", [0.6] * 30), *results("published", [1.0] * 20 + [0.0] * 10, "em")]
    made = verdict(base, tuned)
    assert not made.wins
    assert made.reason == "worse: em of published"


def test_a_gain_elsewhere_than_on_the_held_out_tasks_does_not_count() -> None:
    base = [*results("tasks", [0.5] * 30), *results("published", [0.2] * 30)]
    tuned = [*results("tasks", [0.5] * 30), *results("published", [0.8] * 30)]
    assert not verdict(base, tuned).wins


def test_only_records_that_both_answered_are_compared() -> None:
    made = compare(results("tasks", [0.2] * 5), results("tasks", [0.4] * 9))
    assert made[0].paired.difference.n == 5
