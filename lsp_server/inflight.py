"""One running request per document: a newer one, or an edit, ends the older. Loop thread only."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class LatestWins:
    """Runs one piece of work per key."""

    def __init__(self) -> None:
        """Nothing runs."""
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def run(self, key: str, work: Coroutine[Any, Any, _T]) -> _T | None:
        """Do `work` in place of whatever runs under `key`. None where this one was ended by `end` or a newer one.

        Raises:
            asyncio.CancelledError: the caller itself was cancelled; the work was cancelled with it.
        """
        self.end(key)
        task = asyncio.ensure_future(work)
        self._running[key] = task
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling() > 0:
                raise
            return None
        finally:
            if self._running.get(key) is task:
                del self._running[key]

    def end(self, key: str) -> None:
        """Cancel what runs under `key`, if anything does."""
        task = self._running.pop(key, None)
        if task is not None:
            task.cancel()

    def end_all(self) -> None:
        """Cancel everything."""
        for key in tuple(self._running):
            self.end(key)

    @property
    def n_running(self) -> int:
        """How many keys have work."""
        return len(self._running)
