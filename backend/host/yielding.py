"""Programs that give way to the model: what they use of the cores it can have at once. Linux only; else there are none.

Our own indexing process is one (`core.priority`). Beside a program of niceness 19 whose session was of the usual
niceness, two threads were slower than one (docs/LOG.md, 2026-11-30): so both have to say so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_MIN_NICENESS = 10
# Who is niced so little still gets the cores of those.
_MAX_OWN_NICENESS = 5
# Looking through all processes takes some milliseconds.
_SEARCH_EVERY_S = 2.0
# Where utime, stime and nice stand in /proc/PID/stat behind the name (proc(5)).
_UTIME, _STIME, _NICE = 11, 12, 16


class Yielding:
    """Looks at them again and again; the first look tells nothing."""

    def __init__(self, *, proc: Path = _PROC, now_s: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read before the first look."""
        self._proc = proc
        self._now_s = now_s
        self._found: list[str] = []
        self._searched_at_s = -_SEARCH_EVERY_S
        self._looked_at_s = 0.0
        self._used_s: dict[str, float] = {}

    def n_cores(self) -> float:
        """How many cores they kept busy since the last look."""
        now_s = self._now_s()
        if now_s - self._searched_at_s >= _SEARCH_EVERY_S:
            self._searched_at_s = now_s
            self._found = self._search()
        before, window_s = self._used_s, now_s - self._looked_at_s
        self._looked_at_s = now_s
        self._used_s = {pid: used_s for pid in self._found if (used_s := self._cpu_s(pid)) is not None}
        used_s = sum(max(0.0, used_s - before[pid]) for pid, used_s in self._used_s.items() if pid in before)
        return used_s / window_s if window_s > 0 else 0.0

    def _search(self) -> list[str]:
        with suppress(OSError, AttributeError):
            if os.getpriority(os.PRIO_PROCESS, 0) <= _MAX_OWN_NICENESS:
                return [pid for pid in os.listdir(self._proc) if pid.isdigit() and self._gives_way(pid)]
        return []

    def _gives_way(self, pid: str) -> bool:
        fields = self._fields(pid)
        return bool(fields) and int(fields[_NICE]) >= _MIN_NICENESS and self._session_gives_way(pid)

    def _session_gives_way(self, pid: str) -> bool:
        """Whether its session's niceness is as high, where cores are shared between sessions first (sched(7))."""
        try:
            niceness = (self._proc / pid / "autogroup").read_text("ascii").split()[-1]
            is_shared = (self._proc / "sys/kernel/sched_autogroup_enabled").read_text("ascii").strip() == "1"
        except (OSError, IndexError):
            return True
        return not is_shared or int(niceness) >= _MIN_NICENESS

    def _cpu_s(self, pid: str) -> float | None:
        fields = self._fields(pid)
        return (int(fields[_UTIME]) + int(fields[_STIME])) / os.sysconf("SC_CLK_TCK") if fields else None

    def _fields(self, pid: str) -> list[str]:
        """Of /proc/PID/stat what follows the name, which may itself hold blanks and parentheses; none if it is gone."""
        with suppress(OSError):
            return (self._proc / pid / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return []
