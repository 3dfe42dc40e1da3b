"""From typed traces to the numbers of `fimble replay`, and the file they are kept in."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fimble.core.errors import InputError
from fimble.evaluation.replay import Asked, TraceReplay
from fimble.evaluation.results import write_atomically
from fimble.evaluation.statistics import Estimate, mean, median, percentile, rate

SCHEMA = "fimble-replay/1"
# Gaps of at least this length are pauses: long enough to read a suggestion (28% of the traces' gaps).
PAUSE_MS = 300.0
_COUNTS = ("outcomes",)


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What typing with one target was like. Latencies count from keystroke to answer, in ms.

    `p50_ms` ... are over every request that was served; `pause_p50_ms` ... over the pauses, where one that got no
    answer counts as infinitely late (None when a percentile falls there). `cpu_is_whole` says that the CPU seconds hold
    the work of processes that had ended by then, each trace's server first of all; in files of before 2026-12 they do
    not.
    """

    target: str
    n_traces: int
    typing_minutes: float
    n_keystrokes: int
    n_served: int
    outcomes: Mapping[str, int]
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    pause_p50_ms: float | None
    pause_p90_ms: float | None
    pauses_answered: Estimate | None
    pauses_with_suggestion: Estimate | None
    evaluated_tokens_median: Estimate | None
    evaluated_tokens_mean: Estimate | None
    reuse_share: float | None
    written_tokens_mean: Estimate | None
    cpu_s_per_minute: float | None
    n_typed_chars: int
    n_saved_chars: int
    n_accepted: int
    cpu_is_whole: bool = False

    @property
    def saved_share(self) -> float:
        """Characters spared, of those typed."""
        return self.n_saved_chars / self.n_typed_chars if self.n_typed_chars else 0.0


def summarise(target: str, replays: Sequence[TraceReplay], cpu_s: float | None) -> ReplaySummary:
    """All traces together."""
    asked = [one for replay in replays for one in replay.asked]
    served = [one for one in asked if one.is_served]
    # An answer that needed no model still counts, as one that evaluated nothing.
    evaluated = [float(one.n_prompt_tokens - one.n_reused_tokens) for one in served]
    n_prompt_tokens = sum(one.n_prompt_tokens for one in served)
    pauses = [one for one in asked if one.gap_ms >= PAUSE_MS]
    waits = [_latency(one) for one in served]
    pause_waits = [_latency(one) for one in pauses]
    typing_minutes = sum(replay.typing_ms for replay in replays) / 60_000.0
    return ReplaySummary(
        target=target,
        n_traces=len(replays),
        typing_minutes=typing_minutes,
        n_keystrokes=len(asked),
        n_served=len(served),
        outcomes=dict(Counter(one.outcome for one in asked)),
        p50_ms=percentile(waits, 0.5),
        p90_ms=percentile(waits, 0.9),
        p95_ms=percentile(waits, 0.95),
        pause_p50_ms=_finite(percentile(pause_waits, 0.5)),
        pause_p90_ms=_finite(percentile(pause_waits, 0.9)),
        pauses_answered=rate([one.in_time for one in pauses]),
        pauses_with_suggestion=rate([one.in_time and one.outcome == "completion" for one in pauses]),
        evaluated_tokens_median=median(evaluated),
        evaluated_tokens_mean=mean(evaluated),
        reuse_share=sum(one.n_reused_tokens for one in served) / n_prompt_tokens if n_prompt_tokens else None,
        written_tokens_mean=mean([float(one.n_generated_tokens) for one in served]),
        cpu_s_per_minute=cpu_s / typing_minutes if cpu_s is not None and typing_minutes else None,
        n_typed_chars=sum(replay.n_typed_chars for replay in replays),
        n_saved_chars=sum(one.n_saved_chars for one in asked),
        n_accepted=sum(one.n_saved_chars > 0 for one in asked),
        cpu_is_whole=True,
    )


