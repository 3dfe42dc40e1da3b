"""The server process as clients meet it: encodings, items, cancellation, status, commands, dialects, exit."""

from __future__ import annotations

import asyncio
import json
import os
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

RETURN = ("ret", "urn a + b")


@pytest.mark.parametrize(
    ("encodings", "agreed"),
    [(None, "utf-16"), (["utf-16"], "utf-16"), (["utf-8", "utf-16"], "utf-8"), (["utf-32", "utf-8"], "utf-32")],
    ids=str,
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
async def test_positions_in_every_encoding(
    start_editor: Start, scripted: Scripted, encodings: list[str] | None, agreed: str, line_end: str
) -> None:
    editor = await start_editor([scripted("é = ", "'日本😀'"), scripted("é = '日", "本😀'")], encodings=encodings)
    assert editor.encoding == agreed
    text = editor.open(line_end.join(["# 😀", "s = '😀é'; é = ", "print()"]))
    at = text.text.index("é = ") + len("é = ")
    (item,) = await editor.items(text, at)
    assert editor.applied(text, item) == line_end.join(["# 😀", "s = '😀é'; é = '日本😀'", "print()"])
    # The same after typing into the line, and into a line before it.
    editor.edit(text, 0, 0, f"# é{line_end}")
    at += 3 + len(line_end)
    editor.edit(text, at, at, "'日")
    (item,) = await editor.items(text, at + 2)
    assert editor.applied(text, item).endswith(line_end.join(["s = '😀é'; é = '日本😀'", "print()"]))
    assert await editor.server_text(text) == text.text


async def test_an_item_and_its_command(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)])
    text = editor.open("def add(a, b):\n    ret\n")
    (item,) = await editor.items(text, len(text.text) - 1)
    assert editor.applied(text, item) == "def add(a, b):\n    return a + b\n"
    assert item.command.command == "fimble.accepted"
    assert await editor.command(item.command.command, *item.command.arguments) is None


async def test_what_follows_the_cursor_is_not_doubled(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("add(", "1, 2)")])
    text = editor.open("x = add()\n")
    (item,) = await editor.items(text, text.text.index("(") + 1)
    assert editor.applied(text, item) == "x = add(1, 2)\n"


async def test_the_item_selected_in_the_menu_is_extended(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("os.getcwd", "()")])
    text = editor.open("import os\nos.get\n")
    at = text.text.index("get") + 3
    place = types.Range(editor.position(text, at - 3), editor.position(text, at))
    selected = types.SelectedCompletionInfo(place, "getcwd")
    _, answer = editor.ask(text.uri, editor.position(text, at), 2, selected)
    (item,) = (await answer).items
    assert item.insert_text == "getcwd()"
    assert item.range == place


@pytest.mark.parametrize("kind", [0, 1, 2, 99])
async def test_every_trigger_kind_is_answered(start_editor: Start, scripted: Scripted, kind: int) -> None:
    editor = await start_editor([scripted(*RETURN)])
    text = editor.open("ret")
    items = await editor.items(text, 3, kind)
    assert items[0].insert_text == "urn a + b"


async def test_cancelling_answers_with_the_protocols_error(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("slow", "er", 60_000), scripted("fast", "er")])
    text = editor.open("slow")
    msg_id, answer = editor.ask(text.uri, types.Position(0, 4))
    await editor.until(lambda: editor.state == "busy")
    editor.cancel(msg_id)
    with pytest.raises(JsonRpcException) as caught:
        await answer
    assert caught.value.code == -32800
    await editor.until(lambda: editor.state == "ready")
    assert editor.answers[msg_id] == 1


async def test_a_newer_request_and_an_edit_end_the_older(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("slow", "er", 60_000), scripted("fast", "()")])
    text = editor.open("slow")
    first, first_answer = editor.ask(text.uri, types.Position(0, 4))
    second, second_answer = editor.ask(text.uri, types.Position(0, 4))
    assert (await first_answer).items == ()
    editor.edit(text, 0, 4, "fast")
    assert (await second_answer).items == ()
    (item,) = await editor.items(text, 4)
    assert item.insert_text == "()"
    assert [editor.answers[first], editor.answers[second]] == [1, 1]


async def test_rapid_typing_answers_every_request_once(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("result", " = 1"), scripted("", "x", 30)], encodings=["utf-8"])
    text = editor.open("", language_id="plaintext")  # no grammar: every text may be answered
    asked: list[tuple[int, asyncio.Future[Any]]] = []
    for i, char in enumerate("for 😀 in é:\n    result" * 4):
        editor.edit(text, len(text.text), len(text.text), char)
        asked.append(editor.ask(text.uri, editor.position(text, len(text.text))))
        if i % 3 == 1 and i < 80:
            editor.cancel(asked[-1][0])
        if i % 7 == 0:
            await asyncio.sleep(0.02)
    answers = await asyncio.gather(*(answer for _, answer in asked), return_exceptions=True)
    assert answers[-1].items[0].insert_text == " = 1"
    assert all(isinstance(answer, JsonRpcException) or answer.items is not None for answer in answers)
    assert {editor.answers[msg_id] for msg_id, _ in asked} == {1}
    assert await editor.server_text(text) == text.text


