"""What a server must live through: garbage, wrong order, lost edits, random editing, and its own end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

pytestmark = pytest.mark.e2e

Start = Any  # conftest's
Scripted = Any


def _message(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **fields}).encode()


async def test_garbage_is_survived(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("ret", "urn")])
    text = editor.open("ret")
    for body in (
        b"no json",
        b"[]",
        b"[1, 2]",
        b"null",
        b"7",
        b"{}",
        b'{"jsonrpc": "1.0", "method": "x"}',
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "2.0", "id": 99}',
        b'{"jsonrpc": "2.0", "id": 99, "result": {}}',
        b'{"jsonrpc": "2.0", "id": null, "method": "textDocument/inlineCompletion", "params": {}}',
        b"\xff\xfe\x00",
        _message(method="unknown/notification", params={"x": 1}),
        _message(method="$/cancelRequest", params={"id": 12345}),
        _message(method="$/cancelRequest", params=[]),
        _message(method="textDocument/didClose", params={"textDocument": {"uri": "file:///not/open"}}),
        _message(method="textDocument/didOpen", params={}),
        _message(method="window/workDoneProgress/cancel", params={"token": "none"}),
    ):
        editor.raw(body)
    editor.raw(b"", b"Nonsense: 7\r\nMore nonsense\r\n\r\n")
    editor.raw(b"", b"Content-Length: 0\r\n\r\n")
    assert len(await editor.items(text, 3)) == 1


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("textDocument/inlineCompletion", {}, -32602),
        ("textDocument/inlineCompletion", {"textDocument": {"uri": "x"}, "position": {"line": -1}}, -32602),
        ("textDocument/inlineCompletion", [1], -32602),
        ("workspace/executeCommand", {"command": 7}, -32602),
        ("unknown/request", {}, -32601),
        ("initialize", {"capabilities": {}, "processId": None, "rootUri": None}, -32600),
    ],
)
async def test_requests_that_cannot_be_read_are_answered(
    start_editor: Start, method: str, params: Any, code: int
) -> None:
    editor = await start_editor()
    answer = asyncio.wrap_future(editor.client.protocol.send_request("fimble/viewText", None, msg_id="x"))
    await answer
    errors: list[Any] = []
    handle = editor.client.protocol._handle_response
    editor.client.protocol._handle_response = lambda *args: errors.append(args) or handle(*args)
    editor.raw(_message(id=4711, method=method, params=params))
    await editor.until(lambda: errors)
    assert [(args[0], args[2].code) for args in errors] == [(4711, code)]


async def test_an_edit_that_cannot_be_read_stops_completions_until_the_text_is_whole_again(
    start_editor: Start, scripted: Scripted
) -> None:
    editor = await start_editor([scripted("ret", "urn")])
    text = editor.open("ret")
    assert len(await editor.items(text, 3)) == 1
    wrong = {"start": {"line": -5, "character": 0}, "end": {"line": 0, "character": 0}}
    editor.raw(
        _message(
            method="textDocument/didChange",
            params={
                "textDocument": {"uri": text.uri, "version": 2},
                "contentChanges": [{"range": wrong, "text": "x"}],
            },
        )
    )
    assert await editor.items(text, 3) == []
    assert await editor.server_text(text) is None
    text.text = "ret"
    editor.change(text, types.TextDocumentContentChangeWholeDocument(text=text.text))
    assert len(await editor.items(text, 3)) == 1


async def test_positions_outside_the_text_are_clamped(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("ret", "urn")])
    text = editor.open("a\r\nret")
    for position in (types.Position(99, 0), types.Position(1, 99), types.Position(0, 99)):
        _, answer = editor.ask(text.uri, position)
        assert len((await answer).items) == (position.line > 0)
    outside = types.Range(types.Position(7, 7), types.Position(99, 99))
    editor.change(text, types.TextDocumentContentChangePartial(range=outside, text="\nret"))
    assert await editor.server_text(text) == "a\r\nret\nret"


async def test_a_document_closed_while_it_is_asked_about(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("", "x", 60_000)])
    text = editor.open("ret")
    msg_id, answer = editor.ask(text.uri, types.Position(0, 3))
    editor.close(text)
    assert (await asyncio.wait_for(answer, 30)).items == ()
    assert editor.answers[msg_id] == 1
    editor.change(text, types.TextDocumentContentChangeWholeDocument(text="edited after closing"))
    assert await editor.server_text(text) is None


async def test_requests_before_initialize_and_after_shutdown_are_refused(start_editor: Start) -> None:
    editor = await start_editor(initialize=False)
    with pytest.raises(JsonRpcException) as early:
        await asyncio.wrap_future(editor.client.protocol.send_request("fimble/viewText", {}, msg_id=1))
    assert early.value.code == -32002
    await editor.initialize()
    await editor.client.shutdown_async(None)
    with pytest.raises(JsonRpcException) as late:
        await asyncio.wrap_future(editor.client.protocol.send_request("fimble/viewText", {}, msg_id=2))
    assert late.value.code == -32600
    editor.client.exit(None)
    assert await asyncio.wait_for(editor.process.wait(), 30) == 0
    editor.client.capabilities = None


async def test_shutdown_ends_what_runs_and_answers_it(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("", "x", 60_000)])
    text = editor.open("ret")
    msg_id, answer = editor.ask(text.uri, types.Position(0, 3))
    await editor.until(lambda: editor.state == "busy")
    await editor.client.shutdown_async(None)
    await asyncio.wait([answer], timeout=30)
    assert editor.answers[msg_id] == 1
    assert isinstance(answer.exception(), JsonRpcException) or answer.result().items == ()
    editor.client.exit(None)
    assert await asyncio.wait_for(editor.process.wait(), 30) == 0
    editor.client.capabilities = None


@pytest.mark.parametrize("is_busy", [False, True])
async def test_the_process_ends_when_its_client_goes_away(
    start_editor: Start, scripted: Scripted, is_busy: bool
) -> None:
    editor = await start_editor([scripted("", "x", 60_000)])
    await editor.until_ready()
    if is_busy:
        text = editor.open("ret")
        _, answer = editor.ask(text.uri, types.Position(0, 3))
        await editor.until(lambda: editor.state == "busy")
        answer.add_done_callback(lambda done: done.exception())  # answered or not, the process has to end
    assert editor.process.stdin is not None
    editor.process.stdin.close()
    assert await asyncio.wait_for(editor.process.wait(), 30) == 0
    editor.client.capabilities = None


async def test_exit_without_shutdown_is_code_1(start_editor: Start) -> None:
    editor = await start_editor()
    editor.client.exit(None)
    assert await asyncio.wait_for(editor.process.wait(), 30) == 1
    editor.client.capabilities = None


async def test_a_signal_ends_the_process(start_editor: Start) -> None:
    editor = await start_editor()
    await editor.until_ready()
    editor.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(editor.process.wait(), 30) == 0
    editor.client.capabilities = None


def test_tcp_serves_clients_one_after_another_and_at_once(tmp_path: Path, scripted: Scripted) -> None:
    script = tmp_path / "rules.json"
    script.write_text(json.dumps([scripted("ret", "urn")]), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fimble.cli.serve", "--tcp", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        env={**os.environ, "FIMBLE_MODEL_ID": f"scripted:{script}"},
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline().decode()
        assert "listens on 127.0.0.1:" in line
        port = int(line.rsplit(":", 1)[1])
        connections = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(2)]
        for i, connection in enumerate(connections):
            assert _complete_over(connection, f"file:///{i}.py") == "urn"
            connection.close()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as again:
            assert _complete_over(again, "file:///again.py") == "urn"
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stderr.close()


def _complete_over(connection: socket.socket, uri: str) -> str:
    stream = connection.makefile("rwb")
    document = {"uri": uri, "languageId": "python", "version": 1, "text": "ret"}
    for body in (
        _message(id=1, method="initialize", params={"processId": None, "rootUri": None, "capabilities": {}}),
        _message(method="initialized", params={}),
        _message(method="textDocument/didOpen", params={"textDocument": document}),
        _message(
            id=2,
            method="textDocument/inlineCompletion",
            params={
                "textDocument": {"uri": uri},
                "position": {"line": 0, "character": 3},
                "context": {"triggerKind": 2},
            },
        ),
    ):
        stream.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    stream.flush()
    while True:
        length = 0
        while (header := stream.readline().strip()) != b"":
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        message = json.loads(stream.read(length))
        if message.get("id") == 2:
            return message["result"]["items"][0]["insertText"]


@pytest.mark.parametrize("arguments", [["--tcp", "nonsense"], ["--tcp", "1.2.3.4:5", "--stdio"], ["--tcp", "h:99999"]])
def test_wrong_arguments(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fimble.cli.serve", *arguments], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert b"--tcp" in done.stderr


def test_an_address_in_use_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fimble.cli.serve", "--tcp", address],
            capture_output=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert b"Choose another address" in done.stderr


async def test_no_code_in_the_log(start_editor: Start, scripted: Scripted, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    arguments = ["--log-file", str(log), "--log-level=debug"]
    editor = await start_editor([scripted("secretive", "ly")], extra_arguments=arguments)
    text = editor.open("secretive")
    assert len(await editor.items(text, 9)) == 1
    editor.raw(b'{"jsonrpc": "2.0", "secretive": ')
    wrong = {"textDocument": {"uri": text.uri}, "contentChanges": [{"text": "secretive"}, {"range": "secretive"}]}
    editor.raw(_message(method="textDocument/didChange", params=wrong))
    editor.raw(_message(id=8, method="textDocument/inlineCompletion", params={"position": "secretive"}))
    await editor.server_text(text)
    assert log.stat().st_size > 0
    assert "secretive" not in log.read_text("utf-8")
