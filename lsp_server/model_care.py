"""Brings the model to where it answers, with the user's say: load it, offer to download it, tell what is wrong."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from fimble.core.errors import FimbleError, ModelMissingError
from fimble.core.flow import Rejection
from fimble.lsp_server.client import Client
from fimble.lsp_server.downloads import Downloads
from fimble.lsp_server.ports import ModelInstaller
from fimble.lsp_server.rooms import Room, Rooms
from fimble.lsp_server.status import State, StatusBoard

_log = logging.getLogger(__name__)

DOWNLOAD: Final = "Download"
NOT_NOW: Final = "Not now"
TRY_AGAIN: Final = "Try again"


class ModelCare:
    """One per client; at most one model is brought up at a time. Loop thread only."""

    def __init__(self, rooms: Rooms, board: StatusBoard, client: Client, installer: ModelInstaller | None) -> None:
        """Does nothing until `start`."""
        self._rooms = rooms
        self._board = board
        self._client = client
        self._installer = installer
        self._task: asyncio.Task[None] | None = None
        self._downloads = Downloads(client, installer, self._tell_download)
        # The room whose model is brought up, or was at last: the status is about it and none other.
        self._wanted: Room | None = None
        # Models that could not be loaded: requests that fail for them do not start the questions over again.
        self._given_up: set[str] = set()

    def is_downloading(self, room: Room) -> bool:
        """Whether the weights of the room's model are on their way."""
        return self._downloads.is_running(room.settings.config.model.id)

    def start(self, room: Room) -> None:
        """Bring up the room's model in the background, in place of whatever is being brought up."""
        self.stop()
        self._wanted = room
        self._task = asyncio.ensure_future(self._bring_up(room))
        self._task.add_done_callback(partial(self._tell_bug, room))

    def stop(self) -> None:
        """Leave off, questions to the user included; a running download goes on, of which the status tells no more."""
        self._wanted = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def aclose(self) -> None:
        """Leave off everything, downloads too."""
        self.stop()
        await self._downloads.aclose()

    def forget_failures(self) -> None:
        """Begin anew, as after a restart."""
        self._given_up.clear()

    def note_answer(self, room: Room) -> None:
        """A completion came: what was wrong is right again."""
        if self._board.resting.state is State.ERROR:
            self._tell_ready(room, room.settings.config.model.id)

    def note_rejection(self, room: Room, rejection: Rejection) -> None:
        """A request failed for a reason that someone has to mend."""
        error = rejection.error
        is_busy = self._task is not None and not self._task.done()
        if not isinstance(error, FimbleError) or is_busy:
            return
        if isinstance(error, ModelMissingError) and room.settings.config.model.id not in self._given_up:
            self.start(room)
        else:
            self._tell_error(room, error)

    async def download(self, room: Room) -> None:
        """Fetch the room's model, and load it unless another was begun or left off meanwhile; joins its download.

        Raises:
            FimbleError: it could not be fetched or loaded, or the user cancelled.
        """
        self.stop()
        self._wanted = room
        try:
            await self._downloads.fetch(room.settings)
            if self._wanted is room:
                await self._load(room)
        except asyncio.CancelledError:
            if self._wanted is room:
                self.start(room)  # nobody waits for the answer any more; the model is brought up all the same
            raise
        except FimbleError as error:
            if self._wanted is room:
                self._tell_error(room, error)
            raise

    async def _bring_up(self, room: Room) -> None:
        while True:
            try:
                if self.is_downloading(room):
                    await self._downloads.fetch(room.settings)
                await self._load(room)
            except FimbleError as error:
                self._tell_error(room, error)
                if not await self._mend(room, error):
                    self._given_up.add(room.settings.config.model.id)
                    return
            else:
                return

    async def _load(self, room: Room) -> None:
        model_id = room.settings.config.model.id
        self._board.set(State.STARTING, f"Loading {model_id}", model=model_id)
        bar = await self._client.progress("fimble", f"Loading {model_id}")
        outcome = "not loaded"
        try:
            info = await self._rooms.engine_of(room).ready()
            outcome = "ready"
            self._given_up.discard(model_id)
            name = info.name or model_id
            if self._wanted is room:
                self._tell_ready(room, f"{name} ({info.note})" if info.note else name)
        finally:
            bar.end(outcome)

    async def _mend(self, room: Room, error: FimbleError) -> bool:
        """Ask the user what to do; True where it should be tried again."""
        offer = self._installer.offer(room.settings) if self._installer else None
        if not isinstance(error, ModelMissingError) or offer is None:
            return await self._client.ask(f"fimble: {error}", [TRY_AGAIN], is_error=True) == TRY_AGAIN
        question = f"fimble's model {room.settings.config.model.id} is not on this machine. Download {offer}?"
        if await self._client.ask(question, [DOWNLOAD, NOT_NOW]) != DOWNLOAD:
            return False
        try:
            await self._downloads.fetch(room.settings)
        except FimbleError as failure:
            self._tell_error(room, failure)
            return await self._mend(room, failure)
        return True

    def _tell_download(self, model_id: str, percent: int | None) -> None:
        if self._wanted is not None and self._wanted.settings.config.model.id == model_id:
            self._board.set(State.DOWNLOADING, f"Downloading {model_id}", percent=percent, model=model_id)

    def _tell_ready(self, room: Room, name: str) -> None:
        self._board.set(State.READY, name, model=room.settings.config.model.id)

    def _tell_error(self, room: Room, error: FimbleError) -> None:
        self._board.set(State.ERROR, error.message, mend=error.mend or None, model=room.settings.config.model.id)

    def _tell_bug(self, room: Room, task: asyncio.Task[None]) -> None:
        """Nobody expects this, but "Loading" must not be the last that the user reads."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("bringing up the model failed unexpectedly", exc_info=error)
        message = f"The model could not be brought up: {type(error).__name__}: {error}"
        self._tell_error(room, FimbleError(message, mend="fimble did not expect this; the server's log has more."))
