"""Indexes for measuring: a whole one of a copy, made at once, and one that is being made all the while."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import psutil

from fimble.context.index.files import scan
from fimble.context.index.refresh import refresh, refresh_files
from fimble.context.index.store import IndexStore, index_path
from fimble.context.index.worker import start_worker
from fimble.core.errors import InputError

_LOOK_AGAIN_S = 0.1


@contextlib.contextmanager
def index_of_copy(cache: Path, repository: Path, root: Path, changed: Sequence[str]) -> Generator[None]:
    """While it lasts, `cache` has an index of `root`, a copy of `repository` in which the files `changed` differ.

    The repository's own index is made once, and taken for what it is from then on.
    """
    known, own = index_path(cache, repository), index_path(cache, root)
    if not known.exists():
        _make(known, repository)
    shutil.copy(known, own)
    with contextlib.closing(IndexStore(own)) as store:
        refresh_files(root, store, scan(root), changed)
    try:
        yield
    finally:
        for part in own.parent.glob(f"{own.name}*"):
            part.unlink()


def _make(index: Path, root: Path) -> None:
    """Index all of `root`; there is no `index` before it is whole."""
    index.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="making-", dir=index.parent) as folder:
        unfinished = Path(folder) / index.name
        with contextlib.closing(IndexStore(unfinished)) as store:
            refresh(root, store)
        unfinished.replace(index)  # closed, it is one file


@contextlib.contextmanager
def always_indexing(root: Path) -> Generator[Callable[[], float]]:
    """While it lasts, `root` is indexed from nothing, by the process that a server starts, again and again.

    Gives a function that says how many CPU seconds the processes that were at it have used so far.

    Raises:
        InputError: on leaving: `root` could not be indexed.
    """
    ended = threading.Event()
    # CPU seconds of the processes that have ended, and the one that is at it: one value, as another thread reads it.
    used: tuple[float, psutil.Process | None] = 0.0, None
    failed = False

    def index_again() -> None:
        nonlocal used, failed
        while not (failed or ended.is_set()):
            with tempfile.TemporaryDirectory(prefix="fimble-indexing-") as folder:
                process = start_worker(root, Path(folder) / "index.sqlite3")
                current, (ended_s, _) = psutil.Process(process.pid), used
                used = ended_s, current
                # Once it is polled, its CPU seconds are gone.
                while current.status() != psutil.STATUS_ZOMBIE and not ended.wait(_LOOK_AGAIN_S):
                    pass
                used = ended_s + _cpu_s(current), None
                failed = bool(process.poll())
                process.kill()
                process.wait()

    def cpu_s() -> float:
        ended_s, current = used
        return ended_s + (_cpu_s(current) if current else 0.0)

    thread = threading.Thread(target=index_again, name="indexing", daemon=True)
    thread.start()
    try:
        yield cpu_s
    finally:
        ended.set()
        thread.join()
    if failed:
        raise InputError(f"The code in {root} could not be indexed.", mend=f"Try `fimble index {root}`.")


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0
