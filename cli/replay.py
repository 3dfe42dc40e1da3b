"""`fimble replay`: types recorded keystrokes at a completer and measures what a user would feel."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, get_args

import click

from fimble.cli.eval import model_finder, progress_bar, settings_for, weights_name
from fimble.evaluation.targets import BackendName


@click.command()
@click.argument("traces_path", metavar="TRACES", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), help="Type only so many traces, spread over the languages.")
@click.option("--seed", default=0, show_default=True, help="Which traces --limit chooses.")
@click.option("--realtime/--virtual", default=False, help="Type at the traces' own pace, or skip waiting (default).")
@click.option("--model", "model_id", help="Model id or GGUF path, instead of the configured one.")
@click.option(
    "--backend",
    "backends",
    type=click.Choice(get_args(BackendName)),
    multiple=True,
    default=("fimble",),
    show_default=True,
    help="What to type at. Repeatable: they are measured one after another.",
)
@click.option("--busy-cores", type=click.IntRange(min=0), default=0, help="Keep so many cores busy with other work.")
@click.option(
    "--indexing",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Index the code in this folder meanwhile, from nothing and again and again, as the server does once.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write summaries and every request here.")
@click.option("--plots", type=click.Path(path_type=Path), help="Draw plots into this folder.")
def replay(
    traces_path: Path,
    limit: int | None,
    seed: int,
    realtime: bool,
    model_id: str | None,
    backends: tuple[BackendName, ...],
    busy_cores: int,
    indexing: Path | None,
    json_path: Path | None,
    plots: Path | None,
) -> None:
    """Type the keystrokes of TRACES and report waiting times, reuse, processor time and keystrokes spared.

    The numbers are defined in docs/evaluation.md.
    """
    from fimble.evaluation import machine
    from fimble.evaluation.plots import plot_replays
    from fimble.evaluation.records import sample
    from fimble.evaluation.replay import TraceReplay, replay_trace
    from fimble.evaluation.replay_summary import save_replay, show_summaries, summarise
    from fimble.evaluation.report import open_console
    from fimble.evaluation.targets import counting_cpu, open_subject, require_comparable
    from fimble.evaluation.traces import read_traces

    settings = settings_for(model_id)
    for backend in backends:
        require_comparable(backend, settings)
    traces = sample(read_traces(traces_path), limit=limit, seed=seed)
    config: dict[str, Any] = {
        "traces": [trace.id for trace in traces],
        "realtime": realtime,
        "busy_cores": busy_cores,
        "indexing": indexing.name if indexing else None,
        "model": settings.config.model.id,
        "weights": weights_name(settings),
        "options": dataclasses.asdict(settings.config),
        "versions": machine.versions(),
        "commit": machine.commit(),
    }
    described = machine.describe_machine()

    async def type_at(backend: BackendName) -> tuple[list[TraceReplay], float]:
        typed: list[TraceReplay] = []
        with _other_work(busy_cores, indexing) as load_cpu_s:
            async with open_subject(backend, settings, model_finder(settings)) as subject:
                before_s = load_cpu_s()
                with counting_cpu() as cpu_s:
                    for trace in traces:
                        typed.append(await replay_trace(trace, subject.replay, realtime=realtime))
                        advance(f"{backend}: {trace.id[:40]}")
                    return typed, cpu_s() - (load_cpu_s() - before_s)

    replays: dict[str, list[TraceReplay]] = {}
    summaries = []
    with progress_bar(len(traces) * len(backends)) as advance:
        for backend in backends:
            replays[backend], cpu_s = asyncio.run(type_at(backend))
            summaries.append(summarise(backend, replays[backend], cpu_s))
    if json_path:
        save_replay(json_path, config, described, summaries, replays)
    console = open_console()
    show_summaries(summaries, console)
    if plots:
        for path in plot_replays(replays, plots):
            console.print(f"drawn: {path}")


@contextlib.contextmanager
def _other_work(busy_cores: int, indexing: Path | None) -> Generator[Callable[[], float]]:
    """What else the machine does meanwhile. Gives how many CPU seconds the processes that are at it have used."""
    from fimble.engine.indexing import always_indexing
    from fimble.evaluation import load

    with contextlib.ExitStack() as stack:
        costs = [stack.enter_context(load.busy_cores(busy_cores))]
        if indexing:
            costs.append(stack.enter_context(always_indexing(indexing)))
        yield lambda: sum(cost() for cost in costs)
