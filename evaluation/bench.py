"""The standard table: the same sets, sample and traces every time, fimble beside the peer, kept as baselines.

`SMALL` takes minutes and shows a regression; `FULL` is what docs/benchmarks.md quotes. Every set has a file for each of
the answerers, so that a table of hours is made, and committed, set by set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
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
from fimble.evaluation.results import RecordResult, Run, load_run, without_answers
from fimble.evaluation.session import Arm, SelectedSet, Selection, finished_run, run_arms, run_config, select
from fimble.evaluation.targets import BackendName, Subject, counting_cpu
from fimble.evaluation.traces import Trace, read_traces

DATA_VARIABLE = "FIMBLE_DATA"
_SEED = 20261121


UNCHECKED = "fimble, no grammar"
"""What fimble is called in the table with `completion.check_syntax` off."""


@dataclass(frozen=True, slots=True)
class Table:
    """How many records of each set, and how many traces. The peer's records are among fimble's."""

    name: str
    n_records: int
    n_peer_records: int
    n_traces: int

    def selections(self, data: Path, backend: BackendName = "fimble") -> list[Selection]:
        """The records of this table that a backend is asked."""
        n_records = self.n_records if backend == "fimble" else self.n_peer_records

        def choose(name: str, languages: tuple[str, ...] = (), part: str | None = None) -> Selection:
            return Selection(data / f"{name}.jsonl.gz", n_records, _SEED, languages, part)

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


SMALL = Table("small", n_records=18, n_peer_records=18, n_traces=2)
FULL = Table("full", n_records=200, n_peer_records=150, n_traces=8)
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


@dataclass(frozen=True, slots=True)
class Answerer:
    """One row of the table: a backend with its settings, and the file that its scores of a set are kept in."""

    name: str
    settings: Settings

    def run_path(self, folder: Path, table: Table, set_name: str) -> Path:
        """Where the scores are kept."""
        return folder / f"{table.name}-{set_name}-{self.name.replace(', ', '-').replace(' ', '-')}.json"


def kept_runs(folder: Path, table: Table) -> list[Run]:
    """All scores there are of a table, fimble's of every set first."""
    runs = [
        load_run(path) for path in sorted(folder.glob(f"{table.name}-*.json")) if path != replay_path(folder, table)
    ]
    return sorted(runs, key=lambda run: (run.name == "llama-server", run.name))


def replay_path(folder: Path, table: Table) -> Path:
    """Where a table's replay, all backends in one run, is kept."""
    return folder / f"{table.name}-replay.json"


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is left to do of one set with one backend: its answerers share a model, and read each record once."""

    backend: BackendName
    chosen: SelectedSet
    answerers: tuple[Answerer, ...]
    configs: tuple[dict[str, Any], ...]


def left_to_score(
    table: Table,
    answerers: Mapping[BackendName, Sequence[Answerer]],
    weights: str,
    folder: Path,
    *,
    set_names: Sequence[str] = (),
    only_missing: bool,
) -> list[Scoring]:
    """What is not scored yet by this program with these settings, of the sets of these names, if any are given.

    With `only_missing` the scores of another program, or with other settings, will do: a table of hours is made in
    pieces, and says of each piece by which commit it was made.

    Raises:
        InputError: a set is missing or broken.
    """
    left: list[Scoring] = []
    for backend, of_backend in answerers.items():
        for selection in table.selections(data_folder(), backend):
            if set_names and _set_name(selection) not in set_names:
                continue
            chosen = select([selection])
            asked: list[tuple[Answerer, dict[str, Any]]] = []
            for one in of_backend:
                config = {**run_config([selection], chosen, backend, one.settings, weights), "name": one.name}
                path = one.run_path(folder, table, chosen[0].name)
                if not (path.exists() if only_missing else finished_run(path, config)):
                    asked.append((one, config))
            if asked:
                left.append(Scoring(backend, chosen[0], *zip(*asked, strict=True)))
    order = [_set_name(selection) for selection in table.selections(data_folder())]
    return sorted(left, key=lambda scoring: order.index(scoring.chosen.name))  # both backends of a set together


def _set_name(selection: Selection) -> str:
    return selection.path.name.removesuffix(".jsonl.gz")


async def score(
    scoring: Scoring,
    table: Table,
    folder: Path,
    open_them: AbstractAsyncContextManager[Sequence[Subject]],
    on_result: Callable[[RecordResult], None],
) -> None:
    """Score one set with one backend, going on where an earlier run was stopped.

    Raises:
        FimbleError: the model or the peer is missing or broken.
    """
    async with open_them as subjects:
        arms = [
            Arm(config, subject, one.run_path(folder, table, scoring.chosen.name))
            for one, config, subject in zip(scoring.answerers, scoring.configs, subjects, strict=True)
        ]
        await run_arms([scoring.chosen], arms, on_result, keep=without_answers)


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
            with counting_cpu() as cpu_s:
                for trace in traces:
                    replays[name].append(await replay_trace(trace, subject.replay, realtime=False))
                    on_trace(f"{name}: {trace.id}")
                summaries.append(summarise(name, replays[name], cpu_s()))
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
