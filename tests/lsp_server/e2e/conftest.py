"""The real server process over stdio, a scripted model in it, and a client that keeps its own copy of every text."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import LanguageClient
from pytest_lsp.client import make_test_lsp_client

from fimble.core.position import TextIndex
from fimble.lsp_server.text import Encoding

SERVER = [sys.executable, "-P", "-m", "fimble.cli.serve", "--stdio"]
UNITS: Mapping[Encoding, Callable[[str], int]] = {
    Encoding.UTF8: lambda text: len(text.encode()),
    Encoding.UTF16: lambda text: len(text.encode("utf-16-le")) // 2,
    Encoding.UTF32: len,
}


@dataclass
class Text:
    """A document as the client has it."""

    uri: str
    text: str
    version: int = 1


class Editor:
    """An LSP client over pytest-lsp's, with exact books: which request was answered how often."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.encoding = Encoding.UTF16
        self.init: types.InitializeResult | None = None
        self.statuses: list[dict[str, Any]] = []
        self.questions: list[types.ShowMessageRequestParams] = []
        self.buttons: list[str] = []
        self.registered: list[types.Registration] = []
        self.texts: dict[str, Text] = {}
        self.answers: Counter[str | int] = Counter()
        self.n_asked = 0
        self._watch()

    def _watch(self) -> None:
        # Tests send trigger kinds that lsprotocol's enum does not know.
        self.client.protocol._converter.register_unstructure_hook(types.InlineCompletionTriggerKind, int)
        handle = self.client.protocol.handle_message

        def counted(message: Any) -> None:
            if getattr(message, "method", None) is None and getattr(message, "id", None) is not None:
                self.answers[message.id] += 1
            handle(message)

        self.client.protocol.handle_message = counted

        @self.client.feature("fimble/status")
        def _(params: Any) -> None:
            self.statuses.append(params._asdict())

        @self.client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
        def _(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.questions.append(params)
            return types.MessageActionItem(self.buttons.pop(0)) if self.buttons else None

        @self.client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def _(params: types.RegistrationParams) -> None:
            self.registered.extend(params.registrations)

    async def initialize(
        self,
        encodings: Sequence[str] | None = None,
        *,
        dynamic: bool = False,
        configuration: bool = False,
        options: Any = None,
        folders: Sequence[Path] = (),
    ) -> types.InitializeResult:
        kinds = [types.PositionEncodingKind(encoding) for encoding in encodings] if encodings else None
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=kinds),
            text_document=types.TextDocumentClientCapabilities(
                inline_completion=types.InlineCompletionClientCapabilities(dynamic_registration=dynamic)
            ),
            workspace=types.WorkspaceClientCapabilities(
                configuration=configuration,
                did_change_configuration=types.DidChangeConfigurationClientCapabilities(dynamic_registration=dynamic),
            ),
            window=types.WindowClientCapabilities(work_done_progress=True),
            notebook_document=types.NotebookDocumentClientCapabilities(types.NotebookDocumentSyncClientCapabilities()),
        )
        self.init = await self.client.initialize_session(
            types.InitializeParams(
                capabilities=capabilities,
                initialization_options=options,
                workspace_folders=[types.WorkspaceFolder(path.as_uri(), path.name) for path in folders],
            )
        )
        encoding = self.init.capabilities.position_encoding
        self.encoding = Encoding(getattr(encoding, "value", encoding))
        return self.init

    @property
    def state(self) -> str:
        return self.statuses[-1]["state"] if self.statuses else ""

    async def until_ready(self) -> None:
        await self.until(lambda: self.state in {"ready", "busy"})

    async def until(self, condition: Callable[[], object]) -> None:
        """Poll; a machine under load is slow, so the limit is generous."""
        for _ in range(6000):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("waited in vain")

    # Texts.

    def open(self, text: str, uri: str = "file:///w/a.py", language_id: str = "python") -> Text:
        made = self.texts[uri] = Text(uri, text)
        item = types.TextDocumentItem(uri, language_id, 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return made

    def close(self, text: Text) -> None:
        del self.texts[text.uri]
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(text.uri)))

    def position(self, text: Text, char: int) -> types.Position:
        index = TextIndex(text.text)
        line = max(i for i in range(index.n_lines) if index.line_start(i) <= char)
        return types.Position(line, UNITS[self.encoding](text.text[index.line_start(line) : char]))

    def edit(self, text: Text, start: int, end: int, new: str) -> None:
        """Replace code points `start` to `end`."""
        text.version += 1
        change = types.TextDocumentContentChangePartial(
            range=types.Range(self.position(text, start), self.position(text, end)), text=new
        )
        text.text = text.text[:start] + new + text.text[end:]
        self.change(text, change)

    def change(self, text: Text, *changes: types.TextDocumentContentChangeEvent) -> None:
        identifier = types.VersionedTextDocumentIdentifier(text.version, text.uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, list(changes)))

    async def server_text(self, text: Text) -> str | None:
        answer = await self.client.protocol.send_request_async("fimble/viewText", {"textDocument": {"uri": text.uri}})
        return None if answer is None else answer.text

    # Requests.

    def ask(
        self, uri: str, position: types.Position, kind: int = 2, selected: types.SelectedCompletionInfo | None = None
    ) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; its id and its answer to come."""
        self.n_asked += 1
        params = types.InlineCompletionParams(
            context=types.InlineCompletionContext(trigger_kind=kind, selected_completion_info=selected),
            text_document=types.TextDocumentIdentifier(uri),
            position=position,
        )
        msg_id = 1_000_000 + self.n_asked
        future = self.client.protocol.send_request("textDocument/inlineCompletion", params, msg_id=msg_id)
        return msg_id, asyncio.wrap_future(future)

    async def items(self, text: Text, char: int, kind: int = 2) -> list[types.InlineCompletionItem]:
        _, answer = self.ask(text.uri, self.position(text, char), kind)
        return list((await asyncio.wait_for(answer, 60)).items)

    def cancel(self, msg_id: int) -> None:
        self.client.cancel_request(types.CancelParams(msg_id))

    async def command(self, name: str, *arguments: Any) -> Any:
        return await self.client.workspace_execute_command_async(
            types.ExecuteCommandParams(name, arguments=list(arguments))
        )

    def applied(self, text: Text, item: types.InlineCompletionItem) -> str:
        """The text after accepting an item, by the client's own counting."""
        assert item.range is not None
        assert item.range.start.line == item.range.end.line
        start, end = (self._char(text.text, place) for place in (item.range.start, item.range.end))
        return text.text[:start] + str(item.insert_text) + text.text[end:]

    def _char(self, text: str, position: types.Position) -> int:
        index = TextIndex(text)
        start = index.line_start(position.line)
        units = 0
        char = int(start)
        while units < position.character:
            units += UNITS[self.encoding](text[char])
            char += 1
        assert units == position.character, "in the middle of a character"
        return char

    def raw(self, body: bytes, head: bytes | None = None) -> None:
        """Send bytes."""
        server = self.client._server
        assert server is not None
        assert server.stdin is not None
        server.stdin.write((head if head is not None else b"Content-Length: %d\r\n\r\n" % len(body)) + body)

    @property
    def process(self) -> asyncio.subprocess.Process:
        server = self.client._server
        assert server is not None
        return server


