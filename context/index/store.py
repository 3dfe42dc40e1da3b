"""The persistent symbol index of one workspace: an SQLite file in the cache folder, readable by its owner only.

Holds paths, names and lines of definitions, their bases and the words of windows of lines; no file's text, and nothing
that looks like a secret. May be deleted at any time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from fimble.context.index.files import Stamp

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")

_VERSION = 3  # of the tables and of what is read out of files; an index of another version is thrown away
_BUSY_S = 5.0
_ASK_AGAIN_S = 0.01
# Ranking a window takes about 2 us; a word that is everywhere says nothing.
_MAX_MATCHED = 4_000
_TABLES = """
CREATE TABLE file (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, language TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, n_lines INTEGER NOT NULL
);
CREATE TABLE definition (
    file_id INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, owner TEXT NOT NULL, line INTEGER NOT NULL
);
CREATE INDEX definition_by_name ON definition (name);
CREATE INDEX definition_by_file ON definition (file_id);
CREATE TABLE base (file_id INTEGER NOT NULL, type_name TEXT NOT NULL, base_name TEXT NOT NULL);
CREATE INDEX base_by_name ON base (base_name);
CREATE INDEX base_by_file ON base (file_id);
CREATE VIRTUAL TABLE words USING fts5 (names, tokenize = "unicode61 tokenchars '_'", detail = none);
CREATE TABLE line_window (id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL, first_line INTEGER NOT NULL);
CREATE INDEX line_window_by_file ON line_window (file_id);
CREATE VIRTUAL TABLE word_count USING fts5vocab (words, 'row');
"""


@dataclass(frozen=True, slots=True)
class DefinitionEntry:
    """A definition as the index keeps it. `owner` is the type that it is a member of, else empty."""

    name: str
    kind: str
    owner: str
    line: int


@dataclass(frozen=True, slots=True)
class FileEntry:
    """All that the index keeps of one file. `windows` are the words of its windows with their first lines."""

    path: str
    language: str
    stamp: Stamp
    n_lines: int
    definitions: tuple[DefinitionEntry, ...]
    bases: tuple[tuple[str, str], ...]
    windows: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is. `first_line` counts from 0; a lower `rank` is better."""

    path: str
    first_line: int
    rank: float = 0.0


@dataclass(frozen=True, slots=True)
class IndexStats:
    """What an index holds. `languages` counts files."""

    n_files: int
    n_definitions: int
    n_windows: int
    size_bytes: int
    languages: Mapping[str, int]


def index_path(cache: Path, root: Path) -> Path:
    """Where the index of the workspace `root` lies in the cache folder."""
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return cache / "index" / f"{root.name[:40]}-{digest}.sqlite3"


class DamagedIndexError(Exception):
    """The file of an index was damaged. An empty one has taken its place: asked again, the store answers."""


class BusyIndexError(Exception):
    """Another process has held the index for longer than is waited for. It is whole: asked later, it answers."""


def _mending(
    method: Callable[Concatenate[IndexStore, _Params], _Result],
) -> Callable[Concatenate[IndexStore, _Params], _Result]:
    """The method, after which a file that it found damaged has been replaced; a busy one is none."""

    @functools.wraps(method)
    def call(store: IndexStore, /, *args: _Params.args, **kwargs: _Params.kwargs) -> _Result:
        try:
            return method(store, *args, **kwargs)
        except sqlite3.DatabaseError as error:
            if _is_busy(error):
                raise BusyIndexError(str(error)) from error
            # Its kinds are about what was asked for, other processes or the disk: nothing is damaged.
            if type(error) is not sqlite3.DatabaseError or not store.make_anew():
                raise
            raise DamagedIndexError(f"{error}; the index was made anew") from error

    return call


