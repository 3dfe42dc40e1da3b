"""The indexing process: refreshes one workspace's index at the lowest priority, then ends.

Run as `python -P -m fimble.context.index.worker ROOT INDEX`. It ends early when the process that started it has gone,
and at once when another one is at the same index.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from fimble.context.index.refresh import refresh
from fimble.context.index.store import IndexStore
from fimble.core.priority import give_way

_MAX_AGE_S = 60 * 24 * 3600  # an index that nobody refreshed for so long goes
# Reading a file takes about 5 ms; after each batch the disk and the core are left to others for a moment.
_PAUSE_S = 0.05
SOMEBODY_ELSE = 2
"""The exit code where another process is at the same index."""


class _OrphanedError(Exception):
    """Who wanted the index has gone."""


def start_worker(root: Path, index: Path) -> subprocess.Popen[bytes]:
    """Start the process; the caller waits for it or ends it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "fimble.context.index.worker", str(root), str(index)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the editor's Ctrl-C is not for it
    )


def run(root: Path, index: Path) -> int:
    """Refresh; the exit code: 0 done, 1 ended early, 2 somebody else is at it."""
    parent = os.getppid()
    _lower_priority()

    def check(_n_read: int, _n_total: int) -> None:
        if os.getppid() != parent:
            raise _OrphanedError
        time.sleep(_PAUSE_S)

    index.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(f"{index}.lock", timeout=0):
            _prune(index)
            store = IndexStore(index)
            try:
                refresh(root, store, on_progress=check)
            finally:
                store.close()
            os.utime(index)
    except Timeout:
        return SOMEBODY_ELSE
    except _OrphanedError:
        return 1
    return 0


def _lower_priority() -> None:
    give_way(19)
    with contextlib.suppress(psutil.Error, OSError, AttributeError, ValueError):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def _prune(index: Path) -> None:
    """Remove indexes of workspaces that have long not been opened."""
    oldest = time.time() - _MAX_AGE_S
    for path in index.parent.glob("*.sqlite3"):
        with contextlib.suppress(OSError):
            if path != index and path.stat().st_mtime < oldest:
                for part in path.parent.glob(f"{path.name}*"):
                    part.unlink()


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), Path(sys.argv[2])))
