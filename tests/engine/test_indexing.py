"""Indexing as other work while something is measured: again and again, and gone afterwards."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from fimble.core.errors import InputError
from fimble.engine.indexing import always_indexing


def test_it_indexes_again_and_again_and_ends_with_the_block(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def first() -> None: ...\n")
    seen: set[int] = set()
    with always_indexing(tmp_path) as cpu_s:
        while len(seen) < 2 or not cpu_s():  # pytest-timeout ends this where nothing is indexed
            seen |= _indexers()
            time.sleep(0.01)
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
    return {
        child.pid
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "fimble.context.index.worker" in child.cmdline()
    }
