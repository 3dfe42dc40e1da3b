"""Everything one client's server remembers, and what it does with it. Loop thread only; knows no types of LSP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fimble.core.config import Layer
from fimble.core.errors import FimbleError, InputError, invariant_broken
from fimble.core.flow import (
    Completion,
    CompletionRequest,
    PopupItem,
    Rejection,
    RejectReason,
    RequestId,
    Trigger,
)
from fimble.core.ports import Clock
from fimble.core.position import ByteRange
from fimble.engine.explain import Explanation
from fimble.engine.settings import load_settings
from fimble.lsp_server.client import Client
from fimble.lsp_server.counting import Counting
from fimble.lsp_server.documents import Documents, Edit, Snapshot
from fimble.lsp_server.inflight import LatestWins
from fimble.lsp_server.journal import Journal
from fimble.lsp_server.model_care import ModelCare
from fimble.lsp_server.ports import CompletionEngine, Services
from fimble.lsp_server.rooms import Room, Rooms
from fimble.lsp_server.status import State, Status, StatusBoard
from fimble.lsp_server.switches import Off, Scope, Switches, disabled_languages
from fimble.lsp_server.text import Place
from fimble.lsp_server.visible import VisibleTexts

_log = logging.getLogger(__name__)

N_CANDIDATES_INVOKED: Final = 3
_WARM_KEY: Final = "warm"
_SETTINGS_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: `texts` in place of `replace`, best first."""

    request_id: RequestId
    texts: tuple[str, ...]
    replace: ByteRange


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """The server's status, whether one text gets completions, and which languages the settings switch off there."""

    status: Status
    off: Off | None
    disabled_languages: frozenset[str]


