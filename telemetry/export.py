"""Writes every completion as a row of a table: Parquet, CSV or JSON lines. Code is never exported."""

from __future__ import annotations

import csv
import itertools
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from fimble.core.errors import FimbleError, InputError
from fimble.telemetry.persistence import HORIZONS_S
from fimble.telemetry.writer import NAME_FIELDS, NUMBER_FIELDS

_STATE_COLUMNS: Final = (
    "is_continuation", "shown_ms", "is_shown_exact", "seen_ms", "accepted_ms", "accepted_how", "is_accepted_exact",
    "n_accepted_chars", "undone_ms", "ended_ms", "ended_how", "is_ended_exact", "visible_ms",
)  # fmt: skip
_KEPT_COLUMNS: Final = ("kept", "n_kept_chars", "is_unmodified", "is_carried")
_TEXT_COLUMNS: Final = frozenset({"session", "experiment", "unit", "accepted_how", "ended_how", *NAME_FIELDS})
_FLOAT_COLUMNS: Final = frozenset({"confidence", "queue_ms", "prompt_ms", "first_token_ms", "total_ms", "visible_ms"})
_BATCH_ROWS: Final = 20_000

COLUMNS: Final = (
    "session",
    "experiment",
    "unit",
    "requested_ms",
    *NAME_FIELDS,
    *NUMBER_FIELDS,
    *_STATE_COLUMNS,
    *(f"{name}_{after_s}s" for after_s in HORIZONS_S for name in _KEPT_COLUMNS),
)


def export(db: sqlite3.Connection | None, since_ms: float, target: Path) -> int:
    """Write what was requested since then; the ending of `target` says how. How many rows were written.

    Raises:
        InputError: another ending than .parquet, .csv or .jsonl.
        FimbleError: Parquet needs a package that is not installed.
        OSError: the file cannot be written.
        sqlite3.Error: the store cannot be read.
    """
    found = rows(db, "requested_ms >= ? ORDER BY completions.id", (since_ms,)) if db is not None else iter(())
    match target.suffix.lower():
        case ".parquet":
            return _write_parquet(found, target)
        case ".csv":
            return _write_csv(found, target)
        case ".jsonl":
            return _write_json_lines(found, target)
        case _:
            raise InputError(
                f"{target} has no ending that says how to write it.", mend="End it in .parquet, .csv or .jsonl."
            )


def rows(db: sqlite3.Connection, condition: str, parameters: Sequence[float]) -> Iterator[Sequence[Any]]:
    """Completions as rows of COLUMNS; `condition` is SQL that stands behind WHERE.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    names = ", ".join(f"(SELECT text FROM names WHERE id = completions.{name})" for name in NAME_FIELDS)
    numbers = ", ".join(f"completions.{name}" for name in (*NUMBER_FIELDS, *_STATE_COLUMNS))
    kept = ", ".join(
        f"(SELECT {name} FROM persistence WHERE completion_id = completions.id AND after_s = {after_s})"
        for after_s in HORIZONS_S
        for name in _KEPT_COLUMNS
    )
    cursor = db.execute(
        f"""
        SELECT sessions.uid, (SELECT name FROM experiments WHERE id = experiment_id), unit, requested_ms,
            {names}, {numbers}, {kept}
        FROM completions JOIN sessions ON sessions.id = session_id
        WHERE {condition}
        """,
        tuple(parameters),
    )
    for row in cursor:
        yield tuple(row)


def _write_csv(found: Iterator[Sequence[Any]], target: Path) -> int:
    n = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in found:
            writer.writerow(row)
            n += 1
    return n


def _write_json_lines(found: Iterator[Sequence[Any]], target: Path) -> int:
    n = 0
    with target.open("w", encoding="utf-8") as file:
        for row in found:
            file.write(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n")
            n += 1
    return n


def _write_parquet(found: Iterator[Sequence[Any]], target: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise FimbleError(
            "Writing Parquet needs the package pyarrow.",
            mend="pip install 'fimble[export]', or end the file's name in .csv or .jsonl.",
        ) from error
    schema = pa.schema([(name, _arrow_type(pa, name)) for name in COLUMNS])
    n = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(found, _BATCH_ROWS)):
            values = zip(*batch, strict=True)
            columns = [pa.array(column, type=field.type) for column, field in zip(values, schema, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))
            n += len(batch)
    return n


def _arrow_type(pa: Any, name: str) -> Any:
    if name in _TEXT_COLUMNS:
        return pa.string()
    if name in _FLOAT_COLUMNS or name.startswith("kept_"):
        return pa.float64()
    return pa.int64()
