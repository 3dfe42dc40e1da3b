"""Runs a blocking finder off the event loop, as a ContextSource that is never late and never jumps.

A source that is late would take its chunks out of the prompt and put them back with the next key, and the model would
read the prompt anew each time. So a late answer is replaced by the last one for the same file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path

from fimble.context.gather import path_of_uri
from fimble.context.index.files import relative_path
from fimble.core.flow import Chunk, CompletionRequest
from fimble.core.position import split_at

_log = logging.getLogger(__name__)

# path, text before the cursor, text after it
Find = Callable[[str, str, str], Sequence[Chunk]]

# Below gather's limit, with room for what stands between.
PATIENCE_MS = 18.0
_MAX_KNOWN = 64


class BackgroundSource:
    """One finder in one thread. `name` is the finder's, for `fimble explain`."""

    def __init__(
        self,
        name: str,
        find: Find,
        root: Path,
        executor: Executor,
        *,
        find_typing: Find | None = None,
        patience_ms: float = PATIENCE_MS,
    ) -> None:
        """`root` is the workspace that paths are made relative to; `executor` must run one thing at a time.

        `find_typing`, if given, is what `collect` asks; only `settle`, which who asks by hand waits for, asks `find`.
        """
        self.name = name
        self._find = find
        self._find_typing = find_typing or find
        self._root = root
        self._executor = executor
        self._patience_s = patience_ms / 1000.0
        self._known: dict[str, Sequence[Chunk]] = {}
        self._waiting: Future[Sequence[Chunk]] | None = None

    async def collect(self, request: CompletionRequest) -> Sequence[Chunk]:
        """The finder's chunks, or the last ones for this file where it takes too long."""
        path = self._path(request)
        if path is None:
            return ()
        future = self._submit(path, request, self._find_typing)
        done, _ = await asyncio.wait([asyncio.wrap_future(future)], timeout=self._patience_s)
        if not done:
            _log.info("context source %s: still looking; the last answer stands", self.name)
            return self._known.get(path, ())
        return self._known.get(path, ()) if future.cancelled() else future.result()

    async def settle(self, request: CompletionRequest) -> None:
        """Wait until the finder has looked at this request, however long it takes."""
        path = self._path(request)
        if path is not None:
            await asyncio.wait([asyncio.wrap_future(self._submit(path, request, self._find))])

    def _path(self, request: CompletionRequest) -> str | None:
        return relative_path(self._root, path_of_uri(request.document.uri))

    def _submit(self, path: str, request: CompletionRequest, look: Find) -> Future[Sequence[Chunk]]:
        if self._waiting is not None:
            self._waiting.cancel()  # not begun yet: nobody needs the answer to an older key

        def find() -> Sequence[Chunk]:
            chunks = look(path, *split_at(request.document.text, request.cursor))
            self._known.pop(path, None)
            self._known[path] = chunks
            if len(self._known) > _MAX_KNOWN:
                del self._known[next(iter(self._known))]
            return chunks

        self._waiting = self._executor.submit(find)
        return self._waiting