class Session:
    """One client, from initialize to exit."""

    def __init__(self, services: Services, client: Client, clock: Clock, path_of: Callable[[str], Path | None]) -> None:
        """`path_of` tells the file of a URI."""
        self.client = client
        self.documents = Documents()
        self.switches = Switches()
        self.board = StatusBoard(self._tell_status)
        self.counting = Counting(services.start_counting, client)
        self.journal = Journal(self.counting, clock)
        self._path_of = path_of
        self._rooms = Rooms(services.build_engine, self.counting, lambda room: self._visible.tell_open(room))
        self._visible = VisibleTexts(self.documents, self._rooms, self.switches, path_of)
        self._care = ModelCare(self._rooms, self.board, client, services.installer)
        self._inflight = LatestWins()
        self._warming = LatestWins()
        self._root_uris: dict[str, Path] = {}
        self._last_rejections: dict[str, RejectReason] = {}
        self._told_problems: set[str] = set()
        self._initial_settings: Mapping[str, object] = {}
        self._sent_settings: Mapping[str, object] | None = None
        self._has_answered_settings = False
        self._background: set[asyncio.Task[None]] = set()
        self._cursor: tuple[str, Place] | None = None
        self._is_open = False
        self._is_paused = False
        self._has_settings = asyncio.Event()
        self._taking_settings = asyncio.Lock()

    # What the client is and wants.

    def begin(self, root_uris: Sequence[str], roots: Sequence[Path], settings: Mapping[str, object]) -> None:
        """`initialize` was answered."""
        self.documents.encoding = self.client.facts.encoding
        self._root_uris = {uri: path for uri in root_uris if (path := self._path_of(uri)) is not None}
        self._rooms.set_roots(roots)
        self._initial_settings = settings

    async def open(self) -> None:
        """`initialized` came: ask for settings, then bring up the model."""
        self._is_open = True
        self.board.set(State.STARTING, "Starting")
        await self.take_settings(None)
        if self.board.resting.state is State.STARTING:
            self._start_model()

    async def take_settings(self, sent: Mapping[str, object] | None) -> None:
        """Settings changed, or are wanted for the first time; `sent` came with the notification."""
        if sent is not None:
            self._sent_settings = sent
        async with self._taking_settings:
            layers = await self._ask_settings()
            settings = await asyncio.to_thread(load_settings, layers[None])
            arm_layer = await self.counting.follow(settings, self.documents)
            if arm_layer is not None:
                layers = {root: (*of_root, arm_layer) for root, of_root in layers.items()}
            changed = await self._rooms.set_layers(layers)
        self._has_settings.set()
        self._tell_problems()
        if changed:
            self._inflight.end_all()
        self._apply_switches(must_start=changed)
        self._visible.show_or_hide()

    def change_folders(self, added: Sequence[str], removed: Sequence[str]) -> None:
        """The client's workspace folders changed."""
        for uri in removed:
            self._root_uris.pop(uri, None)
        for uri in added:
            path = self._path_of(uri)
            if path is not None:
                self._root_uris[uri] = path
        self._rooms.set_roots(tuple(self._root_uris.values()))
        self._visible.folders_changed()

    # Requests.

    async def complete(self, snapshot: Snapshot, trigger: Trigger, popup_item: PopupItem | None) -> Answer | None:
        """The answer for a text as it was, None where there is none, where it comes too late, or a newer request came.

        Raises:
            asyncio.CancelledError: the client cancelled; the model has been stopped.
        """
        if not self._has_settings.is_set():
            # Which model answers is not known yet. Clients that never say `initialized` get the defaults.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_settings.wait(), _SETTINGS_TIMEOUT_S)
            if not self.documents.is_current(snapshot):
                return None
        room = self._rooms.room_of(self._path_of(snapshot.document.uri))
        language_id = snapshot.document.language_id
        request_id = RequestId(uuid.uuid4().hex)
        off = self._visible.off(room, snapshot.document.uri, language_id)
        if off is not None:
            reason = RejectReason.EXCLUDED if off is Off.EXCLUDED else RejectReason.DISABLED
            self.journal.refuse(request_id, language_id, reason)
            self.counting.withdrawn(snapshot.uri)
            return None
        if self._care.is_downloading(room):
            self.journal.refuse(request_id, language_id, RejectReason.MODEL_UNAVAILABLE)
            self.counting.withdrawn(snapshot.uri)
            return None
        self._warming.end(_WARM_KEY)
        self._visible.tell_edits(room, but=snapshot.uri)
        request = CompletionRequest(
            request_id=request_id,
            document=snapshot.document,
            cursor=snapshot.cursor,
            trigger=trigger,
            popup_item=popup_item,
            n_candidates=N_CANDIDATES_INVOKED if trigger is Trigger.INVOKED else 1,
        )
        result = await self._inflight.run(snapshot.uri, self._ask_engine(room, request))
        if result is None:
            return None
        self.client.tell_outcome(snapshot.uri, result)
        if isinstance(result, Rejection):
            self._last_rejections[snapshot.uri] = result.reason
            self._care.note_rejection(room, result)
            self.counting.withdrawn(snapshot.uri)
            return None
        self._last_rejections.pop(snapshot.uri, None)
        self._care.note_answer(room)
        if not self.documents.is_current(snapshot):
            self.journal.refuse(request_id, language_id, RejectReason.STALE)
            return None
        texts = tuple(_with_plain_line_ends(text) for text in (result.text, *result.alternatives))
        self.journal.offer(result.request_id, language_id, texts)
        start, old = snapshot.in_client_text(result.replace)
        n_menu_chars = len(_with_plain_line_ends(popup_item.text)) if popup_item else 0
        self.counting.answered(result.request_id, snapshot.uri, snapshot.version, start, old, texts, n_menu_chars)
        return Answer(result.request_id, texts, result.replace)

    async def explain(self, snapshot: Snapshot) -> Explanation:
        """What the model would see at a place, had it been asked for by hand.

        Raises:
            FimbleError: completions are off there, or there is no model.
        """
        document = snapshot.document
        room = self._rooms.room_of(self._path_of(document.uri))
        off = self._visible.off(room, document.uri, document.language_id)
        if off is not None:
            raise InputError(f"No completions here ({off.value}): the model sees nothing.", mend="Turn them on first.")
        self._visible.tell_edits(room, but=snapshot.uri)
        request = CompletionRequest(RequestId(uuid.uuid4().hex), document, snapshot.cursor, Trigger.INVOKED)
        return await self._rooms.engine_of(room).explain(request)

    def text_changed(self, uri: str) -> None:
        """A text is no longer what it was: what was asked about it is void."""
        self._inflight.end(uri)
        self._last_rejections.pop(uri, None)

    def open_text(self, uri: str, language_id: str, version: int, text: str) -> None:
        """A text was opened."""
        self.documents.open(uri, language_id, version, text)
        self.text_changed(uri)
        self.counting.opened(uri, version, text)
        self._visible.opened(uri)

    def edit_text(self, uri: str, version: int, edits: Sequence[Edit]) -> None:
        """A text was edited. Edits of texts that are not open mean nothing."""
        replaced = self.documents.change(uri, version, edits)
        self._visible.edited(uri)
        self.text_changed(uri)
        self.counting.edited(uri, version, replaced)

    def close_text(self, uri: str) -> None:
        """A text was closed."""
        was_open = self.documents.close(uri)
        self.text_changed(uri)
        if was_open:
            self.counting.closed(uri)
            self._visible.closed(uri)

    def cursor_rests(self, uri: str, place: Place) -> None:
        """Read ahead at this place, in the background, until a request comes; once the model is ready."""
        self._cursor = (uri, place)
        if self.board.current.state is State.READY and self._inflight.n_running == 0:
            self._warm()

    async def settle(self) -> None:
        """Wait until nothing is done in the background any more. A request or an edit begins new work."""
        if self._background:
            await asyncio.wait(self._background)
        await self._rooms.rest()

    # Commands.

    def document_status(self, uri: str | None) -> DocumentStatus:
        """The status, and whether the text `uri` gets completions (or any text, where it is None)."""
        if uri is None:
            options = self._rooms.main_room().settings.config.completion
            paused = Off.GLOBAL if self.switches.is_paused(options) else None
            return DocumentStatus(self.board.current, paused, disabled_languages(options))
        file_uri = self.documents.file_of(uri)
        found = self.documents.find(uri)
        room = self._rooms.room_of(self._path_of(file_uri))
        off = self._visible.off(room, file_uri, found.language_id if found else "")
        off = off or _OFF_BY_REJECTION.get(self._last_rejections.get(uri))
        return DocumentStatus(self.board.current, off, disabled_languages(room.settings.config.completion))

    def switch(self, scope: Scope, language_id: str | None, uri: str | None, *, on: bool) -> None:
        """Turn completions on or off for this session.

        Raises:
            InputError: the scope needs a language or a document, and none was given.
        """
        match scope:
            case Scope.GLOBAL:
                self.switches.turn_all(on=on)
                self._apply_switches(must_start=False)
            case Scope.LANGUAGE:
                found = self.documents.find(uri) if uri else None
                language_id = language_id or (found.language_id if found else None)
                if not language_id:
                    raise InputError("No language was given.", mend="Name one in `language`, or an open text in `uri`.")
                self.switches.turn_language(language_id, on=on)
            case Scope.FILE:
                if not uri:
                    raise InputError("No file was given.", mend="Name it in `uri`.")
                self.switches.turn_file(self.documents.file_of(uri), on=on)
        self._visible.show_or_hide()
        if not on:
            self._inflight.end_all()

    async def restart(self) -> None:
        """Leave every engine, build them anew, bring up the model."""
        self._inflight.end_all()
        self._warming.end_all()
        self._care.stop()
        self._care.forget_failures()
        self.board.set(State.STARTING, "Restarting")
        await self._rooms.close_all()
        await self.take_settings(None)
        if self.board.resting.state is State.STARTING:
            self._start_model()

    async def download(self) -> None:
        """Fetch the configured model.

        Raises:
            FimbleError: it could not be fetched or loaded.
        """
        try:
            await self._care.download(self._rooms.main_room())
        finally:
            if self._is_paused:
                self._tell_paused()

    async def aclose(self) -> None:
        """The client is leaving: stop everything."""
        self._is_open = False
        self._inflight.end_all()
        self._warming.end_all()
        await self._care.aclose()
        for task in tuple(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._rooms.close_all()
        await self.counting.stop()

    # Inner parts.

    async def _ask_settings(self) -> dict[Path | None, tuple[Layer, ...]]:
        """The client's settings, per folder and (None) in general."""
        uris = list(self._root_uris)
        asked = await self.client.settings(uris)
        # Some clients answer every question with nothing (lsp-mode). What one that has named settings leaves out is
        # unset, whatever it said at its start.
        self._has_answered_settings = self._has_answered_settings or any(asked or ())
        general: list[Layer] = []
        if not asked or not self._has_answered_settings:
            general.append(Layer("initializationOptions", self._initial_settings))
        if self._sent_settings is not None:
            general.append(Layer("didChangeConfiguration", self._sent_settings))
        if not asked:
            return {None: tuple(general)}
        general.append(Layer("editor settings", asked[0]))
        layers: dict[Path | None, tuple[Layer, ...]] = {None: tuple(general)}
        for uri, values in zip(uris, asked[1:], strict=False):
            if uri in self._root_uris:
                layers[self._root_uris[uri]] = (*general, Layer(f"editor settings of {uri}", values))
        return layers

    def _tell_status(self, status: Status) -> None:
        self.client.tell_status(status)
        if status.state is State.READY and self._inflight.n_running == 0:
            self._warm()

    def _warm(self) -> None:
        if self._cursor is None:
            return
        snapshot = self.documents.snapshot(*self._cursor)
        self._cursor = None
        if snapshot is None:
            return
        room = self._rooms.room_of(self._path_of(snapshot.document.uri))
        if self._visible.off(room, snapshot.document.uri, snapshot.document.language_id) is None:
            self._in_background(self._warming.run(_WARM_KEY, self._warm_engine(room, snapshot)))

    def _start_model(self) -> None:
        self._care.start(self._rooms.main_room())

    def _apply_switches(self, *, must_start: bool) -> None:
        """Show whether everything is off; bring up the model when that ends, or when it must be anew."""
        if not self._is_open:
            return
        was_paused = self._is_paused
        self._is_paused = self.switches.is_paused(self._rooms.main_room().settings.config.completion)
        if self._is_paused:
            self._care.stop()
            self._tell_paused()
        elif was_paused or must_start:
            self._start_model()

    def _tell_paused(self) -> None:
        self.board.set(State.PAUSED, "Completions are switched off")

    async def _ask_engine(self, room: Room, request: CompletionRequest) -> Completion | Rejection | None:
        self.board.begin_work()
        try:
            return await self._rooms.engine_of(room).complete(request)
        except FimbleError as error:
            self.board.set(State.ERROR, error.message, mend=error.mend or None, model=room.settings.config.model.id)
            return None
        except Exception as error:
            # The engine promises Rejections for whatever is expected to fail.
            _log.exception("the engine failed")
            invariant_broken(f"engine.complete raised {type(error).__name__}")
            return None
        finally:
            self.board.end_work()

    async def _warm_engine(self, room: Room, snapshot: Snapshot) -> None:
        engine: CompletionEngine = self._rooms.engine_of(room)
        await engine.warm(snapshot.document, snapshot.cursor)

    def _in_background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _tell_problems(self) -> None:
        settings = self._rooms.main_room().settings
        news = [text for problem in settings.problems if (text := str(problem)) not in self._told_problems]
        self._told_problems.update(news)
        if news:
            self.client.show("fimble does not use these settings:\n" + "\n".join(news), is_error=True)


_OFF_BY_REJECTION: Final[Mapping[RejectReason | None, Off]] = {
    RejectReason.EXCLUDED: Off.EXCLUDED,
    RejectReason.TOO_LARGE: Off.TOO_LARGE,
    RejectReason.DISABLED: Off.LANGUAGE,
}


async def _quietly(work: Awaitable[None]) -> None:
    """Reading ahead may fail; the request that follows will say why."""
    try:
        await work
    except FimbleError as error:
        _log.info("could not read ahead: %s", error.message)


def _with_plain_line_ends(text: str) -> str:
    """Clients put their own line ends in; some would put a \\r into the text."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
