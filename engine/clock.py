"""The system's time."""

from __future__ import annotations

import time


class SystemClock:
    """Clock port over the operating system."""

    def monotonic_ms(self) -> float:
        """Milliseconds since some fixed moment."""
        return time.perf_counter() * 1000.0

    def unix_ms(self) -> float:
        """Milliseconds since 1970."""
        return time.time() * 1000.0
