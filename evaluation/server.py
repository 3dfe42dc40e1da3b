"""Types at the real language server over stdio, as an editor's client would: a process of its own, nothing private.

What a client cannot see, tokens and sources, the server tells on request (`fimble/outcome`, docs/editors.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from fimble.core.errors import BackendError
from fimble.core.flow import (
    AnswerSource,
    Completion,
    CompletionRequest,
    Document,
    Rejection,
    RejectReason,
    RequestId,
    StopReason,
    Timings,
    Trigger,
)
from fimble.core.position import ByteOffset, ByteRange, CharIndex, TextIndex, Utf16Column
from fimble.engine.settings import Settings
from fimble.evaluation.replay import ClientPolicy
from fimble.syntax.parse import common_prefix_length, common_suffix_length

_SERVER = (sys.executable, "-P", "-m", "fimble.cli.serve", "--stdio", "--log-level", "warning", "--log-file")
_READY_TIMEOUT_S = 300.0
_LEAVE_TIMEOUT_S = 20.0
_NO_TIMES = Timings(0.0, 0.0, 0.0, 0.0)


class _Client(LanguageClient):
    """pygls' client, which can also end a server that does not leave."""

    def __init__(self) -> None:
        super().__init__("fimble-replay", "1")
        self.was_asked_to_exit = False
        self.is_gone = asyncio.Event()

    async def server_exit(self, server: asyncio.subprocess.Process) -> None:
        """As pygls calls it: the process has ended."""
        del server
        self.is_gone.set()

    async def end(self) -> None:
        """Have the server's process ended, by force if need be; one that was asked to exit is waited for."""
        server = self._server
        if server is not None and server.returncode is None and not self.was_asked_to_exit:
            server.terminate()
        with contextlib.suppress(TimeoutError, RuntimeError):
            await asyncio.wait_for(self.stop(), _LEAVE_TIMEOUT_S)
        if server is not None and server.returncode is None:
            server.kill()
            await server.wait()


