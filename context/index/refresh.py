"""Brings a workspace's index up to date: reads what is new or changed, forgets what is gone."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fimble.context.index.entries import entry_of
from fimble.context.index.files import FileTable, scan, stamp_of
from fimble.context.index.ignore import MAX_FILE_BYTES
from fimble.context.index.store import DamagedIndexError, FileEntry, IndexStore
from fimble.context.index.workspace import code_language

_log = logging.getLogger(__name__)
_BATCH_FILES = 50  # a transaction holds up other writers for as long as these take


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did."""

    files: FileTable
    n_read: int
    n_removed: int
    n_failed: int


def refresh(root: Path, store: IndexStore, *, on_progress: Callable[[int, int], None] | None = None) -> Refreshed:
    """Look at every file of the workspace. `on_progress` hears how many files of how many have been read.

    Raising in `on_progress` stops; what has been read stays.
    """
    files = scan(root)
    with contextlib.suppress(DamagedIndexError):  # it is empty now, and so read anew
        store.check()
    known = store.stamps()
    changed = [path for path, stamp in files.stamps.items() if known.get(path) != stamp and code_language(path)]
    gone = [path for path in known if path not in files]
    store.remove(gone)
    n_failed = _read_into(store, root, changed, on_progress)
    return Refreshed(files, len(changed), len(gone), n_failed)


def refresh_files(root: Path, store: IndexStore, files: FileTable, paths: Iterable[str]) -> None:
    """Look at some files only. Which of them count is said by `files`, a table that is up to date."""
    paths = list(paths)
    store.remove(path for path in paths if path not in files)
    _read_into(store, root, [path for path in paths if path in files and code_language(path)], None)


def _read_into(store: IndexStore, root: Path, paths: list[str], on_progress: Callable[[int, int], None] | None) -> int:
    n_failed = 0
    for start in range(0, len(paths), _BATCH_FILES):
        batch = paths[start : start + _BATCH_FILES]
        entries = list(_entries(root, batch))
        n_failed += len(batch) - len(entries)
        store.put(entries)
        if on_progress is not None:
            on_progress(min(start + _BATCH_FILES, len(paths)), len(paths))
    return n_failed


def _entries(root: Path, paths: list[str]) -> Iterator[FileEntry]:
    for path in paths:
        language = code_language(path)
        stamp = stamp_of(root / path)  # before the text: a file that changes meanwhile is read again
        if language is None or stamp is None or stamp.size_bytes > MAX_FILE_BYTES:
            continue
        try:
            text = (root / path).read_bytes().decode("utf-8", "replace")
        except OSError as error:
            _log.info("%s is left out: %s", root / path, error.strerror)
            continue
        yield entry_of(path, language, stamp, text)
