"""Pictures of a run: exact match by language, waiting times, reuse of the prompt. Needs matplotlib (extra `eval`)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fimble.core.errors import FimbleError
from fimble.evaluation.growth import Point
from fimble.evaluation.replay import TraceReplay
from fimble.evaluation.results import Run
from fimble.evaluation.sets import WHOLE
from fimble.evaluation.showing import curve
from fimble.evaluation.summary import ALL_LANGUAGES, rows

_METRIC = "em"
GROWTH_LABELS = {
    "file_lines": "lines of the file",
    "chunk_tokens": "tokens that code from elsewhere may take",
    "clients": "clients typing at once",
}


def plot_runs(runs: Mapping[str, Run], folder: Path) -> list[Path]:
    """EM by set and language with intervals, waiting times, and what a least confidence would do, runs side by side.

    Raises:
        FimbleError: matplotlib is not installed.
    """
    pyplot = _pyplot()
    drawn = [_exact_match(pyplot, runs, folder), _waits(pyplot, runs, folder)]
    if any(result.confidence is not None for run in runs.values() for result in run.results):
        drawn.append(_show_or_not(pyplot, runs, folder))
    return drawn


def _show_or_not(pyplot: Any, runs: Mapping[str, Run], folder: Path) -> Path:
    figure, axes = pyplot.subplots(figsize=(6.0, 3.5))
    for name, run in runs.items():
        shown = curve(run.results)
        leasts = [one.least for one in shown]
        (line,) = axes.step(leasts, [one.right_of_shown.value for one in shown], label=f"{name}: right of those shown")
        axes.step(
            leasts,
            [one.shown_of_right.value if one.shown_of_right else 0.0 for one in shown],
            "--",
            color=line.get_color(),
            label=f"{name}: right ones shown",
        )
    axes.set_xlim(0, 1)
    axes.set_xlabel("least confidence (completion.min_confidence)")
    axes.set_ylabel("share")
    axes.set_ylim(0, 1)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return _save(pyplot, figure, folder / "confidence.svg")


def plot_replays(replays: Mapping[str, Sequence[TraceReplay]], folder: Path) -> list[Path]:
    """Distribution of the time from keystroke to answer, and the share of each prompt that was reused.

    Raises:
        FimbleError: matplotlib is not installed.
    """
    pyplot = _pyplot()
    served = {
        name: [one for replay in of_one for one in replay.asked if one.is_served] for name, of_one in replays.items()
    }
    latencies = {name: [one.latency_ms or 0.0 for one in of_one] for name, of_one in served.items()}
    shares = {
        name: [100 * one.n_reused_tokens / one.n_prompt_tokens for one in of_one if one.n_prompt_tokens]
        for name, of_one in served.items()
    }
    return [
        _distribution(pyplot, latencies, "keystroke to answer, ms", folder / "replay-latency.svg", log=True),
        _distribution(pyplot, shares, "prompt tokens reused, %", folder / "replay-reuse.svg", log=False),
    ]


def plot_growth(points: Sequence[Point], folder: Path) -> list[Path]:
    """Waiting times over the file's length, the code from elsewhere, and the clients at once; memory over the last.

    Raises:
        FimbleError: matplotlib is not installed.
    """
    pyplot = _pyplot()
    drawn: list[Path] = []
    for kind, label in GROWTH_LABELS.items():
        of_kind = [point for point in points if point.kind == kind]
        figure, axes = pyplot.subplots(figsize=(6.0, 3.5))
        xs = [point.x for point in of_kind]
        axes.plot(xs, [point.cold_ms for point in of_kind], "o-", label="first answer in a new place")
        axes.plot(xs, [point.typing_p95_ms for point in of_kind], "s-", label="next keys, p95")
        axes.plot(xs, [point.typing_p50_ms for point in of_kind], "^-", label="next keys, p50")
        if kind == "file_lines":
            axes.set_xscale("log")
        if kind == "chunk_tokens":
            axes.set_yscale("log")  # reading all of it takes a hundred times as long as a key
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(label)
        axes.set_ylabel("ms")
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        drawn.append(_save(pyplot, figure, folder / f"growth-{kind.replace('_', '-')}.svg"))
    return drawn


def plot_lines(series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str, path: Path) -> Path:
    """Points of each series joined by lines, both axes logarithmic.

    Raises:
        FimbleError: matplotlib is not installed.
    """
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(6.0, 4.0))
    for label, points in series.items():
        axes.plot([x for x, _ in points], [y for _, y in points], "o-", label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return _save(pyplot, figure, path)


def _exact_match(pyplot: Any, runs: Mapping[str, Run], folder: Path) -> Path:
    shown = {
        name: {
            f"{row.set_name}\n{row.language}": row.metrics[_METRIC]
            for row in rows(run.results)
            if row.part == WHOLE and _METRIC in row.metrics
        }
        for name, run in runs.items()
    }
    labels = list(dict.fromkeys(label for estimates in shown.values() for label in estimates))
    figure, axes = pyplot.subplots(figsize=(max(5.0, 0.7 * len(labels)), 4.0))
    width = 0.8 / max(1, len(shown))
    for rank, (name, estimates) in enumerate(shown.items()):
        present = [(place, estimates[label]) for place, label in enumerate(labels) if label in estimates]
        axes.bar(
            [place + (rank - (len(shown) - 1) / 2) * width for place, _ in present],
            [estimate.value for _, estimate in present],
            width,
            yerr=[
                [max(0.0, estimate.value - estimate.low) for _, estimate in present],
                [max(0.0, estimate.high - estimate.value) for _, estimate in present],
            ],
            capsize=2,
            label=name,
        )
    axes.set_xticks(range(len(labels)), [label.removesuffix(f"\n{ALL_LANGUAGES}") for label in labels], rotation=90)
    axes.set_ylabel("exact match (stripped), 95% interval")
    axes.set_ylim(0, 1)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=max(1, len(shown)))
    return _save(pyplot, figure, folder / "exact-match.svg")


def _waits(pyplot: Any, runs: Mapping[str, Run], folder: Path) -> Path:
    waits = {name: [result.wall_ms for result in run.results if result.asked_first] for name, run in runs.items()}
    return _distribution(pyplot, waits, "ms per answer, of records asked first", folder / "latency.svg", log=True)


def _distribution(pyplot: Any, values: Mapping[str, Sequence[float]], label: str, path: Path, *, log: bool) -> Path:
    """Cumulative shares: percentiles can be read off, and no bin width has to be chosen."""
    figure, axes = pyplot.subplots(figsize=(6.0, 3.5))
    for name, of_one in values.items():
        ordered = sorted(of_one)
        axes.step(ordered, [(rank + 1) / len(ordered) for rank in range(len(ordered))], where="post", label=name)
    if log:
        axes.set_xscale("log")
    axes.set_xlabel(label)
    axes.set_ylabel("share of requests")
    axes.set_ylim(0, 1)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return _save(pyplot, figure, path)


def _save(pyplot: Any, figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    # No date in the file: a picture of the same numbers is the same file.
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


def _pyplot() -> Any:
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
        matplotlib.use("Agg")
        matplotlib.rcParams["svg.hashsalt"] = "fimble"
        return importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise FimbleError("Plots need the package matplotlib.", mend='Install: pip install "fimble[eval]"') from error
