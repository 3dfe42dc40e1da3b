"""How far this process gives way to others for the processor."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def give_way(by: int) -> None:
    """Raise this process's niceness by 0 to 19, and its session's where it leads one; nothing where there is neither.

    Where Linux shares the cores between sessions (autogroups, sched(7), the default of most desktops), niceness alone
    counts only within one: a process in a session of its own would get as much as the whole editor.
    """
    if not hasattr(os, "nice"):
        return
    niceness = os.nice(by)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _AUTOGROUP.write_text(str(niceness), encoding="ascii")
