"""Which programs give way, and how much they use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fimble.backend.host.cores import CpuUse, ThreadChooser
from fimble.backend.host.yielding import Yielding

_TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(autouse=True)
def _of_usual_niceness(monkeypatch: pytest.MonkeyPatch) -> None:
    """However niced the tests are run."""
    monkeypatch.setattr(os, "getpriority", lambda which, who: 2)


def write(proc: Path, pid: int, *, used_s: float, niceness: int, session: int | None, shared: bool = True) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    fields = ["S", *"0" * 10, str(int(used_s * _TICKS)), "0", "0", "0", "20", str(niceness), "1"]
    (folder / "stat").write_text(f"{pid} (a name) of) {' '.join(fields)}\n")
    if session is not None:
        (folder / "autogroup").write_text(f"/autogroup-7 nice {session}\n")
    switch = proc / "sys" / "kernel" / "sched_autogroup_enabled"
    switch.parent.mkdir(parents=True, exist_ok=True)
    switch.write_text(f"{int(shared)}\n")


@pytest.mark.parametrize(
    ("niceness", "session", "shared", "n_cores"),
    [
        (19, 19, True, 0.5),
        (10, 10, True, 0.5),
        (19, 0, True, 0.0),  # beside its session, its niceness counts for nothing
        (19, 0, False, 0.5),
        (19, None, True, 0.5),
        (0, 19, True, 0.0),
        (5, 5, True, 0.0),
    ],
)
def test_who_gives_way(niceness: int, session: int | None, shared: bool, n_cores: float, tmp_path: Path) -> None:
    now_s = 10.0
    yielding = Yielding(proc=tmp_path, now_s=lambda: now_s)
    write(tmp_path, 7, used_s=3.0, niceness=niceness, session=session, shared=shared)
    assert yielding.n_cores() == 0.0, "the first look tells nothing"
    now_s = 11.0
    write(tmp_path, 7, used_s=3.5, niceness=niceness, session=session, shared=shared)
    assert yielding.n_cores() == pytest.approx(n_cores)


def test_one_that_has_gone_is_forgotten_and_a_new_one_found(tmp_path: Path) -> None:
    now_s = 10.0
    yielding = Yielding(proc=tmp_path, now_s=lambda: now_s)
    write(tmp_path, 7, used_s=3.0, niceness=19, session=19)
    yielding.n_cores()
    (tmp_path / "7" / "stat").unlink()
    write(tmp_path, 8, used_s=1.0, niceness=19, session=19)
    now_s = 13.0
    assert yielding.n_cores() == 0.0
    now_s = 14.0
    write(tmp_path, 8, used_s=1.25, niceness=19, session=19)
    assert yielding.n_cores() == pytest.approx(0.25)


def test_nobody_gives_way_to_who_gives_way_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpriority", lambda which, who: 10)
    now_s = 10.0
    yielding = Yielding(proc=tmp_path, now_s=lambda: now_s)
    write(tmp_path, 7, used_s=3.0, niceness=19, session=19)
    yielding.n_cores()
    now_s = 11.0
    write(tmp_path, 7, used_s=3.5, niceness=19, session=19)
    assert yielding.n_cores() == 0.0


@pytest.mark.parametrize(("n_yielding", "n_threads"), [(0.0, 1), (1.0, 2)])
def test_threads_are_given_up_only_for_those_who_do_not(n_yielding: float, n_threads: int) -> None:
    at_s, use = 0.0, CpuUse(0.0, 0.0)
    chooser = ThreadChooser(
        2, now_s=lambda: at_s, use=lambda: use, n_others=lambda: None, n_yielding=lambda: n_yielding
    )
    at_s, use = 1.0, CpuUse(2.0, 1.0)
    assert chooser.n_threads() == n_threads


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_a_real_one_is_found(tmp_path: Path) -> None:
    say = "from fimble.core.priority import give_way\ngive_way(19)\nwhile True: pass"
    spinning = subprocess.Popen([sys.executable, "-c", say], start_new_session=True)
    try:
        # Of all processes only this one is to be seen: others may give way too.
        (tmp_path / str(spinning.pid)).symlink_to(f"/proc/{spinning.pid}")
        (tmp_path / "sys").symlink_to("/proc/sys")
        deadline_s, most = time.monotonic() + 20, 0.0
        now_s = 0.0
        yielding = Yielding(proc=tmp_path, now_s=lambda: now_s)
        while most == 0.0 and time.monotonic() < deadline_s:  # it begins after a while
            now_s += 3.0  # each look searches anew
            most = max(most, yielding.n_cores())
            time.sleep(0.1)
        assert most > 0.0
    finally:
        spinning.kill()
        spinning.wait()
