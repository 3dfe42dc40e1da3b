"""Hears of changes below a folder, and tells of them in bursts: which paths, or that too much changed to say."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

_log = logging.getLogger(__name__)

QUIET_S = 0.3
_MAX_WAIT_S = 3.0
_MAX_PATHS = 200
# Each folder takes a watch of the system's, of which a user has 8,192 on older kernels; editors need some too.
_MAX_FOLDERS = 6_000
_POLL_S = 30.0

# Paths that changed; None: look at everything.
OnChange = Callable[[frozenset[str] | None], None]


class Watcher:
    """Calls back from a thread of its own, when nothing has changed for `QUIET_S`, or at the latest after 3 s.

    A tree with too many folders is not watched; then the callback hears "everything" every 30 s.
    """

    def __init__(self, root: Path, on_change: OnChange) -> None:
        """Nothing is watched yet."""
        self._root = root
        self._on_change = on_change
        self._condition = threading.Condition()
        self._paths: set[str] = set()
        self._everything = False
        self._changed = False
        self._stopped = False
        self._observer: BaseObserver | None = None
        self._thread = threading.Thread(target=self._tell, name="fimble-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        if _n_folders(self._root, _MAX_FOLDERS) <= _MAX_FOLDERS:
            observer = Observer()
            try:
                observer.schedule(_Handler(self), str(self._root), recursive=True)
                observer.start()
            except OSError as error:  # no watches left
                _log.warning("%s cannot be watched: %s", self._root, error)
            else:
                self._observer = observer
        with self._condition:
            is_stopped = self._stopped
        if is_stopped:  # while the folders were counted
            self.stop()
        else:
            self._thread.start()

    @property
    def is_polling(self) -> bool:
        """Whether changes are looked for instead of being heard of."""
        return self._observer is None

    def stop(self) -> None:
        """End the threads."""
        with self._condition:
            self._stopped = True
            self._condition.notify()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)

    def hear(self, path: str, *, is_folder: bool) -> None:
        """A path has changed."""
        try:
            relative = os.path.relpath(path, self._root).replace(os.sep, "/")
        except ValueError:
            return
        if relative.startswith((".git/", "../")) or relative in (".git", ".."):
            return
        with self._condition:
            self._changed = True
            if is_folder or relative.rpartition("/")[2] in (".gitignore", ".fimbleignore"):
                self._everything = True
            self._paths.add(relative)
            self._everything |= len(self._paths) > _MAX_PATHS
            self._condition.notify()

    def _tell(self) -> None:
        while True:
            with self._condition:
                if not self._changed and not self._stopped:
                    self._condition.wait(_POLL_S if self.is_polling else None)
                if self._stopped:
                    return
                if self.is_polling:
                    self._changed = self._everything = True
                until_s = time.monotonic() + _MAX_WAIT_S
                while self._changed and not self._stopped and time.monotonic() < until_s:
                    self._changed = False
                    # Each change wakes this thread; only time is waited for.
                    self._condition.wait_for(lambda: self._stopped, QUIET_S)
                paths = None if self._everything else frozenset(self._paths)
                self._paths.clear()
                self._everything = self._changed = False
                if self._stopped:
                    return
            if paths is None or paths:
                try:
                    self._on_change(paths)
                except Exception:
                    _log.exception("a change of %s could not be taken up", self._root)


class _Handler(FileSystemEventHandler):
    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed", "closed_no_write"):
            return
        # What changes in a folder is told of by name; "modified" of the folder itself says nothing more.
        if event.is_directory and event.event_type == "modified":
            return
        for path in (event.src_path, getattr(event, "dest_path", "")):
            if path:
                self._watcher.hear(os.fsdecode(path), is_folder=event.is_directory)


def _n_folders(root: Path, limit: int) -> int:
    """Folders below `root`, the ignored ones too, for the system watches these as well; at most `limit` + 1."""
    n_folders, folders = 1, [str(root)]
    while folders and n_folders <= limit:
        try:
            with os.scandir(folders.pop()) as entries:
                found = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        folders += found
        n_folders += len(found)
    return n_folders
