"""Keeps one workspace's files and index as they are on the disk: a refresh at the start, then whatever changes."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
from pathlib import Path

from fimble.context.index.files import FileTable
from fimble.context.index.following import Follower
from fimble.context.index.refresh import refresh, refresh_files
from fimble.context.index.store import BusyIndexError, DamagedIndexError, IndexStore
from fimble.context.index.watch import Watcher
from fimble.context.index.worker import SOMEBODY_ELSE, start_worker
from fimble.context.index.workspace import Workspace

_log = logging.getLogger(__name__)

# Up to so many files are read by the thread that heard of them: 5 ms each. More go to the indexing process.
_MAX_INLINE_FILES = 40
_TRY_AGAIN_S = 2.0


class Upkeep:
    """The background work for one workspace. Its methods may be called from any thread."""

    def __init__(self, workspace: Workspace, index: Path) -> None:
        """Nothing runs yet."""
        self._workspace = workspace
        self._index = index
        self._follower = Follower(workspace, self._bring_up)
        self._watcher = Watcher(workspace.root, self._follower.take)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._is_behind = False

    def start(self) -> None:
        """Begin to watch, and bring the index up to date in a process of low priority. Returns at once."""
        threading.Thread(target=self._begin, name="fimble-index-start", daemon=True).start()

    def close(self) -> None:
        """End everything; an unfinished refresh goes on at the next start."""
        with self._lock:
            self._stopped.set()
            workers = tuple(self._workers)
        self._watcher.stop()
        for worker in workers:
            worker.terminate()
            worker.wait()

    def _begin(self) -> None:
        try:
            self._watcher.start()
            self._run_worker()
        except Exception:
            _log.exception("%s is not indexed", self._workspace.root)

    def _bring_up(self, files: FileTable, changed: frozenset[str]) -> None:
        """Bring the index to `files`."""
        if 0 < len(changed) <= _MAX_INLINE_FILES and not self._is_behind:
            try:
                with contextlib.closing(IndexStore(self._index)) as store:
                    refresh_files(self._workspace.root, store, files, sorted(changed))
            except (DamagedIndexError, BusyIndexError):
                self._is_behind = True
        if len(changed) > _MAX_INLINE_FILES or self._is_behind:
            self._run_worker()

    def _run_worker(self) -> None:
        """Have everything looked at; where somebody is at it already, once more when he has done."""
        code = SOMEBODY_ELSE
        while code == SOMEBODY_ELSE:
            with self._lock:
                if self._stopped.is_set():
                    return
                worker = start_worker(self._workspace.root, self._index)
                self._workers.append(worker)
            code = worker.wait()
            with self._lock:
                self._workers.remove(worker)
            if code == SOMEBODY_ELSE:
                self._stopped.wait(_TRY_AGAIN_S)
        self._is_behind = code != 0
        if code and not self._stopped.is_set():
            _log.warning("indexing %s ended with code %d; it goes on with the next change", self._workspace.root, code)


def refresh_now(workspace: Workspace, store: IndexStore) -> None:
    """Bring an index up to date here and now: for small workspaces, whose index lives in memory."""
    workspace.replace_files(refresh(workspace.root, store).files)