class ServerReplay:
    """A client with one document, for every key of a trace: didChange, a request; the next key cancels it."""

    policy = ClientPolicy(debounce_ms=0.0, cancels=True)

    def __init__(self, client: _Client, log: Path) -> None:
        """Drive a server that is ready; `log` is what it writes of its troubles."""
        self._client = client
        self._log = log
        self._open: Document | None = None
        self._ids = itertools.count(1)
        self._outcomes: dict[str, Mapping[str, Any]] = {}

        def note(outcome: Any) -> None:
            self._outcomes[outcome.textDocument.uri] = outcome._asdict()

        client.feature("fimble/outcome")(note)

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """Tell the server of the text and ask it.

        Raises:
            BackendError: the server is gone.
        """
        uri = request.document.uri
        self._bring_up_to_date(request.document)
        self._outcomes.pop(uri, None)
        index = TextIndex(request.document.text)
        is_invoked = request.trigger is Trigger.INVOKED
        kind = types.InlineCompletionTriggerKind.Invoked if is_invoked else types.InlineCompletionTriggerKind.Automatic
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(kind),
            types.TextDocumentIdentifier(uri),
            _position(index, request.cursor),
        )
        found = await self._request(types.TEXT_DOCUMENT_INLINE_COMPLETION, params)
        outcome = self._outcomes.pop(uri, None)
        if outcome is None:
            return _rejection(request.request_id, RejectReason.STALE, "")
        counts = {
            "n_prompt_tokens": outcome["nPromptTokens"],
            "n_reused_tokens": outcome["nReusedTokens"],
            "n_generated_tokens": outcome["nGeneratedTokens"],
        }
        if "reason" in outcome:
            rejection = _rejection(request.request_id, RejectReason(outcome["reason"]), outcome["detail"])
            return dataclasses.replace(rejection, model_id=outcome["model"], **counts)
        if not found.items:
            return _rejection(request.request_id, RejectReason.STALE, "")
        item = found.items[0]
        return Completion(
            request_id=request.request_id,
            text=str(item.insert_text),
            replace=_byte_range(index, item.range, request.cursor),
            model_id=outcome["model"],
            timings=_NO_TIMES,
            stop_reason=StopReason(outcome["stopReason"]),
            source=AnswerSource(outcome["source"]),
            **counts,
        )

    async def follow_up(self, budget_ms: float) -> None:
        """Leave the server alone with what it does by itself, until it is done or the next key comes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._request("fimble/settle", None), budget_ms / 1000.0)

    async def idle(self, document: Document, cursor: ByteOffset, budget_ms: float) -> None:
        """Say that the cursor rests here, and leave the server alone until the next key comes."""
        self._bring_up_to_date(document)
        place = _position(TextIndex(document.text), cursor)
        self._client.protocol.notify(
            "fimble/didMoveCursor",
            {
                "textDocument": {"uri": document.uri},
                "position": {"line": place.line, "character": place.character},
            },
        )
        await self.follow_up(budget_ms)

    def _bring_up_to_date(self, document: Document) -> None:
        """Open the document, or send what changed since the server heard of it last."""
        known = self._open
        self._open = document
        if known is None:
            item = types.TextDocumentItem(document.uri, document.language_id, document.version, document.text)
            self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        elif known.text != document.text:
            identifier = types.VersionedTextDocumentIdentifier(document.version, document.uri)
            change = change_between(known.text, document.text)
            self._client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    async def _request(self, method: str, params: Any) -> Any:
        msg_id = next(self._ids)
        # pygls gives up the requests that wait when the server ends; one sent after that would wait for ever.
        gone = asyncio.ensure_future(self._client.is_gone.wait())
        try:
            answer = asyncio.wrap_future(self._client.protocol.send_request(method, params, msg_id=msg_id))
            answer.add_done_callback(_retrieve)
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        except asyncio.CancelledError:
            self._client.cancel_request(types.CancelParams(msg_id))
            raise
        except (RuntimeError, OSError) as error:
            raise _gone(self._log) from error
        finally:
            gone.cancel()
        raise _gone(self._log)


@contextlib.asynccontextmanager
async def open_server(settings: Settings, home: Path, workspace: Path) -> AsyncGenerator[ServerReplay]:
    """Start `fimble serve` for a workspace, with these settings and `home` for its files, until leaving.

    Raises:
        BackendError: it does not start, or has no model.
    """
    client = _Client()
    states: asyncio.Queue[Any] = asyncio.Queue()

    def note(status: Any) -> None:
        states.put_nowait(status)

    client.feature("fimble/status")(note)
    client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)(_no_answer)
    log = home / "serve.log"
    options = dataclasses.asdict(settings.config)
    options["telemetry"]["enabled"] = False
    await client.start_io(*_SERVER, str(log), env={**os.environ, "FIMBLE_HOME": str(home)})
    try:
        await client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(),
                workspace_folders=[types.WorkspaceFolder(workspace.as_uri(), workspace.name)],
                initialization_options={"settings": options, "outcomes": True},
            )
        )
        client.initialized(types.InitializedParams())
        await _until_ready(states)
        yield ServerReplay(client, log)
        await asyncio.wait_for(client.shutdown_async(None), _LEAVE_TIMEOUT_S)
        client.exit(None)
        client.was_asked_to_exit = True
    except (RuntimeError, OSError) as error:
        raise _gone(log) from error
    finally:
        await client.end()


def change_between(old: str, new: str) -> types.TextDocumentContentChangePartial:
    """One edit, in UTF-16, that makes `new` of `old`."""
    # Four bytes for every character, so that lengths in bytes are lengths in characters.
    wide_old, wide_new = (text.encode("utf-32-le", "surrogatepass") for text in (old, new))
    n_before = common_prefix_length(wide_old, wide_new) // 4
    n_after = common_suffix_length(wide_old, wide_new, 4 * (min(len(old), len(new)) - n_before)) // 4
    # A place between \r and \n cannot be told: it counts as before both.
    if n_before and old[n_before - 1] == "\r":
        n_before -= 1
    if n_after and old[len(old) - n_after] == "\n":
        n_after -= 1
    index = TextIndex(old)
    start, end = (_position(index, index.to_byte(CharIndex(at))) for at in (n_before, len(old) - n_after))
    return types.TextDocumentContentChangePartial(types.Range(start, end), new[n_before : len(new) - n_after])


async def _until_ready(states: asyncio.Queue[Any]) -> None:
    async with asyncio.timeout(_READY_TIMEOUT_S):
        while (status := await states.get()).state not in ("ready", "busy"):
            if status.state == "error":
                raise BackendError(status.message, mend=getattr(status, "mend", ""))


def _gone(log: Path) -> BackendError:
    """What to say of a server that has ended, with the last line of its log."""
    said = log.read_text("utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return BackendError("The language server has stopped answering.", mend=said[-1] if said else "See `fimble doctor`.")


def _retrieve(answer: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more; asyncio would call that an oversight."""
    if not answer.cancelled():
        answer.exception()


def _no_answer(_params: Any) -> None:
    """The client closes every question."""


def _position(index: TextIndex, at: ByteOffset) -> types.Position:
    line, column = index.to_utf16(at)
    return types.Position(line, column)


def _byte_range(index: TextIndex, found: types.Range | None, cursor: ByteOffset) -> ByteRange:
    if found is None:
        return ByteRange(cursor, cursor)
    start, end = (index.from_utf16(place.line, Utf16Column(place.character)) for place in (found.start, found.end))
    return ByteRange(start, end)


def _rejection(request_id: RequestId, reason: RejectReason, detail: str) -> Rejection:
    error = BackendError(detail) if reason in (RejectReason.MODEL_UNAVAILABLE, RejectReason.BACKEND_FAILED) else None
    return Rejection(request_id, reason, detail, _NO_TIMES, error=error)
