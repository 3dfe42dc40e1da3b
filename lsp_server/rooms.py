"""One engine per workspace folder, built when first needed. Model processes are shared behind them."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fimble.core.config import Layer, TelemetryOptions
from fimble.core.errors import FimbleError
from fimble.core.ports import EventSink
from fimble.engine.exclusions import Exclusions
from fimble.engine.settings import Settings, load_settings
from fimble.engine.whereabouts import Whereabouts
from fimble.lsp_server.ports import CompletionEngine, EngineFactory

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Room:
    """A workspace folder with its settings and engine; `root` None holds texts outside of all folders."""

    root: Path | None
    settings: Settings
    exclusions: Exclusions | None
    engine: CompletionEngine | None = None


class Rooms:
    """The rooms of one client. Loop thread only."""

    def __init__(self, build_engine: EngineFactory, sink: EventSink, on_built: Callable[[Room], None]) -> None:
        """No folder yet; the defaults hold until the client's settings are known. `on_built`: a room has an engine."""
        self._build_engine = build_engine
        self._on_built = on_built
        self._sink = sink
        self._roots: tuple[Path, ...] = ()
        self._whereabouts: dict[Path, Whereabouts] = {}
        self._rooms: dict[Path | None, Room] = {}
        self._layers: dict[Path | None, tuple[Layer, ...]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def roots(self) -> tuple[Path, ...]:
        """The workspace folders, in the client's order."""
        return self._roots

    def set_roots(self, roots: Sequence[Path]) -> None:
        """Take the client's folders; rooms of folders that are gone are closed."""
        self._roots = tuple(dict.fromkeys(roots))
        self._whereabouts = {root: Whereabouts(root) for root in self._roots}
        for root in tuple(self._rooms):
            if root is not None and root not in self._roots:
                self._close(self._rooms.pop(root))

    async def set_layers(self, layers: dict[Path | None, tuple[Layer, ...]]) -> bool:
        """Take the client's settings, per folder and (None) for everything else; True where any engine changed."""
        self._layers = layers
        changed = False
        for root, room in tuple(self._rooms.items()):
            settings = await asyncio.to_thread(load_settings, self._layers_of(root))
            if self._rooms.get(root) is not room:
                continue  # It was closed meanwhile.
            if _engine_settings(settings) == _engine_settings(room.settings):
                room.settings = settings
            else:
                changed = True
                self._close(self._rooms.pop(root))
        return changed

    def root_of(self, path: Path | None) -> Path | None:
        """The innermost folder that holds `path`, None where none does; the first one for texts without a path."""
        if path is None:
            return self._roots[0] if self._roots else None
        holding = [root for root in self._roots if path.is_relative_to(root)] or [
            root for root, whereabouts in self._whereabouts.items() if whereabouts.of(path) is not None
        ]
        return max(holding, key=lambda root: len(root.parts), default=None)

    def room_of(self, path: Path | None) -> Room:
        """The room of a text's folder."""
        root = self.root_of(path)
        room = self._rooms.get(root)
        if room is None:
            exclusions = Exclusions(root) if root is not None else None
            room = self._rooms[root] = Room(root, load_settings(self._layers_of(root)), exclusions)
        return room

    def main_room(self) -> Room:
        """The first folder's room."""
        return self.room_of(self._roots[0] if self._roots else None)

    def engine_of(self, room: Room) -> CompletionEngine:
        """The room's engine, built when needed.

        Raises:
            FimbleError: it could not be built.
        """
        if room.engine is None:
            room.engine = self._build_engine(_engine_settings(room.settings), room.root, self._sink)
            self._on_built(room)
        return room.engine

    async def rest(self) -> None:
        """Wait until every engine has done what it does in idle time."""
        await asyncio.gather(*(room.engine.rest() for room in self._rooms.values() if room.engine is not None))

    async def close_all(self) -> None:
        """Let go of every engine, and wait until they are gone."""
        for root in tuple(self._rooms):
            self._close(self._rooms.pop(root))
        await asyncio.gather(*self._closing)

    def _layers_of(self, root: Path | None) -> tuple[Layer, ...]:
        return self._layers.get(root, self._layers.get(None, ()))

    def _close(self, room: Room) -> None:
        if room.engine is not None:
            task = asyncio.ensure_future(_close_engine(room.engine))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _engine_settings(settings: Settings) -> Settings:
    """Settings as the engine gets them. On and off, and counting, are the server's: switching them builds no engine."""
    completion = dataclasses.replace(settings.config.completion, enabled=True, disabled_languages="")
    config = dataclasses.replace(settings.config, completion=completion, telemetry=TelemetryOptions())
    return dataclasses.replace(settings, config=config, problems=())


async def _close_engine(engine: CompletionEngine) -> None:
    try:
        await engine.aclose()
    except FimbleError as error:
        _log.warning("an engine did not close cleanly: %s", error.message)
