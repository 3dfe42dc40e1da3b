"""Whatever happens on the disk, taking up what was heard of it gives the index that would be made from nothing."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fimble.context.index import following
from fimble.context.index import upkeep as upkeep_module
from fimble.context.index.files import scan
from fimble.context.index.refresh import refresh
from fimble.context.index.store import BusyIndexError, DamagedIndexError, IndexStore
from fimble.context.index.upkeep import Upkeep
from fimble.context.index.watch import Watcher
from fimble.context.index.workspace import Workspace

FILES = st.sampled_from(
    ["a.py", "b.py", ".env", "x.min.js", "pkg/c.py", "pkg/sub/d.go", "pkg/sub/e.py", "node_modules/f.js", "notes.txt"]
)
TEXTS = st.sampled_from(["def f(): ...\n", "class A(B): ...\nx = 1\n", "package p\nfunc F() {}\n", "KEY=1\n", ""])
FOLDERS = st.sampled_from(["pkg", "pkg/sub", "other", "venv"])
RULES = st.sampled_from(["pkg/\n", "*.go\n", "!pkg/\n", "a.py\n", ""])


def fresh(root: Path) -> list[tuple[object, ...]]:
    store = IndexStore(None)
    refresh(root, store)
    return store.content()


class Disk(RuleBasedStateMachine):
    """Changes files, tells the watcher's ear of each as the system would, and takes them up at times of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="fimble-disk-"))
        self.root = self.folder / "w"
        self.root.mkdir()
        self.store = IndexStore(self.folder / "i.sqlite3")
        self.workspace = Workspace(self.root)
        self.upkeep = Upkeep(self.workspace, self.folder / "i.sqlite3")
        self.ear = Watcher(self.root, lambda _: None)
        self.clock = itertools.count(1)
        # Only what was heard of may be looked at, and what is read is read here.
        self.was = (following._SCAN_EVERY_S, upkeep_module._MAX_INLINE_FILES)
        following._SCAN_EVERY_S, upkeep_module._MAX_INLINE_FILES = float("inf"), 1_000
        self.upkeep._follower.take(None)
        self.is_taken = True

    def teardown(self) -> None:
        following._SCAN_EVERY_S, upkeep_module._MAX_INLINE_FILES = self.was
        self.store.close()
        shutil.rmtree(self.folder)

    def hear(self, path: Path, *, is_folder: bool = False) -> None:
        self.ear.hear(str(path), is_folder=is_folder)
        self.is_taken = False

    def make_folders(self, folder: Path) -> None:
        for above in (*reversed(folder.relative_to(self.root).parents), folder.relative_to(self.root)):
            if not (self.root / above).exists():
                (self.root / above).mkdir()
                self.hear(self.root / above, is_folder=True)

    @rule(name=FILES, text=TEXTS)
    def write(self, name: str, text: str) -> None:
        place = self.root / name
        if not place.is_dir():
            self.make_folders(place.parent)
            place.write_text(text)
            at_s = next(self.clock)
            os.utime(place, (at_s, at_s))  # two writes within the clock's grain would look alike
            self.hear(place)

    @rule(name=FILES)
    def remove(self, name: str) -> None:
        if (self.root / name).is_file():
            (self.root / name).unlink()
            self.hear(self.root / name)

    @rule(source=FILES, goal=FILES)
    def move(self, source: str, goal: str) -> None:
        if (self.root / source).is_file() and not (self.root / goal).is_dir():
            self.make_folders((self.root / goal).parent)
            (self.root / source).replace(self.root / goal)
            self.hear(self.root / source)
            self.hear(self.root / goal)

    @rule(source=FOLDERS, goal=FOLDERS)
    def move_folder(self, source: str, goal: str) -> None:
        if (self.root / source).is_dir() and not (self.root / goal).exists() and not goal.startswith(source):
            self.make_folders((self.root / goal).parent)
            (self.root / source).rename(self.root / goal)
            self.hear(self.root / source, is_folder=True)
            self.hear(self.root / goal, is_folder=True)

    @rule(name=FOLDERS)
    def remove_folder(self, name: str) -> None:
        if (self.root / name).is_dir() and not (self.root / name).is_symlink():
            shutil.rmtree(self.root / name)
            self.hear(self.root / name, is_folder=True)

    @rule(folder=FOLDERS, text=RULES)
    def ignore(self, folder: str, text: str) -> None:
        place = self.root / ".gitignore" if folder == "other" else self.root / folder / ".fimbleignore"
        if place.parent.is_dir():
            place.write_text(text)
            self.hear(place)

    @rule(folder=FOLDERS)
    def mark_as_environment(self, folder: str) -> None:
        if (self.root / folder).is_dir():
            (self.root / folder / "pyvenv.cfg").write_text("")
            self.hear(self.root / folder / "pyvenv.cfg")

    @rule(folder=FOLDERS)
    def link_to_all(self, folder: str) -> None:
        place = self.root / folder / "loop"
        if place.parent.is_dir() and not place.is_symlink():
            place.symlink_to(self.root, target_is_directory=True)
            self.hear(place)

    @rule()
    def link_outside(self) -> None:
        outside = self.folder / "outside.py"
        outside.write_text("def outside(): ...\n")
        place = self.root / "link.py"
        if not place.is_symlink():
            place.symlink_to(outside)
            self.hear(place)

    @rule()
    def take(self) -> None:
        everything, paths = self.ear._everything, frozenset(self.ear._paths)
        self.ear._everything = False
        self.ear._paths.clear()
        if everything or paths:
            self.upkeep._follower.take(None if everything else paths)
        self.is_taken = True

    @invariant()
    def is_what_would_be_made_from_nothing(self) -> None:
        if self.is_taken:
            assert self.store.content() == fresh(self.root)
            assert list(self.workspace.files.stamps) == list(scan(self.root).stamps)