async def test_first_status_then_progress_then_ready(start_editor: Start) -> None:
    editor = await start_editor()
    await editor.until_ready()
    assert [status["state"] for status in editor.statuses] == ["starting", "starting", "ready"]
    (reports,) = editor.client.progress_reports.values()
    await editor.until(lambda: len(reports) == 2)
    assert [report.kind for report in reports] == ["begin", "end"]


async def test_a_missing_model_says_what_to_do(start_editor: Start, tmp_path: Path) -> None:
    editor = await start_editor(env={"FIMBLE_MODEL_ID": f"scripted:{tmp_path}/none.json"})
    await editor.until(lambda: editor.questions)
    assert editor.statuses[-1]["state"] == "error"
    assert editor.statuses[-1]["mend"]
    assert [action.title for action in editor.questions[0].actions] == ["Try again"]
    text = editor.open("x")
    assert await editor.items(text, 1) == []


async def test_a_model_of_the_catalog_is_offered_for_download(start_editor: Start) -> None:
    editor = await start_editor(env={"FIMBLE_MODEL_ID": "qwen2.5-coder-0.5b"})
    await editor.until(lambda: editor.questions)
    assert [action.title for action in editor.questions[0].actions] == ["Download", "Not now"]
    assert "MB" in editor.questions[0].message
    assert "licence" in editor.questions[0].message


async def test_download_offline_fails_with_its_mend(start_editor: Start) -> None:
    editor = await start_editor(env={"FIMBLE_MODEL_ID": "qwen2.5-coder-0.5b", "FIMBLE_NETWORK_OFFLINE": "true"})
    await editor.until(lambda: editor.questions)
    assert [action.title for action in editor.questions[0].actions] == ["Try again"]
    with pytest.raises(JsonRpcException) as caught:
        await editor.command("fimble.download")
    assert caught.value.code == -32803
    assert "offline" in caught.value.message


async def test_why(start_editor: Start, scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("class Shop:\n    def open_at(self, hour): ...\n")
    editor = await start_editor([scripted(*RETURN)], initialize=False)
    await editor.initialize(folders=[tmp_path])
    await editor.until_ready()
    source = "from shop import Shop\n\nshop = Shop()\nshop.\n"
    text = editor.open(source, (tmp_path / "main.py").as_uri())
    why = await editor.command("fimble.explain", {"uri": text.uri, "position": {"line": 3, "character": 5}})
    [found] = [section for section in why["sections"] if section["source"] == "definitions"]
    assert "def open_at" in found["text"]
    assert sum(section["n_tokens"] for section in why["sections"]) == why["n_tokens"]
    assert why["markdown"].startswith("# What fimble's model sees here")
    for wrong in ({}, {"uri": text.uri}, {"uri": text.uri, "position": {"line": -1, "character": 0}}):
        with pytest.raises(JsonRpcException) as caught:
            await editor.command("fimble.explain", wrong)
        assert caught.value.code == -32602


async def test_dynamic_registration_replaces_the_advertisement(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)], dynamic=True, options={"ownCommands": True})
    await editor.until_ready()
    assert editor.init.capabilities.inline_completion_provider is None
    assert editor.init.capabilities.execute_command_provider.commands == ("fimble.accepted",)
    assert [registration.method for registration in editor.registered] == [
        "textDocument/inlineCompletion",
        "workspace/didChangeConfiguration",
    ]
    text = editor.open("ret")
    assert await editor.items(text, 3)


async def test_what_is_advertised(start_editor: Start) -> None:
    editor = await start_editor()
    capabilities = editor.init.capabilities
    assert capabilities.inline_completion_provider is not None
    assert capabilities.text_document_sync.change == types.TextDocumentSyncKind.Incremental
    assert capabilities.text_document_sync.open_close
    assert "fimble.restart" in capabilities.execute_command_provider.commands
    assert editor.registered == []


async def test_settings_by_workspace_configuration(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)], initialize=False)
    editor.client.set_configuration({"fimble": {"completion": {"disabled_languages": "python"}}})
    await editor.initialize(configuration=True)
    await editor.until_ready()
    text = editor.open("ret")
    assert await editor.items(text, 3) == []
    status = await editor.command("fimble.status", {"uri": text.uri})
    assert (status["off"], status["disabledLanguages"]) == ("language", ["python"])
    editor.client.set_configuration({"fimble": {}})
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    while not (await editor.command("fimble.status", {"uri": text.uri}))["enabled"]:  # the server asks us meanwhile
        await asyncio.sleep(0.01)
    assert await editor.items(text, 3)


