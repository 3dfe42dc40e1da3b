"""Follows the files of a workspace: takes what the watcher heard to a table of files, and says which have changed."""

from __future__ import annotations

import time
from collections.abc import Callable

from fimble.context.index.files import FileTable, rescan, scan
from fimble.context.index.ignore import FOLDER_MARKS, MANIFESTS, IgnoreRules
from fimble.context.index.workspace import Workspace, code_language

# A system that has more to tell than it can keep drops changes, and of a link it does not tell that the linked file has
# changed; while files are saved, all are looked at this often.
_SCAN_EVERY_S = 60.0
# What more files at once say of their namespaces is read when the table is next replaced: this thread runs beside keys.
_MAX_READ_FILES = 40

# The files that are there now, and the paths of those that an index has to read again or to forget.
OnChanged = Callable[[FileTable, frozenset[str]], None]


class Follower:
    """For one workspace and one thread at a time."""

    def __init__(self, workspace: Workspace, on_changed: OnChanged) -> None:
        """Nothing is looked at yet."""
        self._workspace = workspace
        self._on_changed = on_changed
        self._seen: FileTable | None = None
        self._rules = IgnoreRules(workspace.root)
        self._scanned_at_s = 0.0

    def take(self, paths: frozenset[str] | None) -> None:
        """Take up what the watcher heard of; a file that was saved does not wait for all to be looked at."""
        if self._seen is not None and paths is not None and not any(_name(path) in FOLDER_MARKS for path in paths):
            self._follow(rescan(self._workspace.root, self._seen, self._rules, paths), paths)
            if time.monotonic() - self._scanned_at_s < _SCAN_EVERY_S:
                return
        self._rules = IgnoreRules(self._workspace.root)
        self._scanned_at_s = time.monotonic()
        self._follow(scan(self._workspace.root), paths or frozenset())

    def _follow(self, files: FileTable, paths: frozenset[str]) -> None:
        """Go on to `files`; of `paths` nothing is believed to be as it was."""
        seen, self._seen = self._seen or self._workspace.files, files
        changed = _changed(seen, files)
        # Else the table stays: with a new one every selection is made anew, and what manifests say is read again.
        is_other = list(files.stamps) != list(self._workspace.files.stamps)
        if is_other or any(_name(path) in MANIFESTS for path in changed) or self._some_moved(files, changed):
            self._workspace.replace_files(files)
        self._on_changed(files, changed.union(path for path in paths if code_language(path)))

    def _some_moved(self, files: FileTable, changed: frozenset[str]) -> bool:
        if len(changed) > _MAX_READ_FILES:
            return False
        stamps = {path: files.stamps[path] for path in changed if path in files.stamps}
        return any(self._workspace.is_in_other_package(path, stamp) for path, stamp in stamps.items())


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _changed(before: FileTable, after: FileTable) -> frozenset[str]:
    paths = (path for path, stamp in after.stamps.items() if before.stamps.get(path) != stamp)
    return frozenset(paths) | (set(before.stamps) - set(after.stamps))
