"""The standard table: the same sets, sample and traces every time, fimble beside the peer, kept as baselines.

`SMALL` takes minutes and shows a regression; `FULL` is what docs/benchmarks.md quotes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fimble.core.errors import InputError
from fimble.engine.settings import Settings
from fimble.evaluation import machine
from fimble.evaluation.records import sample
from fimble.evaluation.replay import TraceReplay, replay_trace
from fimble.evaluation.replay_summary import ReplaySummary, save_replay, summarise
from fimble.evaluation.results import RecordResult, Run, without_answers
from fimble.evaluation.session import Selection, finished_run, run_config, run_selected, select
from fimble.evaluation.targets import BackendName, Subject, cpu_seconds
from fimble.evaluation.traces import Trace, read_traces

DATA_VARIABLE = "FIMBLE_DATA"
_SEED = 20261121


@dataclass(frozen=True, slots=True)
class Table:
    """How much of each set and how many traces; `None` takes all there is."""

    name: str
    n_records: int
    n_traces: int

    def selections(self, data: Path) -> list[Selection]:
        """The records of this table."""

        def choose(name: str, languages: tuple[str, ...] = (), part: str | None = None) -> Selection:
            return Selection(data / f"{name}.jsonl.gz", self.n_records, _SEED, languages, part)

        return [
            choose("humaneval_single"),
            choose("humaneval_multi"),
            choose("humaneval_randomspan"),
            choose("santacoder_fim"),
            choose("safim", languages=("python", "java")),
            choose("commitfim"),
            choose("xfile", part="clean"),
            choose("cceval"),
        ]

    def traces(self, data: Path) -> tuple[Trace, ...]:
        """The traces of this table."""
        return sample(read_traces(data / "traces.jsonl.gz"), limit=self.n_traces, seed=_SEED)


SMALL = Table("small", n_records=18, n_traces=2)
FULL = Table("full", n_records=150, n_traces=8)
TABLES = {table.name: table for table in (SMALL, FULL)}


def data_folder() -> Path:
    """$FIMBLE_DATA, or ../shared/data.

    Raises:
        InputError: there is no such folder.
    """
    folder = Path(os.environ.get(DATA_VARIABLE) or "../shared/data")
    if not folder.is_dir():
        raise InputError(
            f"There is no folder {folder} with the evaluation sets.",
            mend=f"Say where it is with the environment variable {DATA_VARIABLE}.",
        )
    return folder


def run_path(folder: Path, table: Table, backend: str) -> Path:
    """Where a table's scores of one backend are kept."""
    return folder / f"{table.name}-{backend}.json"


def replay_path(folder: Path, table: Table) -> Path:
    """Where a table's replay, all backends in one run, is kept."""
    return folder / f"{table.name}-replay.json"


async def score_backend(
    table: Table,
    backend: BackendName,
    settings: Settings,
    weights: str,
    folder: Path,
    open_it: Callable[[], AbstractAsyncContextManager[Subject]],
    on_result: Callable[[RecordResult], None],
) -> Run:
    """Score one backend on the table's records, going on where an earlier run was stopped.

    Raises:
        FimbleError: a set, the model or the peer is missing or broken.
    """
    selections = table.selections(data_folder())
    chosen = select(selections)
    config = run_config(selections, chosen, backend, settings, weights)
    path = run_path(folder, table, backend)
    if finished := finished_run(path, config):
        return finished
    async with open_it() as subject:
        return await run_selected(chosen, config, subject, path, on_result, keep=without_answers)


async def replay_backends(
    table: Table,
    settings: Settings,
    weights: str,
    folder: Path,
    subjects: Sequence[tuple[str, Callable[[], AbstractAsyncContextManager[Subject]]]],
    on_trace: Callable[[str], None],
) -> dict[str, list[TraceReplay]]:
    """Type the table's traces at every backend, one after another, in virtual time, and keep the summaries.

    Raises:
        FimbleError: the traces, the model or the peer are missing or broken.
    """
    traces = table.traces(data_folder())
    replays: dict[str, list[TraceReplay]] = {}
    summaries: list[ReplaySummary] = []
    for name, open_it in subjects:
        replays[name] = []
        async with open_it() as subject:
            before_s = cpu_seconds()
            for trace in traces:
                replays[name].append(await replay_trace(trace, subject.replay, realtime=False))
                on_trace(f"{name}: {trace.id}")
            summaries.append(summarise(name, replays[name], cpu_seconds() - before_s))
    config: dict[str, Any] = {
        "traces": [trace.id for trace in traces],
        "realtime": False,
        "model": settings.config.model.id,
        "weights": weights,
        "versions": machine.versions(),
        "commit": machine.commit(),
    }
    # Without the single requests: the file is committed, and the summaries are what is compared.
    save_replay(replay_path(folder, table), config, machine.describe_machine(), summaries, {})
    return replays
