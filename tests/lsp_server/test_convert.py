"""The boundary: what clients send, leniently read; what they get."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from fimble.core.flow import RequestId, Trigger
from fimble.lsp_server import convert
from fimble.lsp_server.journal import ItemId
from fimble.lsp_server.status import State, Status
from fimble.lsp_server.text import Encoding, Place


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([1, 2, 1], [Trigger.INVOKED, Trigger.AUTOMATIC, Trigger.INVOKED]),
        ([0, 1, 2], [Trigger.INVOKED, Trigger.AUTOMATIC, Trigger.AUTOMATIC]),
        ([None, "1", 7], [Trigger.AUTOMATIC] * 3),
    ],
    ids=["LSP 3.18", "drafts", "nonsense"],
)
def test_trigger_kinds(kinds: list[object], expected: list[Trigger]) -> None:
    reader = convert.TriggerReader()
    assert [reader.read(kind) for kind in kinds] == expected


@pytest.mark.parametrize("kind", [0, 1, 2, 5])
def test_no_trigger_kind_makes_a_request_unreadable(kind: int) -> None:
    raw = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "textDocument/inlineCompletion",
        "params": {
            "textDocument": {"uri": "file:///a", "version": 3},
            "position": {"line": 0, "character": 0},
            "context": {"triggerKind": kind},
            "formattingOptions": {"tabSize": 4},
        },
    }
    request = convert.converter().structure(raw, types.InlineCompletionRequest)
    assert request.params.context.trigger_kind == kind


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.py", Path("/a/b c.py")),
        ("vscode-notebook-cell:/a/n.ipynb#W0sZ", Path("/a/n.ipynb")),
        ("vscode-remote://ssh/a/b.py", Path("/a/b.py")),
        ("untitled:Untitled-1", None),
        ("", None),
        ("file://[", None),
        ("git:/a/b.py?x", None),
    ],
)
def test_paths(uri: str, path: Path | None) -> None:
    assert convert.path_of(uri) == path


def test_settings_without_what_is_unset_or_the_clients_own() -> None:
    raw = {
        "completion": {"enabled": None, "lines": "single"},
        "server": {"path": ["x"]},
        "trace.server": "off",
        "editor": {"debounce": 1},
        "model.id": "m",
    }
    assert convert.settings_values(raw) == {"completion": {"lines": "single"}, "model.id": "m"}
    assert convert.settings_values(None) == {}
    assert convert.settings_values([1]) == {}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"item": {"command": {"command": "fimble.accepted", "arguments": ["r", 2]}}}, ItemId(RequestId("r"), 2)),
        ({"item": {"command": {"command": "fimble.accepted", "arguments": ["r"]}}}, ItemId(RequestId("r"), 0)),
        ({"item": {"command": {"command": "other", "arguments": ["r"]}}}, None),
        ({"item": {"command": {"command": "fimble.accepted", "arguments": []}}}, None),
        ({"item": {"command": {"command": "fimble.accepted", "arguments": [7]}}}, None),
        ({"item": None}, None),
        (None, None),
        ([], None),
    ],
)
def test_items_named_by_their_command(params: object, expected: ItemId | None) -> None:
    assert convert.item_id(params) == expected


@pytest.mark.parametrize(("length", "expected"), [(3, 3), (0, 0), (-1, None), (True, None), ("3", None), (None, None)])
def test_accepted_lengths(length: object, expected: int | None) -> None:
    assert convert.accepted_length({"acceptedLength": length}) == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"textDocument": {"uri": "u"}, "position": {"line": 1, "character": 2}}, ("u", Place(1, 2))),
        ({"textDocument": {"uri": "u"}, "position": {"line": -1, "character": 2}}, None),
        ({"textDocument": {"uri": 3}, "position": {"line": 1, "character": 2}}, None),
        ({"textDocument": "u"}, None),
        (7, None),
    ],
)
def test_cursor_reports(params: object, expected: tuple[str, Place] | None) -> None:
    assert convert.cursor_report(params) == expected


def test_a_clients_facts() -> None:
    params = types.InitializeParams(
        capabilities=types.ClientCapabilities(
            workspace=types.WorkspaceClientCapabilities(
                configuration=True,
                did_change_configuration=types.DidChangeConfigurationClientCapabilities(dynamic_registration=True),
            ),
            text_document=types.TextDocumentClientCapabilities(
                inline_completion=types.InlineCompletionClientCapabilities(dynamic_registration=True)
            ),
            window=types.WindowClientCapabilities(work_done_progress=True),
        ),
        client_info=types.ClientInfo("Editor"),
        initialization_options={"settings": {"model.id": "m"}, "ownCommands": True},
        workspace_folders=[types.WorkspaceFolder("file:///w/one", "one"), types.WorkspaceFolder("git:/two", "two")],
    )
    facts = convert.client_facts(params, types.PositionEncodingKind.Utf8)
    assert facts == convert.ClientFacts(
        name="Editor",
        encoding=Encoding.UTF8,
        roots=(Path("/w/one"),),
        root_uris=("file:///w/one", "git:/two"),
        settings={"model.id": "m"},
        has_own_commands=True,
        answers_configuration=True,
        registers_inline_completion=True,
        registers_configuration=True,
        shows_progress=True,
    )


def test_a_bare_client() -> None:
    facts = convert.client_facts(types.InitializeParams(capabilities=types.ClientCapabilities(), root_path="/w"), None)
    assert facts == convert.ClientFacts(roots=(Path("/w"),), settings={})


def test_registered_later_means_not_advertised() -> None:
    result = types.InitializeResult(
        capabilities=types.ServerCapabilities(inline_completion_provider=types.InlineCompletionOptions())
    )
    facts = convert.ClientFacts(registers_inline_completion=True, has_own_commands=True)
    convert.fit_capabilities(result, facts, ["fimble.accepted", "fimble.restart"])
    assert result.capabilities.inline_completion_provider is None
    assert result.capabilities.execute_command_provider == types.ExecuteCommandOptions(["fimble.accepted"])


def test_status_leaves_out_what_does_not_apply() -> None:
    assert convert.status_fields(Status(State.READY, "m")) == {"state": "ready", "message": "m"}
    assert convert.status_fields(Status(State.DOWNLOADING, "m", percent=0, model="x")) == {
        "state": "downloading",
        "message": "m",
        "percent": 0,
        "model": "x",
    }


def test_configuration_sent_along() -> None:
    assert convert.changed_settings(types.DidChangeConfigurationParams({"fimble": {"model.id": "m"}})) == {
        "model.id": "m"
    }
    for settings in ({}, None, [], {"other": {}}):
        assert convert.changed_settings(types.DidChangeConfigurationParams(settings)) is None
