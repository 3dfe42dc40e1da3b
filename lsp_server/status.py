"""What the server is doing, in one value; the client hears of every change (`fimble/status`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

# Shorter work than this is not worth a spinner.
BUSY_AFTER_MS: Final = 100.0


class State(StrEnum):
    """One word for the client's status bar."""

    STARTING = "starting"
    DOWNLOADING = "downloading"
    READY = "ready"
    BUSY = "busy"
    PAUSED = "paused"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Status:
    """What is going on. `percent` goes with downloading, `mend` with error."""

    state: State
    message: str
    percent: int | None = None
    mend: str | None = None
    model: str | None = None


class StatusBoard:
    """Holds the current status and tells of changes. Loop thread only."""

    def __init__(self, tell: Callable[[Status], None]) -> None:
        """`tell` is called with each new status, never twice with the same."""
        self._tell = tell
        self._resting = Status(State.STARTING, "Starting")
        self._told: Status | None = None
        self._n_working = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_slow = False

    @property
    def current(self) -> Status:
        """What was, or would be, told."""
        if self._is_slow and self._resting.state is State.READY:
            return replace(self._resting, state=State.BUSY, message="Completing")
        return self._resting

    @property
    def resting(self) -> Status:
        """The status without regard to requests that are being worked on."""
        return self._resting

    def set(
        self,
        state: State,
        message: str,
        *,
        percent: int | None = None,
        mend: str | None = None,
        model: str | None = None,
    ) -> None:
        """Change the status, and tell."""
        self._resting = Status(state, message, percent, mend, model)
        self._tell_change()

    def begin_work(self) -> None:
        """A request goes to the engine."""
        self._n_working += 1
        if self._timer is None and not self._is_slow:
            self._timer = asyncio.get_running_loop().call_later(BUSY_AFTER_MS / 1000, self._slow_down)

    def end_work(self) -> None:
        """A request was answered, whatever the answer."""
        self._n_working -= 1
        if self._n_working == 0:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._is_slow = False
            self._tell_change()

    def _slow_down(self) -> None:
        self._timer = None
        self._is_slow = self._n_working > 0
        self._tell_change()

    def _tell_change(self) -> None:
        if self.current != self._told:
            self._told = self.current
            self._tell(self.current)