def save_replay(
    path: Path,
    config: Mapping[str, object],
    machine: Mapping[str, object],
    summaries: Sequence[ReplaySummary],
    replays: Mapping[str, Sequence[TraceReplay]],
) -> None:
    """Write summaries and every request to a JSON file, whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "config": dict(config),
        "machine": dict(machine),
        "summaries": [dataclasses.asdict(summary) for summary in summaries],
        "replays": {name: [dataclasses.asdict(replay) for replay in of_one] for name, of_one in replays.items()},
    }
    # The last keystroke's gap is infinite, which JSON cannot say.
    text = json.dumps(_without_infinities(value), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def load_replay(path: Path) -> tuple[dict[str, Any], list[ReplaySummary]]:
    """The configuration and summaries that `save_replay` wrote.

    Raises:
        InputError: no such file, or not one of this version.
    """
    mend = "Give a file that `fimble replay --json` wrote."
    try:
        value: Any = json.loads(path.read_text("utf-8"))
        if value["schema"] != SCHEMA:
            raise InputError(f"{path}: is not a {SCHEMA} file", mend=mend)
        return value["config"], [_summary(fields) for fields in value["summaries"]]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", mend="Check the path given.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not a {SCHEMA} file: {error!r}", mend=mend) from error


def _summary(fields: dict[str, Any]) -> ReplaySummary:
    values: dict[str, Any] = {
        name: Estimate(**value) if isinstance(value, dict) and name not in _COUNTS else value
        for name, value in fields.items()
    }
    return ReplaySummary(**values)


def show_summaries(summaries: Sequence[ReplaySummary], console: Console) -> None:
    """Targets side by side."""
    table = Table(title="replay", title_justify="left")
    table.add_column("")
    for summary in summaries:
        table.add_column(summary.target, justify="right")
    for name, cells in summary_lines(summaries):
        table.add_row(name, *cells)
    console.print(table)
    for summary in summaries:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(summary.outcomes.items()))
        console.print(f"  {summary.target}: {counts}", highlight=False, soft_wrap=True)


def summary_lines(summaries: Sequence[ReplaySummary]) -> list[tuple[str, list[str]]]:
    """The lines of the report: a name, and a cell for each target."""

    def line(name: str, cell: Callable[[ReplaySummary], str]) -> tuple[str, list[str]]:
        return name, [cell(summary) for summary in summaries]

    return [
        line("traces", lambda s: str(s.n_traces)),
        line("minutes of typing", lambda s: f"{s.typing_minutes:.1f}"),
        line("keystrokes that change the text", lambda s: str(s.n_keystrokes)),
        line("requests served", lambda s: str(s.n_served)),
        line("keystroke to answer, p50 ms", lambda s: _number(s.p50_ms)),
        line("keystroke to answer, p90 ms", lambda s: _number(s.p90_ms)),
        line("keystroke to answer, p95 ms", lambda s: _number(s.p95_ms)),
        line("at pauses, p50 ms (- where never)", lambda s: _number(s.pause_p50_ms)),
        line("at pauses, p90 ms (- where never)", lambda s: _number(s.pause_p90_ms)),
        line("pauses answered before the next key", lambda s: _share(s.pauses_answered)),
        line("pauses with a suggestion before the next key", lambda s: _share(s.pauses_with_suggestion)),
        line("tokens evaluated per request, median", lambda s: _tokens(s.evaluated_tokens_median)),
        line("tokens evaluated per request, mean", lambda s: _tokens(s.evaluated_tokens_mean)),
        line("prompt tokens reused", lambda s: "" if s.reuse_share is None else f"{s.reuse_share:.1%}"),
        line("tokens written per request, mean", lambda s: _tokens(s.written_tokens_mean)),
        line("CPU seconds per minute of typing", lambda s: _number(s.cpu_s_per_minute, digits=1)),
        line("characters typed", lambda s: str(s.n_typed_chars)),
        line("characters that accepting would have spared", lambda s: f"{s.n_saved_chars} ({s.saved_share:.1%})"),
        line("suggestions that would have been accepted", lambda s: str(s.n_accepted)),
    ]


def _latency(asked: Asked) -> float:
    return math.inf if asked.latency_ms is None else asked.latency_ms


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _number(value: float | None, *, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _share(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}] n={estimate.n}"


def _tokens(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.0f} [{estimate.low:.0f}, {estimate.high:.0f}]"


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
