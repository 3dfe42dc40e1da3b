"""Deletes what has been kept long enough, and everything when the user asks."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fimble.telemetry.database import StoreCorruptError, StoreNewerError, connect_writing, files, writing

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Purged:
    """How much went."""

    n_completions: int
    n_code_parts: int
    n_files: int = 0


def expire(db: sqlite3.Connection, now_ms: float, *, retention_days: int, code_retention_days: int) -> Purged:
    """Delete rows older than that, in one transaction, and give the room back.

    Raises:
        sqlite3.Error: nothing was deleted.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        code_limit_ms, limit_ms = now_ms - code_retention_days * _DAY_MS, now_ms - retention_days * _DAY_MS
        n_code_parts = db.execute("DELETE FROM code WHERE stored_ms < ?", (code_limit_ms,)).rowcount
        n_completions = db.execute("DELETE FROM completions WHERE requested_ms < ?", (limit_ms,)).rowcount
        db.execute(
            "DELETE FROM sessions WHERE started_ms < ? AND id NOT IN (SELECT session_id FROM completions)", (limit_ms,)
        )
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    if n_code_parts or n_completions:
        _shrink(db)
    return Purged(n_completions, n_code_parts)


def purge(path: Path, now_ms: float, *, before_ms: float | None = None, only_code: bool = False) -> Purged:
    """Delete what was recorded before `before_ms`, or everything; damaged files go too. Servers may be running.

    Raises:
        StoreError: the file cannot be written.
    """
    if not path.exists():
        return Purged(0, 0, _delete(files(path)) if before_ms is None and not only_code else 0)
    limit_ms = now_ms + _DAY_MS * 36_500 if before_ms is None else before_ms
    try:
        with writing(path, now_ms) as db:
            if only_code:
                return Purged(0, db.execute("DELETE FROM code WHERE stored_ms < ?", (limit_ms,)).rowcount)
            (n_code_parts,) = db.execute(
                "SELECT count(*) FROM code JOIN completions ON id = completion_id WHERE requested_ms < ?", (limit_ms,)
            ).fetchone()
            n_completions = db.execute("DELETE FROM completions WHERE requested_ms < ?", (limit_ms,)).rowcount
            if before_ms is None:
                for table in ("sessions", "experiments", "names"):
                    db.execute(f"DELETE FROM {table}")
    except (StoreCorruptError, StoreNewerError):
        if before_ms is not None or only_code:
            raise
        return Purged(0, 0, _delete(files(path)))
    with closing(connect_writing(path, now_ms)) as db:
        _shrink(db)
    extra = tuple(file for file in files(path) if "damaged" in file.name) if before_ms is None else ()
    return Purged(n_completions, n_code_parts, _delete(extra))


def _shrink(db: sqlite3.Connection) -> None:
    with suppress(sqlite3.OperationalError):  # somebody else is at it; the room is used again all the same
        db.execute("PRAGMA incremental_vacuum").fetchall()
        # The WAL still holds old pages; it can only be emptied when nobody is reading.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _delete(paths: tuple[Path, ...]) -> int:
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)
