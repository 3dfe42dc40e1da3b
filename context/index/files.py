"""The files of a workspace, as an immutable table that answers what module resolution asks."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from fimble.context.index.ignore import MAX_FILE_BYTES, IgnoreRules
from fimble.context.index.secrets import is_secret_file
from fimble.syntax.languages import Language
from fimble.syntax.outline.read import has_outlines

_log = logging.getLogger(__name__)

MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells a file's versions apart without reading it."""

    size_bytes: int
    mtime_ns: int


class FileTable:
    """Paths relative to the workspace, with slashes. Never changes; a new scan gives a new table."""

    def __init__(self, stamps: Mapping[str, Stamp]) -> None:
        """Of the files that count, with their stamps."""
        self.stamps: Mapping[str, Stamp] = dict(sorted(stamps.items()))

    def __contains__(self, path: str) -> bool:
        """Whether the file is there."""
        return path in self.stamps

    def __len__(self) -> int:
        """How many files."""
        return len(self.stamps)

    def named(self, name: str) -> tuple[str, ...]:
        """Files of this name, in every folder."""
        return self._by_name.get(name, ())

    def in_folder(self, folder: str) -> tuple[str, ...]:
        """Files right in a folder; the workspace itself is `.`."""
        return self._by_folder.get(folder, ())

    def ending_with(self, tail: str) -> tuple[str, ...]:
        """Files whose path ends with these whole names, shortest path first."""
        found = [path for path in self.named(tail.rpartition("/")[2]) if path == tail or path.endswith(f"/{tail}")]
        return tuple(sorted(found, key=lambda path: (path.count("/"), path)))

    def folders_ending_with(self, tail: str) -> tuple[str, ...]:
        """Folders with files whose path ends with these whole names, shortest path first."""
        found = [
            folder
            for folder in self._folders_by_name.get(tail.rpartition("/")[2], ())
            if folder == tail or folder.endswith(f"/{tail}")
        ]
        return tuple(sorted(found, key=lambda folder: (folder.count("/"), folder)))

    @cached_property
    def _by_name(self) -> dict[str, tuple[str, ...]]:
        return _grouped((path.rpartition("/")[2], path) for path in self.stamps)

    @cached_property
    def _by_folder(self) -> dict[str, tuple[str, ...]]:
        return _grouped((path.rpartition("/")[0] or ".", path) for path in self.stamps)

    @cached_property
    def _folders_by_name(self) -> dict[str, tuple[str, ...]]:
        return _grouped((folder.rpartition("/")[2], folder) for folder in self._by_folder)


def scan(root: Path, counts: Callable[[Language], bool] = has_outlines) -> FileTable:
    """Every file of the workspace that counts, of languages that count.

    Unreadable folders are left out; links to folders are not followed.
    """
    rules = IgnoreRules(root, counts)
    stamps: dict[str, Stamp] = {}
    for path, stamp in _walk(root, rules):
        stamps[path] = stamp
        if len(stamps) >= MAX_FILES:
            _log.warning("%s has more than %d source files; the rest is left out", root, MAX_FILES)
            break
    return FileTable(stamps)


def rescan(root: Path, files: FileTable, rules: IgnoreRules, paths: Iterable[str]) -> FileTable:
    """The table after some files were written, made or removed; folders that count are those that did before.

    Looks at these paths alone: a scan of a large workspace takes longer than a save may. `files` itself where nothing
    is different.
    """
    stamps = dict(files.stamps)
    for path in paths:
        stamp = _stamp_if_counted(root, rules, path)
        if stamp is None or (path not in stamps and len(stamps) >= MAX_FILES):
            stamps.pop(path, None)
        else:
            stamps[path] = stamp
    return FileTable(stamps) if stamps != files.stamps else files


def stamp_of(path: Path) -> Stamp | None:
    """The file's stamp; None where there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


def _walk(root: Path, rules: IgnoreRules) -> Iterator[tuple[str, Stamp]]:
    folders = ["."]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            _log.info("%s is left out: %s", root / folder, error.strerror)
            continue
        for entry in entries:
            if not _is_text(entry.name):
                continue
            path = entry.name if folder == "." else f"{folder}/{entry.name}"
            try:
                if entry.is_dir(follow_symlinks=False):
                    if not rules.skips_folder(path):
                        folders.append(path)
                elif entry.is_file() and not is_secret_file(path) and not rules.skips_file(path):
                    status = entry.stat()
                    if status.st_size <= MAX_FILE_BYTES and _is_inside(root, entry):
                        yield path, Stamp(status.st_size, status.st_mtime_ns)
            except OSError as error:
                _log.info("%s is left out: %s", root / path, error.strerror)


def _stamp_if_counted(root: Path, rules: IgnoreRules, path: str) -> Stamp | None:
    """The stamp of a file that a scan would come to; None for anything else."""
    names = path.split("/")
    folders = ["/".join(names[:n_names]) for n_names in range(1, len(names))]
    if not _is_text(path) or is_secret_file(path) or rules.skips_file(path) or any(map(rules.skips_folder, folders)):
        return None
    place = root / path
    try:
        if not place.is_file() or any((root / folder).is_symlink() for folder in folders):
            return None
        stamp = stamp_of(place)
        return stamp if stamp and stamp.size_bytes <= MAX_FILE_BYTES and _is_inside(root, place) else None
    except OSError as error:
        _log.info("%s is left out: %s", place, error.strerror)
        return None


def _is_text(path: str) -> bool:
    """Whether a path is Unicode: bytes that are not (names in Latin-1) can be put into no prompt and no index."""
    return path.isascii() or not any("\ud800" <= char <= "\udfff" for char in path)


def _is_inside(root: Path, entry: os.DirEntry[str] | Path) -> bool:
    """A link must not lead out of the workspace: what lies there was never opened by the user."""
    return not entry.is_symlink() or Path(entry).resolve().is_relative_to(root.resolve())


def _grouped(pairs: Iterator[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


def relative_path(root: Path, path: str) -> str | None:
    """A path of `context.gather.path_of_uri` relative to the workspace, with slashes; None where it lies elsewhere."""
    try:
        return PurePosixPath(Path(path).relative_to(root).as_posix()).as_posix()
    except ValueError:
        pass
    try:
        return Path(path).resolve().relative_to(root.resolve()).as_posix()
    except (ValueError, OSError, RuntimeError):  # the last for links that lead round in a circle
        return None