TestDisk: Any = Disk.TestCase
TestDisk.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def eventually_fresh(root: Path, store: IndexStore, workspace: Workspace, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while store.content() != fresh(root) or list(workspace.files.stamps) != list(scan(root).stamps):
        assert time.monotonic() < deadline, "the index never came to be what is on the disk"
        time.sleep(0.2)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, IndexStore, Workspace, Upkeep]]:
    """A workspace with a kept index, not begun to be watched."""
    root = tmp_path / "w"
    root.mkdir()
    workspace = Workspace(root)
    upkeep = Upkeep(workspace, tmp_path / "i.sqlite3")
    store = IndexStore(tmp_path / "i.sqlite3")
    yield root, store, workspace, upkeep
    upkeep.close()
    store.close()


def test_two_thousand_files_change_at_once(watched: tuple[Path, IndexStore, Workspace, Upkeep]) -> None:
    """As `git switch` does it: files of one branch go, those of another come, others change, folders with them."""
    root, store, workspace, upkeep = watched

    def check_out(branch: int) -> None:
        for number in range(2_000):
            place = root / f"d{number % 40}" / f"m{number}.py"
            if number % 3 == branch:
                place.unlink(missing_ok=True)
            else:
                place.parent.mkdir(exist_ok=True)
                place.write_text(f"def f{number}_{branch if number % 2 else 'both'}(): ...\n")
        shutil.rmtree(root / f"d{branch}")

    check_out(0)
    upkeep.start()
    eventually_fresh(root, store, workspace)
    check_out(1)
    eventually_fresh(root, store, workspace)
    assert store.places_of("f2_both")


