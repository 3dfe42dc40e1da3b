"""Threads follow the cores that others leave free."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from fimble.backend.host import cores
from fimble.backend.host.cores import CpuUse, ThreadChooser, n_others_running, read_use, usable_cores
from fimble.backend.host.quota import quota_cores
from fimble.backend.host.yielding import Yielding


@pytest.fixture(autouse=True)
def _nobody_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of the machine that runs the tests are none of these machines'."""
    monkeypatch.setattr(Yielding, "n_cores", lambda self: 0.0)


class Machine:
    """A machine whose load is set by hand."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.use = CpuUse(100.0, 10.0)

    def run(self, seconds: float, *, others: float, own: float) -> None:
        """`others` and `own` are cores in use."""
        self.at_s += seconds
        self.use = CpuUse(self.use.all_s + seconds * (others + own), self.use.own_s + seconds * own)


@pytest.mark.parametrize(
    ("n_cores", "others", "n_threads"),
    [
        (2, 0.0, 2),
        (2, 0.3, 2),
        (2, 0.8, 1),
        (2, 2.0, 1),
        (8, 0.0, 8),
        (8, 3.1, 5),
        (8, 8.0, 1),
        (1, 1.0, 1),
        (32, 0, 8),
    ],
)
def test_follows_the_load_of_others(n_cores: int, others: float, n_threads: int) -> None:
    machine = Machine()
    chooser = ThreadChooser(n_cores, now_s=lambda: machine.at_s, use=lambda: machine.use, n_others=lambda: None)
    machine.run(1.0, others=others, own=1.5)
    assert chooser.n_threads() == n_threads


def test_measures_windows_not_moments() -> None:
    machine = Machine()
    chooser = ThreadChooser(2, now_s=lambda: machine.at_s, use=lambda: machine.use, n_others=lambda: None)
    machine.run(0.05, others=2.0, own=0.0)
    assert chooser.n_threads() == 2, "a window too short to judge changed the count"
    machine.run(0.2, others=2.0, own=0.0)
    assert chooser.n_threads() == 1
    machine.run(0.2, others=0.0, own=2.0)
    assert chooser.n_threads() == 2, "our own load was taken for that of others"


@pytest.mark.parametrize(
    ("looks", "n_threads"), [([0], 2), ([1], 1), ([2], 1), ([None], 1), ([2, 1, 1, 0, 2], 2), ([1, 2, 1, 2, 1], 1)]
)
def test_programs_that_have_ended_take_no_core(looks: list[int | None], n_threads: int) -> None:
    machine = Machine()
    later = itertools.cycle(looks)
    chooser = ThreadChooser(
        2, now_s=lambda: machine.at_s, use=lambda: machine.use, n_others=lambda: next(later), sleep=lambda _: None
    )
    machine.run(3.0, others=1.0, own=0.0)
    assert chooser.n_threads() == n_threads


def test_a_moment_of_work_takes_no_core() -> None:
    machine = Machine()
    chooser = ThreadChooser(2, now_s=lambda: machine.at_s, use=lambda: machine.use, n_others=lambda: 2)
    machine.run(3.0, others=0.1, own=0.0)
    assert chooser.n_threads() == 2


def test_a_quota_leaves_fewer_threads_but_no_busier_cores() -> None:
    machine = Machine()
    chooser = ThreadChooser(
        16, max_threads=2, now_s=lambda: machine.at_s, use=lambda: machine.use, n_others=lambda: None
    )
    assert chooser.n_threads() == 2
    machine.run(1.0, others=10.0, own=2.0)
    assert chooser.n_threads() == 2, "the load of cores that we would not use was taken off the quota"
    machine.run(1.0, others=15.0, own=1.0)
    assert chooser.n_threads() == 1


@pytest.mark.parametrize(("quota", "n_usable"), [(None, 4), (2.0, 2), (2.9, 2), (0.5, 1), (64.0, 4)])
def test_a_quota_limits_the_usable_cores(monkeypatch: pytest.MonkeyPatch, quota: float | None, n_usable: int) -> None:
    monkeypatch.setattr(cores, "quota_cores", lambda: quota)
    monkeypatch.setattr(cores, "masked_cores", lambda: 4)
    assert usable_cores() == n_usable


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("0::/user.slice/a.scope\n", {"user.slice/a.scope/cpu.max": "150000 100000"}, 1.5),
        ("0::/up/low\n", {"up/cpu.max": "100000 100000", "up/low/cpu.max": "400000 100000"}, 1.0),
        ("0::/up\n", {"up/cpu.max": "max 100000\n"}, None),
        ("0::/../..\n", {"cpu.max": "300000 100000"}, 3.0),
        ("4:cpu,cpuacct:/docker/1\n0::/\n", {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ("4:cpuacct,cpu:/a\n", {"cpuacct,cpu/a/cpu.cfs_quota_us": "9", "cpuacct,cpu/a/cpu.cfs_period_us": "3"}, 3.0),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("4:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": ""}, None),
        ("0::/\n", {"cpu.max": "100000"}, None),
        ("0::/\n", {"cpu.max": "100000 0"}, None),
        ("0::/\n", {"cpu.max": "\x80 many"}, None),
        ("what\n\n:\n::", {"cpu.max": "100000 100000"}, 1.0),
        ("", {"cpu.max": "100000 100000"}, None),
    ],
)
def test_the_quota_of_a_cgroup_is_read(tmp_path: Path, own: str, files: dict[str, str], quota: float | None) -> None:
    (tmp_path / "own").write_text(own, "utf-8")
    for name, text in files.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "latin-1")
    assert quota_cores(tmp_path / "own", tmp_path / "mount") == quota


def test_without_cgroups_there_is_no_quota(tmp_path: Path) -> None:
    assert quota_cores(tmp_path / "none", tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and the mask are Linux's")
def test_the_load_of_cores_outside_the_mask_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    Times = namedtuple("Times", "user idle guest")
    numbers = [
        int(name[3:])
        for line in Path("/proc/stat").read_text("ascii").splitlines()
        if (name := line.split()[0])[3:].isdigit() and name.startswith("cpu")
    ]
    times = [Times(2.0**i, 1000.0, 0.0) for i in range(len(numbers))]
    monkeypatch.setattr(psutil, "cpu_times", lambda *, percpu: times)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {numbers[-1]})
    assert read_use().all_s == 2.0 ** (len(numbers) - 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {numbers[-1], 10_000})
    assert read_use().all_s == 2.0 ** len(numbers) - 1, "cores that are not known are not to be left out"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_running_programs_are_counted() -> None:
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        # They begin after a while; this process and others come and go, so the most of many looks.
        deadline_s = time.monotonic() + 20
        most = 0
        while most < 3 and time.monotonic() < deadline_s:
            most = max(most, n_others_running() or 0)
            time.sleep(0.02)
        assert most >= 3
    finally:
        for one in spinning:
            one.kill()
            one.wait()


def test_the_real_figures_grow() -> None:
    before = read_use()
    sum(range(3_000_000))
    after = read_use()
    assert after.own_s >= before.own_s
    assert after.all_s >= before.all_s
    assert usable_cores() >= 1
