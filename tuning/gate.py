"""Whether an adapter earns its place: the model with and without it, asked the same tasks through the served engine.

It wins where the held-out tasks get better beyond chance and no set gets worse beyond chance; else it is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fimble.evaluation.fim import run_records
from fimble.evaluation.results import Partial, RecordResult
from fimble.evaluation.session import SelectedSet
from fimble.evaluation.statistics import PairedDifference, paired
from fimble.evaluation.targets import Subject

# What must not fall, and of these, what must rise on the held-out tasks: one is enough.
METRICS = ("em", "em_first_line", "es", "parse_ok")
MUST_RISE = ("em_first_line", "es")
_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of one set, record by record: `tuned` and `base` are means over the records that both have."""

    set_name: str
    metric: str
    base: float
    tuned: float
    paired: PairedDifference

    @property
    def is_better(self) -> bool:
        """Whether the adapter is better beyond chance: the interval and the sign test agree."""
        return self.paired.difference.low > 0 and self.paired.p_value < _SIGNIFICANT

    @property
    def is_worse(self) -> bool:
        """Whether it is worse beyond chance; the interval alone decides, for doubt counts against an adapter."""
        return self.paired.difference.high < 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision and everything it rests on."""

    wins: bool
    reason: str
    compared: tuple[Compared, ...]


async def run_set(
    one: SelectedSet, subject: Subject, partial: Partial, on_result: Callable[[], None]
) -> list[RecordResult]:
    """Every record of a set, answered by one subject, but for those that `partial` has from an earlier run.

    Raises:
        FimbleError: the model or its process failed.
    """
    opener = subject.completers(one.lines)
    return await run_records(one.name, one.records, one.spec, opener, partial, lambda _: on_result())


def compare(base: Sequence[RecordResult], tuned: Sequence[RecordResult]) -> tuple[Compared, ...]:
    """Every metric of every set, paired by record."""
    old = {(result.set_name, result.record_id): result for result in base}
    pairs = [(result, old[key]) for result in tuned if (key := (result.set_name, result.record_id)) in old]
    made: list[Compared] = []
    for set_name in dict.fromkeys(result.set_name for result, _ in pairs):
        for metric in METRICS:
            values = [
                (new.scores[metric], before.scores[metric])
                for new, before in pairs
                if new.set_name == set_name and metric in new.scores and metric in before.scores
            ]
            news, olds = [new for new, _ in values], [before for _, before in values]
            difference = paired(news, olds)
            if difference is not None:
                made.append(Compared(set_name, metric, sum(olds) / len(olds), sum(news) / len(news), difference))
    return tuple(made)


def judge(compared: Sequence[Compared], tasks: str) -> Verdict:
    """Decide; `tasks` is the name of the held-out set."""
    worse = [one for one in compared if one.is_worse]
    if worse:
        named = ", ".join(f"{one.metric} of {one.set_name}" for one in worse)
        return Verdict(wins=False, reason=f"worse: {named}", compared=tuple(compared))
    better = [one for one in compared if one.set_name == tasks and one.metric in MUST_RISE and one.is_better]
    if not better:
        return Verdict(wins=False, reason="not better beyond chance on the held-out tasks", compared=tuple(compared))
    named = ", ".join(f"{one.metric} {one.base:.3f} -> {one.tuned:.3f}" for one in better)
    return Verdict(wins=True, reason=f"better on the held-out tasks: {named}", compared=tuple(compared))
