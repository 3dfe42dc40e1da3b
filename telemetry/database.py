"""Opens the store's file: SQLite in WAL mode, only this user may read it; says what is wrong with a bad one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock

from fimble.core.errors import FimbleError
from fimble.telemetry.migrations import migrate, missing, unknown

FILE_NAME: Final = "telemetry.db"
_BUSY_TIMEOUT_S: Final = 5.0
# SQLite's primary result codes (sqlite.org/rescode.html).
_CORRUPT_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OUR_FAULT_CODES: Final = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_CONSTRAINT})
_COMPANIONS: Final = ("", "-wal", "-shm")


class StoreError(FimbleError):
    """Counts cannot be read or written; completions go on."""


class StoreUnavailableError(StoreError):
    """The file cannot be written now: folder, rights, disk space. It may be possible later."""


class StoreNewerError(StoreError):
    """A newer fimble has changed the file's tables."""


class StoreCorruptError(StoreError):
    """The file is damaged, or no SQLite file."""


def connect_writing(path: Path, now_ms: float) -> sqlite3.Connection:
    """A connection that may write, tables brought up to date; makes the file where there is none.

    Raises:
        StoreError: the kind says whether trying again is of use.
    """
    with _explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _refuse_newer(db, path)
            if missing(db):
                # Two that make the file at once would refuse each other: SQLite does not wait when changing to WAL.
                with FileLock(f"{path}.lock", timeout=_BUSY_TIMEOUT_S):
                    # Freed pages go back to the file system in steps; can only be chosen before the first table.
                    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
                    _set_up(db)
                    migrate(db, now_ms)
            else:
                _set_up(db)
        except BaseException:
            db.close()
            raise
    return db


def connect_reading(path: Path, now_ms: float) -> sqlite3.Connection | None:
    """A connection that only reads; None where nothing was recorded yet.

    Raises:
        StoreError: the file cannot be read.
    """
    with _explained(path):
        if not path.exists():
            return None
        db = _connect_read_only(path)
        try:
            _refuse_newer(db, path)
            if missing(db):
                db.close()
                connect_writing(path, now_ms).close()
                db = _connect_read_only(path)
            db.row_factory = sqlite3.Row
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def reading(path: Path, now_ms: float) -> Generator[sqlite3.Connection | None]:
    """`connect_reading` for the length of a block; what goes wrong inside is explained too."""
    db = connect_reading(path, now_ms)
    if db is None:
        yield None
        return
    with closing(db), _explained(path):
        yield db


@contextmanager
def writing(path: Path, now_ms: float) -> Generator[sqlite3.Connection]:
    """One transaction of a connection made for it.

    Raises:
        StoreError: it could not be opened or written; nothing was.
    """
    with closing(connect_writing(path, now_ms)) as db, _explained(path):
        db.row_factory = sqlite3.Row
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def explain(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """The error for people."""
    if isinstance(error, sqlite3.DatabaseError) and _primary_code(error) in _CORRUPT_CODES:
        return StoreCorruptError(
            f"The telemetry file {path} is damaged: {error}.",
            mend="It is moved aside the next time fimble records something; `fimble telemetry purge` deletes it.",
        )
    code = _primary_code(error) if isinstance(error, sqlite3.Error) else None
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailableError(
            f"No room on the disk for {path}.", mend="Free some space; counting goes on by itself then."
        )
    if code in _OUR_FAULT_CODES:
        return StoreError(f"The telemetry file {path} could not be queried: {error}.", mend="Please report this bug.")
    return StoreUnavailableError(
        f"The telemetry file {path} cannot be used: {error}.",
        mend="Make its folder writable, or switch counting off: telemetry.enabled = false.",
    )


def move_aside(path: Path, inode: int | None, now_ms: float) -> Path | None:
    """Put a damaged file out of the way, once even if several processes find it; where it is now.

    `inode` is the damaged file's, as far as the caller knows it: another file of that name is left alone.
    """
    with FileLock(f"{path}.lock", timeout=_BUSY_TIMEOUT_S):
        if inode is not None and inode_of(path) != inode:
            return None
        stamp = datetime.fromtimestamp(now_ms / 1000.0, UTC).strftime("%Y%m%dT%H%M%S")
        target = path.with_name(f"{path.name}.damaged-{stamp}")
        for suffix in _COMPANIONS:
            with suppress(FileNotFoundError):
                os.replace(f"{path}{suffix}", f"{target}{suffix}")
    return target


def inode_of(path: Path) -> int | None:
    """Tells one file from another that took its name; None where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def files(path: Path) -> tuple[Path, ...]:
    """Every file of the store that is there, damaged ones moved aside too."""
    return tuple(sorted(found for found in path.parent.glob(f"{path.name}*") if found.is_file()))


def damaged_files(path: Path) -> tuple[Path, ...]:
    """The files that `move_aside` put out of the way."""
    return tuple(file for file in files(path) if file.name.startswith(f"{path.name}.damaged-"))


def _set_up(db: sqlite3.Connection) -> None:
    # A crash of the process loses nothing committed; a crash of the machine may lose the last commits, never the file.
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA foreign_keys = ON")
    # What was purged shall not linger in free pages.
    db.execute("PRAGMA secure_delete = ON")


def _connect_read_only(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        db.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        db.close()
        if _primary_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        # A WAL file needs a writable folder even for reading, unless nobody else can be writing.
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return db


def _refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    if names := unknown(db):
        raise StoreNewerError(
            f"The telemetry file {path} was written by a newer fimble ({', '.join(names)}).",
            mend="Upgrade fimble, or set another place with FIMBLE_HOME. Nothing is recorded until then.",
        )


def _primary_code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(error, path) from error
