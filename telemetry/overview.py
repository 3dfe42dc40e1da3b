"""What is stored, in plain words: for `fimble telemetry show`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fimble.telemetry.database import files
from fimble.telemetry.export import COLUMNS, rows
from fimble.telemetry.serialize import moment_text

STORED: Final = """\
For each completion that an editor asked for: when; the editor's name; the language and the kind of syntax at the
cursor; which model, adapter and settings answered, or why none did; whether it was asked for by hand; which kinds of
sources gave context; how long it took; lengths in characters, lines and tokens; the model's confidence; whether it was
shown, for how long and how that ended, accepted, undone; and of accepted text how much was left after 30 s, 2, 5 and
10 minutes.
For each run of a language server: when it ran, its version, its arm in an experiment.
No code, no file names, no project names, no user names. Nothing is sent anywhere."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of what is there. Moments are texts in UTC, None where there is nothing."""

    n_completions: int
    n_sessions: int
    n_code_parts: int
    first: str | None
    last: str | None
    n_bytes: int


def overview(db: sqlite3.Connection | None, path: Path) -> Overview:
    """How much is stored.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    n_bytes = sum(file.stat().st_size for file in files(path))
    if db is None:
        return Overview(0, 0, 0, None, None, n_bytes)
    n_completions, first_ms, last_ms = db.execute(
        "SELECT count(*), min(requested_ms), max(requested_ms) FROM completions"
    ).fetchone()
    n_sessions, n_code_parts = db.execute(
        "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM code)"
    ).fetchone()
    first, last = (None if at_ms is None else moment_text(at_ms) for at_ms in (first_ms, last_ms))
    return Overview(n_completions, n_sessions, n_code_parts, first, last, n_bytes)


def last_rows(db: sqlite3.Connection | None, n: int) -> Iterator[dict[str, Any]]:
    """The last completions as they are stored, newest first, without what is empty.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    if db is None:
        return
    for row in rows(db, "TRUE ORDER BY completions.id DESC LIMIT ?", (n,)):
        yield {name: value for name, value in zip(COLUMNS, row, strict=True) if value is not None}
