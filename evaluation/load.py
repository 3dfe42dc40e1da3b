"""Keeps cores busy while something is measured, as other programs on the machine do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Generator

import psutil


@contextlib.contextmanager
def busy_cores(n_cores: int) -> Generator[Callable[[], float]]:
    """Until leaving, `n_cores` processes compute without a pause, at normal priority.

    Gives a function that says how many CPU seconds they have used so far: they are children of this process, and what
    is measured may count those of all children.
    """
    processes = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"]) for _ in range(n_cores)]

    def cpu_s() -> float:
        total = 0.0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                times = psutil.Process(process.pid).cpu_times()
                total += times.user + times.system
        return total

    try:
        yield cpu_s
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