class IndexStore:
    """One connection; to be used by one thread at a time. Other processes may write at the same time.

    Every method that reads or writes may raise DamagedIndexError, once for a damaged file, and BusyIndexError.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the index, and make a new one where there is none, or one of another version, or a broken one.

        Without a path the index lives in memory.

        Raises:
            OSError: the folder cannot be written to.
            BusyIndexError: another process holds it.
        """
        self._path = path
        if path is None:
            self._db = sqlite3.connect(":memory:", check_same_thread=False)
            self._db.executescript(_TABLES)
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = _open_or_remake(path)
        self._identity = _identity(path)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def make_anew(self) -> bool:
        """Go on with an empty file, or with that of another process that found damage first; False in memory."""
        if self._path is None:
            return False
        if _identity(self._path) == self._identity:
            _remove(self._path)
        damaged, self._db = self._db, _open_or_remake(self._path)
        damaged.close()
        self._identity = _identity(self._path)
        return True

    @_mending
    def check(self) -> None:
        """Look for damage in the whole file, 1.4 ms a megabyte: what is asked for may not come upon it for long."""
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    @_mending
    def stamps(self) -> dict[str, Stamp]:
        """Files of the index with their stamps when they were read."""
        rows = self._db.execute("SELECT path, size_bytes, mtime_ns FROM file")
        return {path: Stamp(size_bytes, mtime_ns) for path, size_bytes, mtime_ns in rows}

    @_mending
    def put(self, entries: Iterable[FileEntry]) -> None:
        """Take files, in place of what was known of them, in one transaction."""
        with self._db:
            for entry in entries:
                self._remove(entry.path)
                self._insert(entry)

    @_mending
    def remove(self, paths: Iterable[str]) -> None:
        """Forget files, in one transaction."""
        with self._db:
            for path in paths:
                self._remove(path)

    @_mending
    def places_of(self, name: str, *, limit: int = 20) -> list[Place]:
        """Where a name is defined, in the order of paths."""
        rows = self._db.execute(
            "SELECT path, line FROM definition JOIN file ON file.id = file_id WHERE name = ? ORDER BY path LIMIT ?",
            (name, limit),
        )
        return [Place(path, line) for path, line in rows]

    @_mending
    def implementations_of(self, base_name: str, *, limit: int = 20) -> list[tuple[str, str]]:
        """Path and name of types with this base, in the order of paths."""
        rows = self._db.execute(
            "SELECT path, type_name FROM base JOIN file ON file.id = file_id WHERE base_name = ? ORDER BY path LIMIT ?",
            (base_name, limit),
        )
        return [(path, name) for path, name in rows]

    @_mending
    def rarest(self, words: Sequence[str], n_words: int, *, not_in: str = "") -> list[str]:
        """Those of the words that are in the fewest windows of other files than `not_in`, but in some; rarest first."""
        own = self._window_counts(not_in)
        counted: list[tuple[int, str]] = []
        for word in words:
            row = self._db.execute("SELECT doc FROM word_count WHERE term = ?", (word.lower(),)).fetchone()
            n_windows = int(row[0]) - own[word.lower()] if row is not None else 0
            if n_windows > 0:
                counted.append((n_windows, word))
        counted.sort()
        chosen: list[str] = []
        n_matched = 0
        for n_windows, word in counted[:n_words]:
            n_matched += n_windows
            if chosen and n_matched > _MAX_MATCHED:
                break
            chosen.append(word)
        return chosen

    @_mending
    def similar(
        self, words: Sequence[str], *, language_names: Sequence[str], limit: int, not_in: str = ""
    ) -> list[Place]:
        """Windows with these words in other files than `not_in`, best first by BM25."""
        if not words:
            return []
        query = " OR ".join(f'"{word}"' for word in words if '"' not in word)
        marks = ", ".join("?" * len(language_names))
        rows = self._db.execute(
            "SELECT path, first_line, bm25(words) AS rank FROM words"
            " JOIN line_window ON line_window.id = words.rowid JOIN file ON file.id = file_id"
            f" WHERE words MATCH ? AND path != ? AND language IN ({marks}) ORDER BY rank, path, first_line LIMIT ?",
            (query, not_in, *language_names, limit),
        )
        return [Place(path, first_line, rank) for path, first_line, rank in rows]

    @_mending
    def stats(self) -> IndexStats:
        """Counts, and the size on disk."""

        def count(table: str) -> int:
            return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

        languages = dict(self._db.execute("SELECT language, count(*) FROM file GROUP BY 1 ORDER BY 2 DESC, 1"))
        size_bytes = sum(part.stat().st_size for part in _parts(self._path) if part.exists()) if self._path else 0
        return IndexStats(count("file"), count("definition"), count("line_window"), size_bytes, languages)

    @_mending
    def content(self) -> list[tuple[object, ...]]:
        """Everything that is known, without ids and in a fixed order: equal workspaces have equal content."""
        queries = (
            "SELECT 'file', path, language, size_bytes, mtime_ns, n_lines FROM file",
            "SELECT 'definition', path, name, kind, owner, line FROM definition JOIN file ON file.id = file_id",
            "SELECT 'base', path, type_name, base_name FROM base JOIN file ON file.id = file_id",
            "SELECT 'window', path, first_line, names FROM words JOIN line_window ON line_window.id = words.rowid"
            " JOIN file ON file.id = file_id",
        )
        return sorted((row for query in queries for row in self._db.execute(query)), key=repr)

    def _window_counts(self, path: str) -> Counter[str]:
        """In how many windows of a file, as it was read, a lower-case word is."""
        rows = self._db.execute(
            "SELECT names FROM file JOIN line_window ON file_id = file.id JOIN words ON words.rowid = line_window.id"
            " WHERE path = ?",
            (path,),
        )
        return Counter(word for (names,) in rows for word in set(names.lower().split(" ")))

    def _insert(self, entry: FileEntry) -> None:
        cursor = self._db.execute(
            "INSERT INTO file (path, language, size_bytes, mtime_ns, n_lines) VALUES (?, ?, ?, ?, ?)",
            (entry.path, entry.language, entry.stamp.size_bytes, entry.stamp.mtime_ns, entry.n_lines),
        )
        file_id = cursor.lastrowid
        self._db.executemany(
            "INSERT INTO definition VALUES (?, ?, ?, ?, ?)",
            ((file_id, item.name, item.kind, item.owner, item.line) for item in entry.definitions),
        )
        self._db.executemany("INSERT INTO base VALUES (?, ?, ?)", ((file_id, *names) for names in entry.bases))
        for first_line, words in entry.windows:
            row_id = self._db.execute(
                "INSERT INTO line_window (file_id, first_line) VALUES (?, ?)", (file_id, first_line)
            ).lastrowid
            self._db.execute("INSERT INTO words (rowid, names) VALUES (?, ?)", (row_id, words))

    def _remove(self, path: str) -> None:
        row = self._db.execute("SELECT id FROM file WHERE path = ?", (path,)).fetchone()
        if row is None:
            return
        self._db.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM line_window WHERE file_id = ?)", row)
        for table in ("line_window", "definition", "base"):
            self._db.execute(f"DELETE FROM {table} WHERE file_id = ?", row)
        self._db.execute("DELETE FROM file WHERE id = ?", row)