Start = Callable[..., Awaitable[Editor]]


def rule(prefix_endswith: str, answer: str, delay_ms: float = 0) -> dict[str, Any]:
    """One rule of the scripted model."""
    return {"prefix_endswith": prefix_endswith, "answer": answer, "delay_ms": delay_ms}


@pytest.fixture
def scripted() -> Any:
    """`rule`, for tests: they are no package that could be imported from."""
    return rule


@pytest.fixture
async def start_editor(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts servers; `rules` script the model."""
    editors: list[Editor] = []

    async def start(
        rules: Sequence[dict[str, Any]] = (),
        *,
        env: Mapping[str, str] | None = None,
        extra_arguments: Sequence[str] = (),
        **kwargs: Any,
    ) -> Editor:
        script = tmp_path / f"rules{len(editors)}.json"
        script.write_text(json.dumps(list(rules)), "utf-8")
        client = make_test_lsp_client()
        editor = Editor(client)
        editors.append(editor)
        environment = {**os.environ, "FIMBLE_MODEL_ID": f"scripted:{script}", **(env or {})}
        await client.start_io(*SERVER, *extra_arguments, env=environment)
        if kwargs.pop("initialize", True):
            await editor.initialize(**kwargs)
        return editor

    yield start
    for editor in editors:
        if editor.process.returncode is None and editor.client.error is None and editor.client.capabilities:
            await asyncio.wait_for(editor.client.shutdown_session(), 30)
        elif editor.process.returncode is None:
            editor.process.kill()
        await editor.client.stop()


@pytest.fixture
def editor_class() -> type[Editor]:
    """`Editor`, for tests that run a loop of their own."""
    return Editor


@pytest.fixture
def server_command() -> list[str]:
    """How the server is started."""
    return SERVER
