"""pygls' protocol with what it leaves out: every request is answered exactly once, whatever the client sends.

pygls drops requests it cannot read, requests before initialize and after shutdown; a client would wait for ever.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Generator
from typing import Any, Final, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams, JsonRpcInvalidRequest, JsonRpcServerNotInitialized
from pygls.protocol import JsonRPCNotification, LanguageServerProtocol, lsp_method

_log = logging.getLogger(__name__)

# Stands for a message that has been dealt with already.
_DONE: Final = JsonRPCNotification(method="$/done", jsonrpc="2.0", params=None)


class FimbleProtocol(LanguageServerProtocol):
    """One connection."""

    # Set by the server: last changes to the answer of initialize, and what to do when an edit could not be read.
    on_initialize_result: Callable[[types.InitializeParams, types.InitializeResult], None]
    on_lost_edit: Callable[[str], None]

    def __init__(self, server: Any, converter: Any) -> None:
        """As pygls calls it."""
        super().__init__(server, converter)
        self._is_initialized = False
        self.left = threading.Event()
        self.exit_code = 0

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Answer initialize as pygls does, then let the server change the answer."""
        result = yield from super().lsp_initialize(params)
        self.on_initialize_result(params, result)
        return result

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message; one that cannot be read is answered here."""
        if "jsonrpc" not in data:
            return data
        try:
            return super().structure_message(data)
        except Exception as error:
            method = str(data.get("method", ""))
            _log.warning("could not read %s: %s", method or "an answer", type(error).__name__)
            if method and _is_id(data.get("id")):
                self._refuse(data["id"], JsonRpcInvalidParams(f"The parameters of {method} cannot be read."))
            elif method in {types.TEXT_DOCUMENT_DID_CHANGE, types.TEXT_DOCUMENT_DID_OPEN}:
                self._lose_edit(data)
            return _DONE

    def handle_message(self, message: Any) -> None:
        """Pass a message on, if it may come now."""
        if message is _DONE:
            return
        method = cast(str, getattr(message, "method", ""))
        if not method:
            super().handle_message(message)
            return
        msg_id = getattr(message, "id", None)
        if method == types.INITIALIZE and self._is_initialized:
            self._refuse(msg_id, JsonRpcInvalidRequest("initialize was sent twice."))
        elif method == types.INITIALIZE:
            self._is_initialized = True
            super().handle_message(message)
        elif method == types.EXIT:
            # pygls would end the process here; others may be served by it.
            self.exit_code = 0 if self._shutdown else 1
            self.left.set()
        elif not self._is_initialized:
            self._refuse(msg_id, JsonRpcServerNotInitialized("initialize has to come first."))
        elif self._shutdown:
            self._refuse(msg_id, JsonRpcInvalidRequest("shutdown was asked for."))
        else:
            super().handle_message(message)

    def _refuse(self, msg_id: Any, error: Any) -> None:
        if _is_id(msg_id):
            self._send_response(msg_id, error=error.to_response_error())

    def _lose_edit(self, data: dict[str, Any]) -> None:
        try:
            uri = data["params"]["textDocument"]["uri"]
        except (KeyError, TypeError):
            return
        if isinstance(uri, str):
            self.on_lost_edit(uri)


def _is_id(msg_id: object) -> bool:
    return isinstance(msg_id, int | str) and not isinstance(msg_id, bool)


def describe_bug(error: BaseException) -> str:
    """Where an exception was raised, without its message: messages of decoders hold the user's code."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames[-6:]))
    data = getattr(error, "data", None)
    if isinstance(data, dict) and "traceback" in data:
        places = " ".join(str(line).splitlines()[0].strip() for line in reversed(data["traceback"][-6:]))
    return f"{type(error).__name__} in {places or 'unknown place'}"