def _open_or_remake(path: Path) -> sqlite3.Connection:
    try:
        return _open(path)
    except sqlite3.DatabaseError:
        _remove(path)
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))  # others must not see names of a private workspace
    db = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    try:
        _use_wal(db)
        db.execute("PRAGMA synchronous = OFF")  # a torn index is made anew
        if _version_of(db) != _VERSION:
            db.execute("BEGIN IMMEDIATE")
            _make_tables(db)
            db.commit()
    except sqlite3.DatabaseError as error:
        db.close()
        if _is_busy(error):
            raise BusyIndexError(str(error)) from error
        raise
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Waits for others that make the same index, for whom SQLite does not wait here."""
    until_s = time.monotonic() + _BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until_s:
                raise
        time.sleep(_ASK_AGAIN_S)


def _make_tables(db: sqlite3.Connection) -> None:
    """In a transaction, for another process may be about to do the same, or have done it meanwhile."""
    found = _version_of(db)
    if found == _VERSION:
        return
    if found or db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise sqlite3.DatabaseError("another version")
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {_VERSION}")


def _version_of(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)  # only what SQLite itself raises has one
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _remove(path: Path) -> None:
    for part in _parts(path):
        part.unlink(missing_ok=True)


def _parts(path: Path) -> Iterator[Path]:
    return (path.with_name(path.name + ending) for ending in ("", "-wal", "-shm"))
