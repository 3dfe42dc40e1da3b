"""How many threads the model may use now: the cores that other programs leave free.

On a busy machine llama.cpp's threads wait for each other at every barrier: with both of two cores taken, two threads
wrote 2.4 tokens a second where one wrote 28 (design notes, 2 cores, 2026-11). So the count follows the load.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# Shorter windows are noise: the kernel counts CPU time in ticks of 10 ms.
_MIN_WINDOW_S = 0.15
# The one who has just sent a request still runs for a moment: looks at who runs now, and the time between them.
_N_LOOKS = 5
_BETWEEN_LOOKS_S = 0.0015
# A core that others use less than this much is as good as free.
_TOLERATED_SHARE = 0.35
# llama.cpp gains nothing beyond this on the memory-bound models fimble runs on CPUs.
_MAX_THREADS = 8


@dataclass(frozen=True, slots=True)
class CpuUse:
    """CPU seconds since boot: of all programs together, and of this process."""

    all_s: float
    own_s: float


def usable_cores() -> int:
    """Cores this process may run on."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores)


def read_use() -> CpuUse:
    """Now."""
    every = psutil.cpu_times()
    own = os.times()
    idle_s = every.idle + getattr(every, "iowait", 0.0)
    return CpuUse(sum(every) - idle_s - getattr(every, "guest", 0.0), own.user + own.system)


def n_others_running() -> int | None:
    """Threads of other processes that run or wait for a core at this moment; None where /proc does not tell."""
    try:
        stat = Path("/proc/stat").read_text(encoding="ascii")
        tasks = [entry.path for entry in os.scandir("/proc/self/task")]
    except OSError:
        return None
    n_all = next((int(line.split()[1]) for line in stat.splitlines() if line.startswith("procs_running ")), None)
    return None if n_all is None else max(0, n_all - sum(map(_runs, tasks)))


def _runs(task: str) -> bool:
    """Whether a thread runs or waits for a core; a thread that has just ended does not."""
    with suppress(OSError):
        # The name in parentheses may itself hold blanks and parentheses.
        return Path(task, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] == "R"
    return False


class ThreadChooser:
    """Says how many threads to use; asked before every few steps, it measures at most every 150 ms."""

    def __init__(
        self,
        n_cores: int,
        *,
        now_s: Callable[[], float] = time.monotonic,
        use: Callable[[], CpuUse] = read_use,
        n_others: Callable[[], int | None] = n_others_running,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin with all cores, until the first window is over."""
        self._n_cores = n_cores
        self._now_s = now_s
        self._use = use
        self._n_others = n_others
        self._sleep = sleep
        self._since_s = now_s()
        self._before = use()
        self._n_threads = min(n_cores, _MAX_THREADS)

    def n_threads(self) -> int:
        """At least one."""
        now_s = self._now_s()
        window_s = now_s - self._since_s
        if window_s >= _MIN_WINDOW_S:
            use = self._use()
            others_s = (use.all_s - self._before.all_s) - (use.own_s - self._before.own_s)
            n_busy = int(max(0.0, others_s / window_s) + 1.0 - _TOLERATED_SHARE)
            n_free = self._n_cores - self._still_busy(n_busy)
            self._n_threads = max(1, min(_MAX_THREADS, n_free))
            self._since_s, self._before = now_s, use
        return self._n_threads

    def _still_busy(self, n_busy: int) -> int:
        """Of the cores that were busy, those that are so now: programs may have ended since, in a pause before it."""
        for look in range(_N_LOOKS):
            if n_busy == 0:
                break
            if look:
                self._sleep(_BETWEEN_LOOKS_S)
            n_others = self._n_others()
            if n_others is None:
                break
            n_busy = min(n_busy, n_others)
        return n_busy
