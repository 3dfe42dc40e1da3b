"""The language server: puts session, protocol and features together, and serves a client over stdio or TCP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, BinaryIO, Final, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError
from pygls.io_ import StdoutWriter, run_async
from pygls.lsp.server import LanguageServer

from fimble.core.errors import InputError
from fimble.engine.clock import SystemClock
from fimble.lsp_server import convert
from fimble.lsp_server.client import Client
from fimble.lsp_server.features import (
    commands,
    configuration,
    did_rename_files,
    inline_completion,
    lifecycle,
    notebook_sync,
    settle,
    shown,
    text_sync,
    view_text,
    workspace_folders,
)
from fimble.lsp_server.ports import Services
from fimble.lsp_server.protocol import FimbleProtocol, describe_bug
from fimble.lsp_server.session import Session

_log = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 1 << 16
# A line of a message's head; longer ones come from something that is no LSP client.
_MAX_HEADER_BYTES: Final = 1 << 20

# pygls keeps texts of its own by str.splitlines, which knows line ends that LSP does not; ours replace these.
_REPLACED = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
    types.WINDOW_WORK_DONE_PROGRESS_CANCEL,
    types.WORKSPACE_EXECUTE_COMMAND,
)


class FimbleServer(LanguageServer):
    """One client's server."""

    def __init__(self, services: Services) -> None:
        """Nothing runs yet."""
        quiet_pygls()
        super().__init__(
            "fimble",
            _version(),
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=convert.notebook_selector(),
            protocol_cls=FimbleProtocol,
            converter_factory=convert.converter,
        )
        for method in _REPLACED:
            self.wire.fm.builtin_features.pop(method)
        self.session = Session(services, Client(self.wire), SystemClock(), convert.path_of)
        self.wire.on_lost_edit = self._lose_edit
        for feature in (
            commands,
            configuration,
            did_rename_files,
            inline_completion,
            lifecycle,
            notebook_sync,
            settle,
            shown,
            text_sync,
            view_text,
            workspace_folders,
        ):
            feature.register(self)

    @property
    def wire(self) -> FimbleProtocol:
        """The protocol, by its own type."""
        return cast(FimbleProtocol, self.protocol)

    def report_server_error(self, error: Exception, source: object) -> None:  # noqa: ARG002 - pygls' signature
        """pygls shows every error to the user, with what the client sent; ours go to the log, without it."""
        is_expected = isinstance(error, JsonRpcException) and not isinstance(error, JsonRpcInternalError)
        _log.log(logging.INFO if is_expected else logging.ERROR, "%s", describe_bug(error))

    def _lose_edit(self, uri: str) -> None:
        _log.error("an edit could not be read; no completions in this document until it is opened again")
        self.session.documents.lose(uri)
        self.session.text_changed(uri)


async def serve_stdio(services: Services, stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Serve one client until it says exit or goes away. Returns the process's exit code."""
    return await _serve(FimbleServer(services), _threaded_reader(stdin), StdoutWriter(stdout))


async def serve_tcp(services: Services, host: str, port: int, *, once: bool = False) -> None:
    """Serve every client that connects, each with a session of its own, until cancelled; `once`: one client only.

    Raises:
        InputError: the address cannot be used.
    """
    first_is_gone = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _log.info("a client connected")
        try:
            await _serve(FimbleServer(services), reader, _StreamWriter(writer))
        finally:
            writer.close()
            _log.info("a client left")
            first_is_gone.set()

    try:
        server = await asyncio.start_server(connected, host, port)
    except OSError as error:
        raise InputError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.", mend="Choose another address, or port 0."
        ) from error
    async with server:
        for socket in server.sockets:
            address = socket.getsockname()
            print(f"fimble listens on {address[0]}:{address[1]}", file=sys.stderr, flush=True)
        await (first_is_gone.wait() if once else server.serve_forever())


class _StreamWriter:
    """asyncio's writer as pygls wants it: neither call waits."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.close()


async def _serve(server: FimbleServer, reader: asyncio.StreamReader, writer: Any) -> int:
    server.wire.set_writer(writer)
    try:
        await run_async(server.wire.left, reader, server.wire, _silent_logger(), server.report_server_error)
    except (asyncio.IncompleteReadError, ConnectionError):
        _log.warning("the client went away in the middle of a message")
    finally:
        await server.session.aclose()
    return server.wire.exit_code


def _threaded_reader(stdin: BinaryIO) -> asyncio.StreamReader:
    """Any kind of stdin as a stream: a daemon thread reads, so that the process can end while it waits."""
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader(limit=_MAX_HEADER_BYTES)

    def tell(receive: Callable[..., None], *chunk: bytes) -> None:
        # The loop is closed when the process is about to end.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(receive, *chunk)

    def read() -> None:
        with contextlib.suppress(OSError, ValueError):
            while chunk := os.read(stdin.fileno(), _CHUNK_BYTES):
                tell(stream.feed_data, chunk)
        tell(stream.feed_eof)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return stream


def quiet_pygls() -> None:
    """pygls logs messages, the user's code in them: whole ones at INFO, those that it fails on at ERROR."""
    logging.getLogger("pygls").setLevel(logging.WARNING)
    logging.getLogger("pygls.protocol.json_rpc").setLevel(logging.CRITICAL + 1)


def _silent_logger() -> logging.Logger:
    """For pygls' reader, which logs what it cannot read."""
    logger = logging.getLogger("fimble.lsp_server.wire")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def _version() -> str:
    try:
        return version("fimble")
    except PackageNotFoundError:
        return "0"
