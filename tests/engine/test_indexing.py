"""Indexes for measuring: one of a copy, made from a whole one, and one made again and again, gone afterwards."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from fimble.context.index.refresh import Refreshed, refresh
from fimble.context.index.store import IndexStore, index_path
from fimble.core.errors import InputError
from fimble.engine.indexing import always_indexing, index_of_copy


def test_an_index_whose_making_was_interrupted_is_not_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, repository, copy = tmp_path / "cache", tmp_path / "repository", tmp_path / "copy"
    repository.mkdir()
    for number in range(60):
        (repository / f"m{number}.py").write_text(f"def f{number}(): ...\n")
    shutil.copytree(repository, copy)
    (copy / "m7.py").write_text("def changed(): ...\n")

    def stop(_n_read: int, _n_total: int) -> None:
        raise KeyboardInterrupt

    def interrupted(root: Path, store: IndexStore) -> Refreshed:
        return refresh(root, store, on_progress=stop)

    with monkeypatch.context() as patch:
        patch.setattr("fimble.engine.indexing.refresh", interrupted)
        with pytest.raises(KeyboardInterrupt), index_of_copy(cache, repository, copy, ["m7.py"]):
            pass
    for _ in range(2):  # made, then known
        with index_of_copy(cache, repository, copy, ["m7.py"]):
            store = IndexStore(index_path(cache, copy))
            assert len(store.stamps()) == 60
            assert store.places_of("f59")
            assert store.places_of("changed")
            assert not store.places_of("f7")
            store.close()
        assert list((cache / "index").iterdir()) == [index_path(cache, repository)]


def test_it_indexes_again_and_again_and_ends_with_the_block(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def first() -> None: ...\n")
    seen: set[int] = set()
    with always_indexing(tmp_path) as cpu_s:
        while len(seen) < 2 or not cpu_s():  # pytest-timeout ends this where nothing is indexed
            seen |= _indexers()
            time.sleep(0.01)
        used_s = cpu_s()
        while len(seen) < 3:
            seen |= _indexers()
            time.sleep(0.01)
        assert cpu_s() >= used_s  # those that have ended count on
    assert not _indexers()


def test_indexing_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_broken(_root: Path, _index: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"])

    monkeypatch.setattr("fimble.engine.indexing.start_worker", start_broken)
    with pytest.raises(InputError, match="could not be indexed"), always_indexing(tmp_path):
        _wait_till_given_up()


def _wait_till_given_up() -> None:
    while any(thread.name == "indexing" for thread in threading.enumerate()):
        time.sleep(0.01)


def _indexers() -> set[int]:
    return {child.pid for child in psutil.Process().children() if _is_indexer(child)}


def _is_indexer(child: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # between the two looks it may end, or be waited for
        return child.status() != psutil.STATUS_ZOMBIE and "fimble.context.index.worker" in child.cmdline()
    return False
