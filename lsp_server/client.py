"""The client's ear: everything the server says or asks of its own accord. Never blocks, never waits forever."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from fimble.core.flow import Completion, Rejection
from fimble.lsp_server import convert
from fimble.lsp_server.convert import ClientFacts
from fimble.lsp_server.status import Status

_log = logging.getLogger(__name__)

# A client that does not answer must not keep the server from working.
_ANSWER_TIMEOUT_S: Final = 5.0


class Wire(Protocol):
    """What of pygls' protocol is used here."""

    def notify(self, method: str, params: Any | None = None) -> None:
        """Send a notification."""
        ...

    def send_request_async(self, method: str, params: Any | None = None) -> Awaitable[Any]:
        """Send a request; the answer comes."""
        ...


class ProgressBar:
    """A progress bar in the client's window; does nothing where the client has none."""

    def __init__(self, wire: Wire, token: str | None) -> None:
        """`token` None shows nothing."""
        self._wire = wire
        self._token = token

    def report(self, text: str, percent: int | None = None) -> None:
        """Move it."""
        self._send(convert.progress_report(text, percent))

    def begin(self, title: str, text: str, *, is_cancellable: bool) -> None:
        """Show it."""
        self._send(convert.progress_begin(title, text, is_cancellable=is_cancellable))

    def end(self, text: str) -> None:
        """Take it away."""
        self._send(convert.progress_end(text))
        self._token = None

    def _send(self, value: Any) -> None:
        if self._token is not None:
            self._wire.notify(types.PROGRESS, types.ProgressParams(self._token, value))


class Client:
    """Speaks to the client. `facts` are set by initialize."""

    def __init__(self, wire: Wire) -> None:
        """`wire` sends; nothing may be said before initialize."""
        self._wire = wire
        self.facts = ClientFacts()
        self._numbers = itertools.count(1)
        self._on_cancel: dict[str, Callable[[], None]] = {}

    def tell_status(self, status: Status) -> None:
        """Send `fimble/status`."""
        self._wire.notify("fimble/status", convert.status_fields(status))

    def tell_outcome(self, uri: str, outcome: Completion | Rejection) -> None:
        """Send `fimble/outcome`, where the client wants it."""
        if self.facts.wants_outcomes:
            self._wire.notify("fimble/outcome", convert.outcome_fields(uri, outcome))

    def show(self, text: str, *, is_error: bool = False) -> None:
        """Show a message."""
        self._wire.notify(types.WINDOW_SHOW_MESSAGE, convert.message(text, is_error=is_error))

    async def ask(self, text: str, actions: Sequence[str], *, is_error: bool = False) -> str | None:
        """Show a message with buttons; the one pressed, None where it was closed. Waits as long as the user does."""
        params = convert.question(text, actions, is_error=is_error)
        return convert.chosen_action(await self._request(types.WINDOW_SHOW_MESSAGE_REQUEST, params, timeout_s=None))

    async def settings(self, scope_uris: Sequence[str]) -> list[dict[str, object]] | None:
        """Section `fimble` in general, then per scope; None where the client cannot be asked."""
        if not self.facts.answers_configuration:
            return None
        answer = await self._request(types.WORKSPACE_CONFIGURATION, convert.configuration_query(scope_uris))
        if not isinstance(answer, Sequence):
            return None
        return [convert.settings_values(values) for values in answer]

    async def register(self, registration_id: str, method: str) -> None:
        """Ask for a method's messages."""
        await self._request(types.CLIENT_REGISTER_CAPABILITY, convert.registration(registration_id, method))

    async def unregister(self, registration_id: str, method: str) -> None:
        """Ask for no more of them."""
        await self._request(types.CLIENT_UNREGISTER_CAPABILITY, convert.unregistration(registration_id, method))

    async def progress(self, title: str, text: str, on_cancel: Callable[[], None] | None = None) -> ProgressBar:
        """Show a progress bar; `on_cancel` is called when the user cancels it."""
        token = None
        if self.facts.shows_progress:
            token = f"fimble-{next(self._numbers)}"
            params = types.WorkDoneProgressCreateParams(token)
            if not await self._succeeds(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params):
                token = None
        if token is not None and on_cancel is not None:
            self._on_cancel[token] = on_cancel
        bar = ProgressBar(self._wire, token)
        bar.begin(title, text, is_cancellable=on_cancel is not None)
        return bar

    def cancelled_progress(self, token: str | int) -> None:
        """The user cancelled a progress bar."""
        on_cancel = self._on_cancel.pop(str(token), None)
        if on_cancel is not None:
            on_cancel()

    async def _succeeds(self, method: str, params: Any) -> bool:
        try:
            await asyncio.wait_for(self._wire.send_request_async(method, params), _ANSWER_TIMEOUT_S)
        except (TimeoutError, JsonRpcException):
            return False
        return True

    async def _request(self, method: str, params: Any, timeout_s: float | None = _ANSWER_TIMEOUT_S) -> Any:
        try:
            return await asyncio.wait_for(self._wire.send_request_async(method, params), timeout_s)
        except TimeoutError:
            _log.warning("the client did not answer %s within %g s", method, _ANSWER_TIMEOUT_S)
        except JsonRpcException as error:
            _log.warning("the client refused %s: code %s", method, error.code)
        return None
