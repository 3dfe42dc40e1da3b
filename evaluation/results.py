"""What a run leaves: results of single records, appended as they come, and one JSON file at the end.

A run that was stopped goes on from its partial file, if it is asked for the same thing: same sets, sample, model,
settings and code. The final file is written whole or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from fimble.core.errors import FimbleError, InputError

SCHEMA = "fimble-eval/1"
# What a prompt that another arm has read before is read anew of: its last token, or the last two.
_MOST_EVALUATED_AGAIN = 2
_WANTED = "Give a file that `fimble eval --json` wrote."


@dataclass(frozen=True, slots=True)
class RecordResult:
    """One record's outcome. `scores` leaves out what does not apply; `rejection` is None where there was an answer.

    `total_ms` is what the completer says it took, `wall_ms` what the caller waited; `test_outcome` is passed, failed, a
    broken limit, or why nothing was run. `constraint_ms` of `writing_ms` went into judging syntax. `answer` is left out
    of committed baselines: it often is the set's own text. `asked_first` is False where another arm over the same cache
    was asked for this record before: what the answer cost is then no cold start's.
    """

    set_name: str
    record_id: str
    language: str
    parts: tuple[str, ...]
    scores: dict[str, float]
    rejection: str | None
    stop_reason: str | None
    test_outcome: str | None
    n_prompt_tokens: int
    n_reused_tokens: int
    n_generated_tokens: int
    first_token_ms: float
    total_ms: float
    wall_ms: float
    answer: str | None = None
    writing_ms: float = 0.0
    constraint_ms: float = 0.0
    n_refused_pieces: int = 0
    confidence: float | None = None
    asked_first: bool = True


@dataclass(frozen=True, slots=True)
class SetInfo:
    """One set as it was run."""

    name: str
    sha256: str
    line_mode: str
    n_records: int


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run. `config` is everything that decides its numbers but the machine."""

    config: dict[str, Any]
    machine: dict[str, Any]
    started: str
    finished: str
    sets: tuple[SetInfo, ...]
    results: tuple[RecordResult, ...] = field(default=())

    @property
    def name(self) -> str:
        """What a table of one model calls it."""
        return str(self.config.get("name", self.config["backend"]))

    @property
    def label(self) -> str:
        """What a table of several models calls it."""
        return f"{self.name} {self.config['model']}"


def config_hash(config: Mapping[str, object]) -> str:
    """A short name for everything that decides a run's numbers."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def save_run(run: Run, path: Path) -> None:
    """Write the run's file, whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    fields = _as_json(run)
    results = fields.pop("results")
    head = json.dumps({"schema": SCHEMA, **fields}, indent=1, ensure_ascii=False)
    # One result a line, so that a changed record is one changed line. In ASCII: UTF-8 has no bytes for half a pair.
    lines = ",\n".join(json.dumps(result) for result in results)
    write_atomically(path, head.removesuffix("\n}") + ',\n "results": [\n' + lines + "\n ]\n}\n")


def load_run(path: Path) -> Run:
    """Read a run's file.

    Raises:
        InputError: no such file, or not a run of this version.
    """
    try:
        value: Any = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", mend="Check the path given.") from error
    except ValueError as error:
        raise InputError(
            f"{path}: is not JSON: {error}", mend="Give a file that `fimble eval --json` wrote."
        ) from error
    if not isinstance(value, dict) or cast("dict[str, Any]", value).get("schema") != SCHEMA:
        raise InputError(f"{path}: is not a {SCHEMA} file", mend=_WANTED)
    fields = cast("dict[str, Any]", value)
    try:
        return Run(
            config=fields["config"],
            machine=fields["machine"],
            started=fields["started"],
            finished=fields["finished"],
            sets=tuple(SetInfo(**info) for info in fields["sets"]),
            results=tuple(_result(result) for result in fields["results"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is a damaged {SCHEMA} file: {error}", mend="Run the evaluation again.") from error


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, never a part.

    Raises:
        InputError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, "utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_writable(path, error) from error


class Partial:
    """Results so far, one line each, next to the file they will become.

    With no path nothing is kept, so the run cannot be resumed.
    """

    def __init__(self, path: Path | None, config: Mapping[str, object]) -> None:
        """Open the partial file of this very configuration, or begin a new one."""
        self._path = path
        self.results: dict[tuple[str, str], RecordResult] = {}
        self._header = json.dumps({"schema": SCHEMA, "config_hash": config_hash(config)})
        if path is not None and path.exists():
            self._read(path)
        if path is not None and not self.results:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._header + "\n", "utf-8")
            except OSError as error:
                raise InputError(
                    f"{path}: cannot be written: {error.strerror}", mend="Choose another place."
                ) from error

    def add(self, result: RecordResult) -> None:
        """Keep one result.

        Raises:
            FimbleError: the disk is full or gone.
        """
        self.results[result.set_name, result.record_id] = result
        if self._path is not None:
            line = json.dumps(_as_json(result))
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as error:
                raise FimbleError(
                    f"{self._path}: cannot be written: {error.strerror}",
                    mend="Make room and run the same command again; the results so far are kept.",
                ) from error

    def remove(self) -> None:
        """The final file is written: the partial one goes."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _read(self, path: Path) -> None:
        header, *lines = path.read_text("utf-8").split("\n")  # not splitlines, which knows ends that stand in texts
        if header != self._header:
            return  # another configuration's: begun anew
        # A last line without its end was being written when the run was stopped: cut it, or the next would join it.
        *whole, rest = lines or [""]
        for line in whole:
            result = _result(json.loads(line))
            self.results[result.set_name, result.record_id] = result
        if rest:
            write_atomically(path, "\n".join((header, *whole, "")))


def joined(runs: Sequence[Run]) -> list[Run]:
    """Runs of one name as one, for tables; how each was made is left to the parts."""
    by_name: dict[str, Run] = {}
    for run in runs:
        known = by_name.get(run.name)
        by_name[run.name] = (
            run
            if known is None
            else dataclasses.replace(known, sets=(*known.sets, *run.sets), results=(*known.results, *run.results))
        )
    return list(by_name.values())


def without_answers(results: Sequence[RecordResult]) -> tuple[RecordResult, ...]:
    """The results without the answers' texts, for files that are committed."""
    return tuple(dataclasses.replace(result, answer=None) for result in results)


def _result(value: dict[str, Any]) -> RecordResult:
    fields: dict[str, Any] = {"asked_first": _seems_asked_first(value), **value, "parts": tuple(value["parts"])}
    return RecordResult(**fields)


def _seems_asked_first(value: dict[str, Any]) -> bool:
    """For files of before 2026-12, which do not say: their second arms found all of the prompt in the cache."""
    n_prompt_tokens: int = value["n_prompt_tokens"]
    return not 0 < n_prompt_tokens <= value["n_reused_tokens"] + _MOST_EVALUATED_AGAIN


def _not_writable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written: {error.strerror}", mend="Choose another place.")


def _as_json(value: Run | RecordResult) -> dict[str, Any]:
    return dataclasses.asdict(value)
