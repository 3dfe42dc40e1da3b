"""After any change of the disk, a refreshed index is the one that would be made from nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.context.index.damage import damaged_pages

from fimble.context.index import worker
from fimble.context.index.refresh import refresh, refresh_files
from fimble.context.index.store import IndexStore
from fimble.context.index.worker import run, start_worker

NAMES = ("a.py", "b.py", "pkg/c.py", "pkg/sub/d.go", "other/e.ts", ".gitignore")
TEXTS = ("def f(): ...\n", "class A(B): ...\nx = 1\n", "package p\nfunc F() {}\n", "pkg/\n", "")


@pytest.fixture(autouse=True)
def _keeps_its_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs the indexing process's code in this one must not lower all that follows for good."""
    monkeypatch.setattr(worker, "_lower_priority", lambda: None)


def fresh(root: Path) -> list[tuple[object, ...]]:
    store = IndexStore(None)
    refresh(root, store)
    return store.content()


def test_stopping_keeps_what_was_read(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    for number in range(120):
        (root / f"m{number:03}.py").write_text(f"def f{number}(): ...\n")
    store = IndexStore(None)

    class Stop(Exception):
        pass

    def stop(n_read: int, n_total: int) -> None:
        assert n_total == 120
        raise Stop

    with pytest.raises(Stop):
        refresh(root, store, on_progress=stop)
    assert 0 < len(store.stamps()) < 120
    refreshed = refresh(root, store)
    assert refreshed.n_read == 120 - 50
    assert store.content() == fresh(root)


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    for number in range(20):
        (root / f"m{number:03}.py").write_text(f"def f{number}(key): ...\n" * 9)
    index = tmp_path / "i.sqlite3"
    made = IndexStore(index)
    refresh(root, made)
    made.close()
    for _ in damaged_pages(index):
        store = IndexStore(index)
        assert refresh(root, store).n_read == 20
        assert store.content() == fresh(root)
        store.close()


change = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("move"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("remove folder"), st.sampled_from(["pkg", "pkg/sub", "other"]), st.just("")),
    st.tuples(st.just("link"), st.sampled_from(["loop", "pkg/loop"]), st.just("")),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(change, max_size=10), st.lists(change, max_size=10))
def test_refreshed_equals_fresh(
    tmp_path_factory: pytest.TempPathFactory, before: list[tuple[str, str, str]], after: list[tuple[str, str, str]]
) -> None:
    root = tmp_path_factory.mktemp("w")
    store = IndexStore(None)
    clock = iter(range(1, 10_000))
    for changes in (before, after):
        for kind, name, detail in changes:
            apply(root, kind, name, detail, next(clock))
        refresh(root, store)
        assert store.content() == fresh(root)


def apply(root: Path, kind: str, name: str, detail: str, at_s: int) -> None:
    place = root / name
    if kind == "write" and not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(detail)
        os.utime(place, (at_s, at_s))  # two writes within the clock's grain would look alike
    elif kind == "delete":
        place.unlink(missing_ok=True)
    elif kind == "move" and place.is_file() and not (root / detail).is_dir():
        (root / detail).parent.mkdir(parents=True, exist_ok=True)
        place.replace(root / detail)
    elif kind == "remove folder":
        shutil.rmtree(place, ignore_errors=True)
    elif kind == "link" and not place.is_symlink():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(root, target_is_directory=True)


def test_single_files(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.py").write_text("def f(): ...\n")
    (root / "b.py").write_text("def g(): ...\n")
    store = IndexStore(None)
    refresh(root, store)
    (root / "a.py").write_text("def longer_name(): ...\n")
    (root / "b.py").unlink()
    (root / "c.py").write_text("def h(): ...\n")
    from fimble.context.index.files import scan

    refresh_files(root, store, scan(root), ["a.py", "b.py", "c.py", "nowhere.py", "notes.txt"])
    assert store.content() == fresh(root)


def test_the_worker_indexes_and_ends(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.py").write_text("def f(): ...\n")
    index = tmp_path / "cache" / "i.sqlite3"
    assert start_worker(root, index).wait(timeout=60) == 0
    assert IndexStore(index).places_of("f")


def test_two_workers_do_not_meet(tmp_path: Path) -> None:
    from filelock import FileLock

    root = tmp_path / "w"
    root.mkdir()
    index = tmp_path / "i.sqlite3"
    with FileLock(f"{index}.lock"):
        assert start_worker(root, index).wait(timeout=60) == 2
    assert not index.exists()


def test_the_process_gives_way(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    for number in range(1_000):
        (root / f"m{number}.py").write_text("x = 1\n")
    process = start_worker(root, tmp_path / "i.sqlite3")
    try:
        while process.poll() is None and not _gives_way(process.pid):  # pytest-timeout ends this where it never does
            time.sleep(0.005)
        assert process.poll() is None, "it ended before anybody could look"
    finally:
        process.kill()
        process.wait()


def _gives_way(pid: int) -> bool:
    session = Path(f"/proc/{pid}/autogroup")
    said = session.read_text() if session.exists() else ""  # empty too where a cgroup has taken its place
    return psutil.Process(pid).nice() == 19 and (not said or said.endswith("nice 19\n"))


def test_a_worker_whose_parent_has_gone_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "w"
    root.mkdir()
    for number in range(60):
        (root / f"m{number}.py").write_text("x = 1\n")
    parents = iter([100, 1, 1, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    assert run(root, tmp_path / "i.sqlite3") == 1
    assert 0 < len(IndexStore(tmp_path / "i.sqlite3").stamps()) < 60


def test_indexes_nobody_used_for_long_go(tmp_path: Path) -> None:
    old, recent = tmp_path / "old.sqlite3", tmp_path / "recent.sqlite3"
    for path in (old, recent):
        IndexStore(path).close()
    os.utime(old, (1, 1))
    (tmp_path / "w").mkdir()
    assert run(tmp_path / "w", tmp_path / "mine.sqlite3") == 0
    assert not old.exists()
    assert recent.exists()


def test_the_worker_needs_no_model_runtime() -> None:
    code = (
        "import sys, fimble.context.index.worker\n"
        "print([name for name in sys.modules if name.startswith(('llama_cpp', 'pygls', 'numpy'))])"
    )
    shown = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