async def test_settings_per_folder(start_editor: Start, scripted: Scripted, tmp_path: Path) -> None:
    quiet, loud = tmp_path / "quiet", tmp_path / "loud"
    editor = await start_editor([scripted(*RETURN)], initialize=False)
    editor.client.set_configuration({"fimble": {"completion": {"enabled": False}}}, scope_uri=quiet.as_uri())
    editor.client.set_configuration({"fimble": {}}, scope_uri=loud.as_uri())
    await editor.initialize(configuration=True, folders=[loud, quiet])
    await editor.until_ready()
    for folder, n_items in ((quiet, 0), (loud, 1)):
        text = editor.open("ret", (folder / "a.py").as_uri())
        assert len(await editor.items(text, 3)) == n_items


async def test_switching_by_command(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)])
    await editor.until_ready()
    text = editor.open("ret")
    for arguments in ([], [{"scope": "language", "uri": text.uri}], [{"scope": "file", "uri": text.uri}]):
        await editor.command("fimble.disable", *arguments)
        assert await editor.items(text, 3) == []
        await editor.command("fimble.enable", *arguments)
        assert len(await editor.items(text, 3)) == 1
    assert "paused" in [status["state"] for status in editor.statuses]
    await editor.until_ready()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("fimble.nothing", []),
        ("fimble.accepted", []),
        ("fimble.enable", [{"scope": "galaxy"}]),
        ("fimble.disable", [{"scope": "file"}]),
        ("fimble.disable", [{"scope": "file", "uri": 7}]),
        ("fimble.status", ["text"]),
    ],
)
async def test_wrong_commands_are_refused(start_editor: Start, name: str, arguments: list[Any]) -> None:
    editor = await start_editor()
    with pytest.raises(JsonRpcException) as caught:
        await editor.command(name, *arguments)
    assert caught.value.code == -32602


async def test_restart(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)])
    await editor.until_ready()
    await editor.command("fimble.restart")
    await editor.until_ready()
    text = editor.open("ret")
    assert await editor.items(text, 3)


async def test_the_dialect_of_shown_and_partly_accepted(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)])
    text = editor.open("ret")
    (item,) = await editor.items(text, 3)
    raw = {
        "insertText": item.insert_text,
        "command": {"command": "fimble.accepted", "arguments": item.command.arguments},
    }
    for method, params in (
        ("textDocument/didShowCompletion", {"item": raw}),
        ("textDocument/didPartiallyAcceptCompletion", {"item": raw, "acceptedLength": 3}),
        ("fimble/didDismiss", {"item": raw}),
        ("fimble/didMoveCursor", {"textDocument": {"uri": text.uri}, "position": {"line": 0, "character": 1}}),
        ("textDocument/didShowCompletion", {"item": "nonsense"}),
        ("fimble/didMoveCursor", None),
    ):
        editor.client.protocol.notify(method, params)
    assert len(await editor.items(text, 3)) == 1


async def test_untitled_and_unknown_documents(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)])
    text = editor.open("ret", "untitled:Untitled-1")
    assert len(await editor.items(text, 3)) == 1
    strange = editor.open("ret", "file://[")
    assert len(await editor.items(strange, 3)) == 1
    editor.close(strange)
    for uri in ("file:///never/opened.py", "", "nonsense", "untitled:2", "file://["):
        _, answer = editor.ask(uri, types.Position(3, 3))
        assert (await answer).items == ()


