"""How many threads the model may use now: the cores that other programs leave free.

On a busy machine llama.cpp's threads wait for each other at every barrier: with both of two cores taken, two threads
wrote 2.4 tokens a second where one wrote 28 (design notes, 2 cores, 2026-11). So the count follows the load.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fimble.backend.host.quota import quota_cores
from fimble.backend.host.yielding import Yielding

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
    """CPU seconds since boot on the cores this process may run on: of all programs together, and of this process."""

    all_s: float
    own_s: float


def masked_cores() -> int:
    """Cores this process may run on, whatever their time is shared with."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores() -> int:
    """How many of them it can keep busy: a container's CPU quota may allow fewer."""
    quota = quota_cores()
    return masked_cores() if quota is None else max(1, min(masked_cores(), int(quota)))


def read_use() -> CpuUse:
    """Now."""
    own = os.times()
    return CpuUse(sum(map(_busy_s, _own_cores_times())), own.user + own.system)


def _own_cores_times() -> list[Any]:
    """psutil's times of each core in our mask; of all cores where it is not known which is which."""
    times = psutil.cpu_times(percpu=True)
    try:
        stat = Path("/proc/stat").read_text(encoding="ascii")
    except OSError:
        return times
    # A core that is switched off has no line, so that numbers are no indices.
    numbered = dict(zip(map(int, re.findall(r"(?m)^cpu(\d+) ", stat)), times, strict=False))
    mask = os.sched_getaffinity(0)
    return [numbered[core] for core in mask] if mask <= numbered.keys() else times


def _busy_s(times: Any) -> float:
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def n_others_running() -> int | None:
    """Threads of other processes that run or wait for a core at this moment; None where /proc does not tell.

    On all cores of the machine, so no fewer than on those in our mask.
    """
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
        max_threads: int = _MAX_THREADS,
        now_s: Callable[[], float] = time.monotonic,
        use: Callable[[], CpuUse] = read_use,
        n_others: Callable[[], int | None] = n_others_running,
        n_yielding: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin with all cores, until the first window is over; `max_threads` where a quota allows fewer."""
        self._n_cores = n_cores
        self._max_threads = min(max_threads, _MAX_THREADS)
        self._now_s = now_s
        self._use = use
        self._n_others = n_others
        self._n_yielding = n_yielding or Yielding().n_cores
        self._sleep = sleep
        self._since_s = now_s()
        self._before = use()
        self._n_threads = min(n_cores, self._max_threads)

    def n_threads(self) -> int:
        """At least one."""
        now_s = self._now_s()
        window_s = now_s - self._since_s
        if window_s >= _MIN_WINDOW_S:
            use = self._use()
            others_s = (use.all_s - self._before.all_s) - (use.own_s - self._before.own_s)
            n_busy = _whole_cores(others_s / window_s)
            if n_busy:  # only then is it worth the look
                n_busy = _whole_cores(others_s / window_s - self._n_yielding())
            n_free = self._n_cores - self._still_busy(n_busy)
            self._n_threads = max(1, min(self._max_threads, n_free))
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


def _whole_cores(n_used: float) -> int:
    return int(max(0.0, n_used) + 1.0 - _TOLERATED_SHARE)
