"""The watcher hears of what happens on the disk; the upkeep makes the index follow."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fimble.context.index import watch
from fimble.context.index.refresh import refresh
from fimble.context.index.store import IndexStore
from fimble.context.index.upkeep import Upkeep
from fimble.context.index.watch import Watcher
from fimble.context.index.workspace import Workspace

_PATIENCE_S = 30.0


def eventually(check: Callable[[], bool]) -> None:
    """Wait until something holds; a file system tells of changes when it likes."""
    deadline = time.monotonic() + _PATIENCE_S
    while not check():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


class Heard:
    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.everything = 0
        self.n_calls = 0
        self._lock = threading.Lock()

    def __call__(self, paths: frozenset[str] | None) -> None:
        with self._lock:
            self.n_calls += 1
            self.paths |= paths or set()
            self.everything += paths is None


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    heard = Heard()
    watcher = Watcher(tmp_path, heard)
    watcher.start()
    yield heard
    watcher.stop()


def test_files_are_told_by_name(heard: Heard, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    eventually(lambda: "a.py" in heard.paths)
    assert heard.everything == 0


def test_folders_and_ignore_files_change_everything(heard: Heard, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("x")
    eventually(lambda: heard.everything == 1)
    (tmp_path / "sub").mkdir()
    eventually(lambda: heard.everything == 2)


def test_a_burst_is_told_once_or_few_times(heard: Heard, tmp_path: Path) -> None:
    for number in range(500):
        (tmp_path / f"m{number}.py").write_text("x")
    # A busy machine spreads the burst over several windows, none of them large enough to say "everything".
    eventually(lambda: heard.everything > 0 or len(heard.paths) == 500)
    assert heard.n_calls < 50


def test_many_changes_in_a_row_are_one_burst(tmp_path: Path) -> None:
    """Each change wakes the watcher; only quiet, or time, ends a burst."""
    heard = Heard()
    watcher = Watcher(tmp_path, heard)
    watcher.start()
    try:
        for number in range(60):
            watcher.hear(str(tmp_path / f"m{number}.py"), is_folder=False)
            time.sleep(0.002)
        eventually(lambda: len(heard.paths) == 60)
    finally:
        watcher.stop()
    assert heard.n_calls <= 2  # a busy machine may make a pause of its own


def test_what_git_does_for_itself_is_not_told(heard: Heard, tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, heard)
    watcher.hear(str(tmp_path / ".git" / "index.lock"), is_folder=False)
    watcher.hear(str(tmp_path.parent / "elsewhere.py"), is_folder=False)
    assert not watcher._paths


def test_a_tree_with_too_many_folders_is_looked_at_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_MAX_FOLDERS", 3)
    monkeypatch.setattr(watch, "_POLL_S", 0.1)
    for number in range(5):
        (tmp_path / f"d{number}").mkdir()
    heard = Heard()
    watcher = Watcher(tmp_path, heard)
    watcher.start()
    try:
        assert watcher.is_polling
        eventually(lambda: heard.everything > 0)
    finally:
        watcher.stop()


def test_a_failing_listener_hears_the_next_change(tmp_path: Path) -> None:
    calls: list[object] = []

    def listen(paths: frozenset[str] | None) -> None:
        calls.append(paths)
        raise OSError("disk gone")

    watcher = Watcher(tmp_path, listen)
    watcher.start()
    try:
        (tmp_path / "a.py").write_text("x")
        eventually(lambda: len(calls) == 1)
        (tmp_path / "b.py").write_text("x")
        eventually(lambda: len(calls) == 2)
    finally:
        watcher.stop()


def test_the_index_follows_the_disk(tmp_path: Path) -> None:
    """Create, change, rename, delete, a folder moved away, a branch switch of many files, a loop of links."""
    root = tmp_path / "w"
    (root / "pkg").mkdir(parents=True)
    for number in range(30):
        (root / "pkg" / f"m{number}.py").write_text(f"def f{number}(): ...\n")
    index = tmp_path / "i.sqlite3"
    workspace = Workspace(root)
    upkeep = Upkeep(workspace, index)
    upkeep.start()
    store = IndexStore(index)

    def follows() -> bool:
        fresh = IndexStore(None)
        files = refresh(root, fresh).files
        return store.content() == fresh.content() and list(workspace.files.stamps) == list(files.stamps)

    try:
        eventually(follows)
        (root / "new.py").write_text("class New: ...\n")
        eventually(follows)
        (root / "new.py").write_text("class Newer(Base): ...\n")
        (root / "pkg" / "m1.py").rename(root / "renamed.py")
        (root / "pkg" / "m2.py").unlink()
        eventually(follows)
        os.symlink(root, root / "pkg" / "loop")
        (root / "pkg").rename(root / "moved")
        eventually(follows)
        shutil.rmtree(root / "moved")
        for number in range(300):
            place = root / f"branch{number % 7}" / f"n{number}.py"
            place.parent.mkdir(exist_ok=True)
            place.write_text(f"def g{number}(): ...\n")
        eventually(follows)
        (root / ".gitignore").write_text("branch3/\n")
        eventually(follows)
        assert workspace.outline("renamed.py") is not None
    finally:
        upkeep.close()
        store.close()


def test_closing_early_leaves_nothing_behind(tmp_path: Path) -> None:
    upkeep = Upkeep(Workspace(tmp_path), tmp_path / "i.sqlite3")
    upkeep.start()
    upkeep.close()
    assert all(worker.poll() is not None for worker in upkeep._workers)