async def test_notebook_cells_see_each_other(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted("import os\n\n\nos.", "getcwd()")])
    assert editor.init.capabilities.notebook_document_sync is not None
    cells = [("one", "import os\n"), ("two", "os.")]
    editor.client.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            notebook_document=types.NotebookDocument(
                "file:///w/n.ipynb",
                "jupyter-notebook",
                1,
                [types.NotebookCell(types.NotebookCellKind.Code, f"cell:{name}") for name, _ in cells],
            ),
            cell_text_documents=[types.TextDocumentItem(f"cell:{name}", "python", 1, text) for name, text in cells],
        )
    )
    _, before = editor.ask("cell:two", types.Position(0, 3))
    assert (await before).items == ()
    editor.client.notebook_document_did_change(
        types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(2, "file:///w/n.ipynb"),
            types.NotebookDocumentChangeEvent(
                cells=types.NotebookDocumentCellChanges(
                    structure=types.NotebookDocumentCellChangeStructure(types.NotebookCellArrayChange(1, 0, [])),
                    text_content=[
                        types.NotebookDocumentCellContentChanges(
                            types.VersionedTextDocumentIdentifier(2, "cell:two"),
                            [
                                types.TextDocumentContentChangePartial(
                                    types.Range(types.Position(0, 0), types.Position(0, 0)), "\n"
                                )
                            ],
                        )
                    ],
                )
            ),
        )
    )
    _, after = editor.ask("cell:two", types.Position(1, 3))
    (item,) = (await after).items
    assert item.insert_text == "getcwd()"
    assert item.range == types.Range(types.Position(1, 3), types.Position(1, 3))
    editor.client.notebook_document_did_close(
        types.DidCloseNotebookDocumentParams(
            types.NotebookDocumentIdentifier("file:///w/n.ipynb"),
            [types.TextDocumentIdentifier(f"cell:{name}") for name, _ in cells],
        )
    )
    _, closed = editor.ask("cell:two", types.Position(1, 3))
    assert (await closed).items == ()


async def test_too_large_files_say_so(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)], env={"FIMBLE_COMPLETION_MAX_FILE_BYTES": "10"})
    text = editor.open("# 1234567\nret")
    assert await editor.items(text, len(text.text)) == []
    assert (await editor.command("fimble.status", {"uri": text.uri}))["off"] == "too_large"


async def test_secrets_and_excluded_files_get_none(start_editor: Start, scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / ".fimbleignore").write_text("generated/\n", "utf-8")
    editor = await start_editor([scripted(*RETURN)], folders=[tmp_path])
    for name, n_items in ((".env", 0), ("generated/a.py", 0), (".env.example", 1), ("a.py", 1)):
        text = editor.open("ret", (tmp_path / name).as_uri())
        assert len(await editor.items(text, 3)) == n_items, name
        status = await editor.command("fimble.status", {"uri": text.uri})
        assert status.get("off") == (None if n_items else "excluded"), name


async def test_what_became_of_suggestions_is_counted(start_editor: Start, scripted: Scripted, tmp_path: Path) -> None:
    editor = await start_editor([scripted(*RETURN), scripted("loc", "al"), scripted("some", " = words[here]")])
    await editor.until_ready()
    text = editor.open("ret")
    (item,) = await editor.items(text, 3)
    raw = {"command": {"command": item.command.command, "arguments": list(item.command.arguments)}}
    editor.client.protocol.notify("textDocument/didShowCompletion", {"item": raw})
    editor.edit(text, 3, 3, item.insert_text)
    await editor.command("fimble.accepted", *item.command.arguments)

    editor.edit(text, len(text.text), len(text.text), "\nloc")
    (item,) = await editor.items(text, len(text.text))
    raw = {"command": {"command": item.command.command, "arguments": list(item.command.arguments)}}
    editor.client.protocol.notify("textDocument/didShowCompletion", {"item": raw})
    editor.client.protocol.notify("fimble/didDismiss", {"item": raw})

    editor.edit(text, len(text.text), len(text.text), "\nsome")
    (item,) = await editor.items(text, len(text.text))
    raw = {"command": {"command": item.command.command, "arguments": list(item.command.arguments)}}
    editor.client.protocol.notify("textDocument/didShowCompletion", {"item": raw})
    editor.edit(text, len(text.text), len(text.text), " words")
    editor.client.protocol.notify("textDocument/didPartiallyAcceptCompletion", {"item": raw, "acceptedLength": 6})
    await editor.server_text(text)
    await editor.client.shutdown_session()
    editor.client.capabilities = None

    rows = _exported(tmp_path)
    assert [
        (row["accepted_how"], row["is_shown_exact"], row["n_accepted_chars"], row["ended_how"]) for row in rows
    ] == [
        ("whole", 1, 9, None),
        (None, 1, None, "dismissed"),
        ("part", 1, 6, "dismissed"),
    ]
    assert {row["language"] for row in rows} == {"python"}


def _exported(tmp_path: Path) -> list[dict[str, Any]]:
    """The rows of the store, by the command that exports them."""
    target = tmp_path / "rows.jsonl"
    subprocess.run(
        [sys.executable, "-P", "-m", "fimble.cli.main", "telemetry", "export", str(target)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return [json.loads(line) for line in target.read_text("utf-8").splitlines()]


async def test_with_counting_off_no_file_is_made(start_editor: Start, scripted: Scripted) -> None:
    editor = await start_editor([scripted(*RETURN)], env={"FIMBLE_TELEMETRY_ENABLED": "false"})
    text = editor.open("ret")
    assert await editor.items(text, 3)
    assert not any(name.endswith(".db") for _, _, names in os.walk(os.environ["FIMBLE_HOME"]) for name in names)
