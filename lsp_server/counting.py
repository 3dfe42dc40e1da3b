"""What the server tells telemetry: a sink that stays the same while counting is switched on and off behind it.

Loop thread only. Keeps nothing; without telemetry everything told here is dropped.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Sequence
from typing import Final

from fimble.core.config import Layer, TelemetryOptions
from fimble.core.errors import FimbleError
from fimble.core.flow import Event, EventKind, RequestId
from fimble.core.ports import CompletionWatcher
from fimble.core.position import ByteOffset
from fimble.engine.settings import Settings
from fimble.lsp_server.client import Client
from fimble.lsp_server.documents import Documents
from fimble.lsp_server.ports import RunningCount, StartCounting
from fimble.lsp_server.text import Replaced

_log = logging.getLogger(__name__)

_TICK_S: Final = 2.0


class Counting:
    """Passes on to whatever counts now."""

    def __init__(self, start: StartCounting | None, client: Client) -> None:
        """Nothing is counted before `follow`."""
        self._start = start
        self._client = client
        self._options: TelemetryOptions | None = None
        self._running: RunningCount | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def follow(self, settings: Settings, documents: Documents) -> Layer | None:
        """Count as these settings say. Settings that an experiment lays over all others, if one runs."""
        options = settings.config.telemetry
        if self._start is not None and options != self._options:
            await self.stop()
            self._options = options
            loop = asyncio.get_running_loop()

            def on_problem(error: FimbleError) -> None:
                loop.call_soon_threadsafe(self._tell_problem, error)

            self._running = await asyncio.to_thread(self._start, settings, on_problem)
            self._tell_open_texts(documents)
            if self._running is not None:
                self._ticker = asyncio.ensure_future(self._tick(self._running.watcher))
        return self._running.arm_layer if self._running is not None else None

    async def stop(self) -> None:
        """Count no more; what was counted is written."""
        running, self._running, self._options = self._running, None, None
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        if running is not None:
            running.watcher.close()
            await asyncio.to_thread(running.finish)

    def record(self, event: Event) -> None:
        """The EventSink port."""
        if self._running is None:
            return
        if event.kind is EventKind.REQUESTED:
            event = dataclasses.replace(event, fields={**event.fields, "client": self._client.facts.name})
        self._running.watcher.record(event)

    def answered(
        self,
        request_id: RequestId,
        uri: str,
        version: int,
        start: ByteOffset,
        old: str,
        texts: Sequence[str],
        n_menu_chars: int,
    ) -> None:
        """Items go to the client, which begin with what it has selected in its own menu."""
        if self._running is not None:
            self._running.watcher.on_answered(request_id, uri, version, start, old, texts, n_menu_chars)

    def withdrawn(self, uri: str) -> None:
        """A request is answered with nothing."""
        if self._running is not None:
            self._running.watcher.on_withdrawn(uri)

    def opened(self, uri: str, version: int, text: str) -> None:
        """A text was opened."""
        if self._running is not None:
            self._running.watcher.on_open(uri, version, text)

    def edited(self, uri: str, version: int, replaced: Sequence[Replaced]) -> None:
        """A text was edited."""
        if self._running is not None:
            for edit in replaced:
                self._running.watcher.on_edit(uri, version, edit.start, edit.old, edit.new)

    def closed(self, uri: str) -> None:
        """A text was closed."""
        if self._running is not None:
            self._running.watcher.on_close(uri)

    def renamed(self, old_uri: str, new_uri: str) -> None:
        """A file or folder was renamed."""
        if self._running is not None:
            self._running.watcher.on_rename(old_uri, new_uri)

    def _tell_open_texts(self, documents: Documents) -> None:
        for uri in documents.uris():
            found = documents.find(uri)
            if found is not None:
                self.opened(uri, found.version, found.text.text)

    def _tell_problem(self, error: FimbleError) -> None:
        _log.warning("telemetry: %s", error)
        self._client.show(f"fimble does not count: {error}", is_error=True)

    @staticmethod
    async def _tick(watcher: CompletionWatcher) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            watcher.tick()
