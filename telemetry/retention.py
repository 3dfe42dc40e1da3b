"""Deletes what has been kept long enough, and everything when the user asks."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fimble.telemetry.database import (
    StoreCorruptError,
    StoreNewerError,
    connect_writing,
    damaged_files,
    files,
    writing,
)

_DAY_MS: Final = 86_400_000
# After a pause this long it may be the clock that is ahead, and a history would be lost for good by it.
_MAX_PAUSE_MS: Final = 60 * _DAY_MS


@dataclass(frozen=True, slots=True)
class Purged:
    """How much went."""

    n_completions: int
    n_code_parts: int
    n_files: int = 0


def expire(db: sqlite3.Connection, now_ms: float, *, retention_days: int, code_retention_days: int) -> Purged:
    """Delete rows older than that, in one transaction, and give the room back.

    Nothing while the newest row from before this day is two months old: a day's use shows that the clock is right.

    Raises:
        sqlite3.Error: nothing was deleted.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        (newest_ms,) = db.execute(
            "SELECT max(requested_ms) FROM completions WHERE requested_ms < ?", (now_ms - _DAY_MS,)
        ).fetchone()
        if newest_ms is not None and newest_ms < now_ms - _MAX_PAUSE_MS:
            db.execute("ROLLBACK")
            return Purged(0, 0)
        code_limit_ms, limit_ms = now_ms - code_retention_days * _DAY_MS, now_ms - retention_days * _DAY_MS
        n_code_parts = db.execute("DELETE FROM code WHERE stored_ms < ?", (code_limit_ms,)).rowcount
        n_completions = db.execute("DELETE FROM completions WHERE requested_ms < ?", (limit_ms,)).rowcount
        _forget_empty_sessions(db, limit_ms)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    if n_code_parts or n_completions:
        _shrink(db)
    return Purged(n_completions, n_code_parts)


def expire_damaged(path: Path, now_ms: float, *, code_retention_days: int) -> None:
    """Delete damaged files that were last written so long ago: there may be code in them."""
    limit_ms = now_ms - code_retention_days * _DAY_MS
    for file in damaged_files(path):
        with suppress(OSError):  # gone already, or not ours to delete
            if file.stat().st_mtime * 1000.0 < limit_ms:
                file.unlink()


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
            _forget_empty_sessions(db, limit_ms)
            if before_ms is None:
                for table in ("sessions", "experiments", "names"):
                    db.execute(f"DELETE FROM {table}")
    except (StoreCorruptError, StoreNewerError):
        if before_ms is not None or only_code:
            raise
        return Purged(0, 0, _delete(files(path)))
    with closing(connect_writing(path, now_ms)) as db:
        _shrink(db)
    return Purged(n_completions, n_code_parts, _delete(damaged_files(path)) if before_ms is None else 0)


def _forget_empty_sessions(db: sqlite3.Connection, limit_ms: float) -> None:
    db.execute(
        "DELETE FROM sessions WHERE started_ms < ? AND id NOT IN (SELECT session_id FROM completions)", (limit_ms,)
    )


def _shrink(db: sqlite3.Connection) -> None:
    with suppress(sqlite3.OperationalError):  # somebody else is at it; the room is used again all the same
        db.execute("PRAGMA incremental_vacuum").fetchall()
        # The WAL still holds old pages; it can only be emptied when nobody is reading.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _delete(paths: tuple[Path, ...]) -> int:
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)
