"""One whole evaluation: reads and checks every set, runs them, keeps what is done, writes the result.

What `fimble eval` and the standard table share.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fimble.core.errors import InputError
from fimble.engine.settings import Settings
from fimble.evaluation import machine
from fimble.evaluation.context_arms import ContextArm, files_digest
from fimble.evaluation.fim import run_records
from fimble.evaluation.records import Record, read_set, sample
from fimble.evaluation.results import Partial, RecordResult, Run, SetInfo, config_hash, load_run, save_run
from fimble.evaluation.sets import SetSpec, parts_of, spec_of
from fimble.evaluation.targets import BackendName, Subject, require_comparable

_SCORING = (
    *(f"evaluation/{name}.py" for name in ("answers", "cceval", "confine", "defects", "fim", "metrics", "official")),
    *(f"evaluation/{name}.py" for name in ("programs", "records", "sandbox", "sets", "targets")),
    "syntax/errors.py",
    "syntax/parse.py",
)
# The program text that decides a backend's numbers: a run is gone on with only while it is the same.
_DECIDING: dict[BackendName, tuple[str, ...]] = {
    "fimble": (
        *_SCORING,
        "evaluation/context_arms.py",
        "evaluation/typed.py",
        "core",
        "syntax",
        "context",
        "backend",
        "engine",
    ),
    "llama-server": (*_SCORING, "evaluation/peers"),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records of a set are run: of one language or part, and a seeded sample of those."""

    path: Path
    limit: int | None = None
    seed: int = 0
    languages: tuple[str, ...] = ()
    part: str | None = None
    lines: str | None = None


@dataclass(frozen=True, slots=True)
class SelectedSet:
    """A set's records to run, in order."""

    name: str
    sha256: str
    spec: SetSpec
    lines: str
    records: tuple[Record, ...]

    @property
    def info(self) -> SetInfo:
        """What the result file says of it."""
        return SetInfo(self.name, self.sha256, self.lines, len(self.records))


def select(selections: Sequence[Selection]) -> tuple[SelectedSet, ...]:
    """Read and check every set and choose the records; nothing has run when one of them is wrong.

    Raises:
        InputError: a file is broken, two have the same name, or nothing is left to run.
    """
    chosen: list[SelectedSet] = []
    for selection in selections:
        read = read_set(selection.path)
        spec = spec_of(read.name)
        if any(other.name == read.name for other in chosen):
            raise InputError(f"{selection.path}: the set {read.name} was given twice", mend="Give each set once.")
        records = [
            record
            for record in read.records
            if (not selection.languages or record.language in selection.languages)
            and (selection.part is None or selection.part in parts_of(record, spec))
        ]
        if not records:
            languages = ", ".join(sorted({record.language for record in read.records}))
            parts = ", ".join(sorted({part for record in read.records for part in parts_of(record, spec)}))
            raise InputError(
                f"{selection.path}: no record is left to run",
                mend=f"Its languages are {languages}; its parts are {parts}.",
            )
        lines = selection.lines or str(spec.line_mode)
        sampled = sample(records, limit=selection.limit, seed=selection.seed)
        chosen.append(SelectedSet(read.name, read.sha256, spec, lines, sampled))
    return tuple(chosen)


def run_config(
    selections: Sequence[Selection],
    chosen: Sequence[SelectedSet],
    backend: BackendName,
    settings: Settings,
    weights: str,
    context: ContextArm = "workspace",
    repositories: Path | None = None,
) -> dict[str, Any]:
    """Everything that decides the numbers, but for the machine. `weights` tells one model file from another.

    Raises:
        InputError: the peer is to be asked with an adapter, or a record's repository is not there.
    """
    require_comparable(backend, settings)
    shown: dict[str, Any] = {} if context == "workspace" else {"context": context}
    if context == "repository":
        records = [record for one in chosen for record in one.records]
        shown |= {"repositories": str(repositories), "repository_files": files_digest(records, repositories)}
    return {
        **shown,
        "backend": backend,
        "model": settings.config.model.id,
        "weights": weights,
        "sets": [
            {
                "name": one.name,
                "sha256": one.sha256,
                "limit": selection.limit,
                "seed": selection.seed,
                "languages": list(selection.languages),
                "part": selection.part,
                "lines": one.lines if backend == "fimble" else None,  # the peer is not told
            }
            for selection, one in zip(selections, chosen, strict=True)
        ],
        # Of our options the peer knows its model's alone.
        "options": dataclasses.asdict(settings.config if backend == "fimble" else settings.config.model),
        "versions": machine.versions(),
        "programs": machine.programs(),
        "code": machine.source_digest(*_DECIDING[backend]),
    }


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to answer the records, and the file that its results go into, if one is asked for."""

    config: dict[str, Any]
    subject: Subject
    json_path: Path | None


async def run_arms(
    chosen: Sequence[SelectedSet],
    arms: Sequence[Arm],
    on_result: Callable[[RecordResult], None],
    *,
    keep: Callable[[Sequence[RecordResult]], tuple[RecordResult, ...]] = tuple,
) -> tuple[Run, ...]:
    """Ask each record of every arm before the next record, and write the result files.

    Arms over one model process read a record's prompt once. Which arm begins changes from record to record: what is
    written after reading from the cache may differ in a near tie from what is written after reading anew. Each result
    says whether its arm was the first, because only then its cost is a cold start's.
    Results so far are kept beside the files, so that the same command goes on where it was stopped. `keep` says what
    of the results goes into a file.

    Raises:
        FimbleError: the model or its process failed, or a file cannot be written.
    """
    started = _now()
    partials = [Partial(partial_path(arm.json_path, arm.config), arm.config) for arm in arms]
    results: list[list[RecordResult]] = [[] for _ in arms]
    for one in chosen:
        openers = [arm.subject.completers(one.lines) for arm in arms]
        for n_before, record in enumerate(one.records):
            for turn in range(len(arms)):
                i = (n_before + turn) % len(arms)
                results[i] += await run_records(
                    one.name, [record], one.spec, openers[i], partials[i], on_result, asked_first=turn == 0
                )
    runs = tuple(
        Run(
            config=arm.config,
            machine=machine.describe_machine(),
            started=started,
            finished=_now(),
            sets=tuple(one.info for one in chosen),
            results=keep(done),
        )
        for arm, done in zip(arms, results, strict=True)
    )
    for arm, run in zip(arms, runs, strict=True):
        if arm.json_path is not None:
            save_run(run, arm.json_path)
    for partial in partials:
        partial.remove()
    return runs


def finished_run(json_path: Path | None, config: dict[str, Any]) -> Run | None:
    """The run of exactly this configuration, where its file is there already."""
    if json_path is None or not json_path.exists():
        return None
    run = load_run(json_path)
    return run if config_hash(run.config) == config_hash(config) else None


def partial_path(json_path: Path | None, config: dict[str, Any]) -> Path | None:
    """Where results are kept while a run goes on; each configuration has a place of its own, so none is lost."""
    return json_path and json_path.with_name(f"{json_path.name}.{config_hash(config)}.partial.jsonl")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