def test_what_changes_while_another_editor_indexes_is_not_lost(
    watched: tuple[Path, IndexStore, Workspace, Upkeep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "_TRY_AGAIN_S", 0.1)
    root, store, workspace, upkeep = watched
    lock = FileLock(f"{root.parent / 'i.sqlite3'}.lock")
    with lock:
        upkeep.start()
        for number in range(60):
            (root / f"m{number}.py").write_text(f"def f{number}(): ...\n")
        time.sleep(1.0)
        assert not store.places_of("f7")
    eventually_fresh(root, store, workspace)


def test_indexing_that_failed_is_done_with_the_next_change(
    watched: tuple[Path, IndexStore, Workspace, Upkeep], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, store, workspace, upkeep = watched
    for number in range(60):
        (root / f"m{number}.py").write_text(f"def f{number}(): ...\n")

    def start_broken(_root: Path, _index: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"])

    with monkeypatch.context() as patched:
        patched.setattr(upkeep_module, "start_worker", start_broken)
        upkeep._run_worker()
    assert not store.places_of("f7")
    (root / "another.py").write_text("def g(): ...\n")
    upkeep._follower.take(frozenset({"another.py"}))
    eventually_fresh(root, store, workspace)


@pytest.mark.parametrize(("step", "trouble"), [("refresh_files", DamagedIndexError), ("IndexStore", BusyIndexError)])
def test_who_cannot_write_to_an_index_has_it_made_whole(
    watched: tuple[Path, IndexStore, Workspace, Upkeep],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    trouble: type[Exception],
) -> None:
    root, store, workspace, upkeep = watched
    for number in range(60):
        (root / f"m{number}.py").write_text(f"def f{number}(): ...\n")
    upkeep._follower.take(None)

    def meet_trouble(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(upkeep_module, step, meet_trouble)
    (root / "m3.py").write_text("def g(): ...\n")
    upkeep._follower.take(frozenset({"m3.py"}))
    eventually_fresh(root, store, workspace)


def test_a_file_that_is_slow_to_read_holds_up_nobody(
    watched: tuple[Path, IndexStore, Workspace, Upkeep], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network drive. A pipe by a source file's name would never end; it is none."""
    root, store, workspace, upkeep = watched
    (root / "quick.py").write_text("def quick(): ...\n")
    upkeep.start()
    eventually_fresh(root, store, workspace)
    is_asked, may_read = threading.Event(), threading.Event()
    read_bytes = Path.read_bytes

    def read_slowly(path: Path) -> bytes:
        if path.name == "slow.py" and threading.current_thread().name == "fimble-watch":
            is_asked.set()
            may_read.wait()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read_slowly)
    (root / "slow.py").write_text("def slow(): ...\n")
    os.mkfifo(root / "pipe.py")
    assert is_asked.wait(30)
    assert workspace.outline("quick.py") is not None
    assert store.places_of("quick")
    assert not store.places_of("slow")
    may_read.set()
    eventually_fresh(root, store, workspace)
    assert store.places_of("slow")


def test_a_folder_that_cannot_be_listed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "w"
    (root / "closed").mkdir(parents=True)
    (root / "closed" / "a.py").write_text("def a(): ...\n")
    (root / "b.py").write_text("def b(): ...\n")
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    store = IndexStore(None)
    refresh(root, store)
    assert set(store.stamps()) == {"b.py"}
    monkeypatch.undo()
    refresh(root, store)
    assert set(store.stamps()) == {"b.py", "closed/a.py"}


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_folder_whose_permission_is_taken_away_is_forgotten(
    watched: tuple[Path, IndexStore, Workspace, Upkeep],
) -> None:
    root, store, workspace, upkeep = watched
    (root / "closed").mkdir()
    (root / "closed" / "a.py").write_text("def a(): ...\n")
    upkeep.start()
    eventually_fresh(root, store, workspace)
    (root / "closed").chmod(0)
    try:
        (root / "b.py").write_text("def b(): ...\n")
        (root / "new").mkdir()
        eventually_fresh(root, store, workspace)
        assert set(store.stamps()) == {"b.py"}
    finally:
        (root / "closed").chmod(0o700)
