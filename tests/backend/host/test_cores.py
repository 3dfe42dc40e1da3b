"""Threads follow the cores that others leave free."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

import pytest

from fimble.backend.host.cores import CpuUse, ThreadChooser, n_others_running, read_use, usable_cores


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
