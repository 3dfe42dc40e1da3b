"""Reads evaluation sets: JSON lines, gzipped or not, checked whole before anything runs.

Knows the schema of the data folder and nothing of scoring.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar, cast

from fimble.core.errors import InputError

_T = TypeVar("_T")
_SCHEMA_HELP = "Each line must be one JSON object as docs/evaluation.md, section 'Record', describes."


@dataclass(frozen=True, slots=True)
class CrossFile:
    """A file, or a piece of one, elsewhere in the record's workspace."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class IoTest:
    """A program test: what goes to stdin, and every stdout that is right."""

    stdin: str
    stdouts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One hole: `prefix + middle + suffix` is the true file.

    `tests` is a program text that exercises `entry_point`, or stdin/stdout pairs, or None.
    """

    id: str
    language: str
    path: str
    prefix: str
    suffix: str
    middle: str
    cross_file: tuple[CrossFile, ...] = ()
    tests: str | tuple[IoTest, ...] | None = None
    entry_point: str | None = None
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordSet:
    """One file of records. `name` is the file's name without its endings."""

    name: str
    sha256: str
    records: tuple[Record, ...]


def read_set(path: Path) -> RecordSet:
    """Read a whole set.

    Raises:
        InputError: the file cannot be read, or a line is not a record; says which line and field.
    """
    raw = read_jsonl_bytes(path)
    records: list[Record] = []
    seen: dict[str, int] = {}
    for line_number, value in parse_json_lines(raw, path):
        record = _record(_Fields(path, line_number, value))
        if record.id in seen:
            raise InputError(
                f"{path}: line {line_number}: field 'id': {record.id!r} stands on line {seen[record.id]} already",
                mend="Every record needs its own id.",
            )
        seen[record.id] = line_number
        records.append(record)
    if not records:
        raise InputError(f"{path}: holds no records", mend=_SCHEMA_HELP)
    return RecordSet(path.name.split(".")[0], hashlib.sha256(raw).hexdigest(), tuple(records))


class Sampled(Protocol):
    """What can be sampled by language: records, traces."""

    @property
    def id(self) -> str:
        """Its name, unique among those it is sampled with."""
        ...

    @property
    def language(self) -> str:
        """The language it counts for."""
        ...


_Sampled = TypeVar("_Sampled", bound=Sampled)


def sample(items: Sequence[_Sampled], *, limit: int | None, seed: int) -> tuple[_Sampled, ...]:
    """A seeded choice of `limit` items, spread evenly over the languages, in a seeded order.

    The same seed with a larger limit keeps every item of the smaller one.
    """
    by_language: dict[str, list[_Sampled]] = {}
    for item in sorted(items, key=lambda item: item.id):
        by_language.setdefault(item.language, []).append(item)
    for language, group in by_language.items():
        random.Random(f"{seed}/{language}").shuffle(group)
    ranks = range(max((len(group) for group in by_language.values()), default=0))
    chosen = [group[rank] for rank in ranks for group in by_language.values() if rank < len(group)]
    return tuple(chosen if limit is None else chosen[:limit])


def read_jsonl_bytes(path: Path) -> bytes:
    """The file's bytes, unpacked when it is gzip.

    Raises:
        InputError: no such file, or a broken archive.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: cannot be read: {reason}", mend="Check the path given.") from error
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path}: the gzip archive is broken: {error}", mend="Fetch the file again.") from error


def parse_json_lines(raw: bytes, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Each non-blank line's number (from 1) and object.

    Raises:
        InputError: a line is not UTF-8, not JSON, or not an object.
    """
    for line_number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}: line {line_number}"
        try:
            value: object = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: is not UTF-8 text: {error}", mend=_SCHEMA_HELP) from error
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: is not JSON: {error.msg} at column {error.colno}", mend=_SCHEMA_HELP) from error
        if not isinstance(value, dict):
            raise InputError(f"{where}: is {_kind(value)}, not an object", mend=_SCHEMA_HELP)
        yield line_number, cast("dict[str, object]", value)


def relative_path_problem(path: str) -> str | None:
    """Why `path` cannot be a file inside a workspace, or None."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or "\x00" in path:
        return f"{path!r} is not a path inside the workspace"
    return None


@dataclass(frozen=True, slots=True)
class _Fields:
    """One line's object, with messages that name line and field."""

    path: Path
    line_number: int
    values: Mapping[str, object]

    def error(self, name: str, reason: str) -> InputError:
        return InputError(f"{self.path}: line {self.line_number}: field {name!r}: {reason}", mend=_SCHEMA_HELP)

    def text(self, name: str, *, optional: bool = False) -> str | None:
        if name not in self.values:
            if optional:
                return None
            raise self.error(name, "is missing")
        value = self.values[name]
        if value is None and optional:
            return None
        if not isinstance(value, str):
            raise self.error(name, f"must be text, not {_kind(value)}")
        return value

    def required(self, name: str) -> str:
        return cast(str, self.text(name))

    def listed(self, name: str, item: Callable[[_Fields], _T]) -> tuple[_T, ...]:
        value = self.values[name]
        if not isinstance(value, list):
            raise self.error(name, f"must be a list, not {_kind(value)}")
        made: list[_T] = []
        for position, element in enumerate(cast("list[object]", value)):
            if not isinstance(element, dict):
                raise self.error(f"{name}[{position}]", f"must be an object, not {_kind(element)}")
            made.append(item(_Fields(self.path, self.line_number, cast("dict[str, object]", element))))
        return tuple(made)


def _record(fields: _Fields) -> Record:
    path = fields.required("path")
    problem = relative_path_problem(path)
    if problem:
        raise fields.error("path", problem)
    meta = fields.values.get("meta") or {}
    if not isinstance(meta, dict):
        raise fields.error("meta", f"must be an object, not {_kind(meta)}")
    has_cross_file = fields.values.get("cross_file") is not None
    return Record(
        id=fields.required("id"),
        language=fields.required("language"),
        path=path,
        prefix=fields.required("prefix"),
        suffix=fields.required("suffix"),
        middle=fields.required("middle"),
        cross_file=fields.listed("cross_file", _cross_file) if has_cross_file else (),
        tests=_tests(fields),
        entry_point=fields.text("entry_point", optional=True),
        meta=cast("dict[str, object]", meta),
    )


def _tests(fields: _Fields) -> str | tuple[IoTest, ...] | None:
    value = fields.values.get("tests")
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return fields.listed("tests", _io_test)
    raise fields.error("tests", f"must be text, a list or null, not {_kind(value)}")


def _cross_file(fields: _Fields) -> CrossFile:
    path = fields.required("path")
    problem = relative_path_problem(path)
    if problem:
        raise fields.error("cross_file.path", problem)
    return CrossFile(path, fields.required("text"))


def _io_test(fields: _Fields) -> IoTest:
    outputs = fields.values.get("output")
    if not isinstance(outputs, list) or not outputs:
        raise fields.error("tests.output", "must be a list of the outputs that are right")
    texts = cast("list[object]", outputs)
    if not all(isinstance(output, str) for output in texts):
        raise fields.error("tests.output", "must hold texts only")
    return IoTest(fields.required("input"), tuple(cast("list[str]", texts)))


def _kind(value: object) -> str:
    names: dict[type, str] = {
        type(None): "null",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
    }
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")
