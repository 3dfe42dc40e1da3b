"""Asks for the names that may stand at the cursor, off the event loop. A late answer is none: it is of another key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from fimble.context.gather import path_of_uri
from fimble.context.index.files import relative_path
from fimble.core.flow import CompletionRequest, Trigger
from fimble.core.position import split_at

_log = logging.getLogger(__name__)

# path, text before the cursor, text after it
FindNames = Callable[[str, str, str], Sequence[str]]

PATIENCE_MS = 20.0
# Who asks by hand asks once.
_INVOKED_PATIENCE_MS = 500.0


class NamesAtCursor:
    """One finder, in the thread of the other sources."""

    def __init__(self, find: FindNames, root: Path, executor: Executor, *, is_patient: bool = False) -> None:
        """`root` is the workspace that paths are made relative to; `executor` must run one thing at a time.

        `is_patient` has who asks by hand wait without limit.
        """
        self._invoked_patience_s = None if is_patient else _INVOKED_PATIENCE_MS / 1000.0
        self._find = find
        self._root = root
        self._executor = executor

    async def collect(self, request: CompletionRequest) -> tuple[str, ...]:
        """The names; none where there is no link before the cursor, nobody can tell, or it takes too long."""
        path = relative_path(self._root, path_of_uri(request.document.uri))
        if path is None:
            return ()
        before, after = split_at(request.document.text, request.cursor)
        future = self._executor.submit(self._find, path, before, after)
        patience_s = self._invoked_patience_s if request.trigger is Trigger.INVOKED else PATIENCE_MS / 1000.0
        done, _ = await asyncio.wait([asyncio.wrap_future(future)], timeout=patience_s)
        if not done or future.cancelled():
            future.cancel()
            return ()
        if error := future.exception():
            _log.error("names at the cursor could not be found", exc_info=error)
            return ()
        return tuple(future.result())
