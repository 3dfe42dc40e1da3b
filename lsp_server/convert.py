"""LSP's types to fimble's and back; what a session remembers knows nothing of lsprotocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

from cattrs import Converter
from lsprotocol import types
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, default_converter
from pygls.uris import to_fs_path

from fimble.core.flow import Completion, PopupItem, Rejection, RequestId, Trigger
from fimble.lsp_server.documents import Cell, Edit, Snapshot
from fimble.lsp_server.journal import ItemId
from fimble.lsp_server.status import Status
from fimble.lsp_server.text import Encoding, Place

ACCEPTED_COMMAND: Final = "fimble.accepted"
SECTION: Final = "fimble"

# URI schemes whose path is a file's, though the text is not the file itself.
_FILE_LIKE: Final = frozenset({"file", "vscode-notebook-cell", "vscode-remote"})


def converter() -> Converter:
    """Like pygls' own, but `triggerKind` may be any number, and messages of our own keep their params as they came."""
    made = default_converter()
    # The enum has 1 and 2; clients written against drafts of LSP 3.18 send 0, and would get an error.
    made.register_structure_hook(types.InlineCompletionTriggerKind, lambda raw, _: raw)
    made.register_structure_hook(
        JsonRPCNotification,
        lambda raw, _: JsonRPCNotification(method=raw["method"], jsonrpc=raw["jsonrpc"], params=raw.get("params")),
    )
    made.register_structure_hook(
        JsonRPCRequestMessage,
        lambda raw, _: JsonRPCRequestMessage(
            id=raw["id"], method=raw["method"], jsonrpc=raw["jsonrpc"], params=raw.get("params")
        ),
    )
    return made


# 1. Who is there.


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What the client said of itself in `initialize`."""

    name: str = ""
    encoding: Encoding = Encoding.UTF16
    roots: tuple[Path, ...] = ()
    root_uris: tuple[str, ...] = ()
    settings: Mapping[str, object] | None = None
    has_own_commands: bool = False
    wants_outcomes: bool = False
    answers_configuration: bool = False
    registers_inline_completion: bool = False
    registers_configuration: bool = False
    shows_progress: bool = False
    shows_actions: bool = True


def client_facts(params: types.InitializeParams, encoding: types.PositionEncodingKind | str | None) -> ClientFacts:
    """Read `initialize`; `encoding` is what was agreed on."""
    workspace = params.capabilities.workspace
    window = params.capabilities.window
    text = params.capabilities.text_document
    inline = text.inline_completion if text else None
    did_change = workspace.did_change_configuration if workspace else None
    options = _mapping(params.initialization_options)
    folders = params.workspace_folders or ()
    root_uris = tuple(folder.uri for folder in folders)
    if not root_uris and params.root_uri:
        root_uris = (params.root_uri,)
    roots = [path for uri in root_uris if (path := path_of(uri)) is not None]
    if not roots and not root_uris and params.root_path:
        roots = [Path(params.root_path)]
    return ClientFacts(
        name=params.client_info.name if params.client_info else "",
        encoding=Encoding(getattr(encoding, "value", encoding) or "utf-16"),
        roots=tuple(roots),
        root_uris=root_uris,
        settings=_mapping(options.get("settings")),
        has_own_commands=options.get("ownCommands") is True,
        wants_outcomes=options.get("outcomes") is True,
        answers_configuration=bool(workspace and workspace.configuration),
        registers_inline_completion=bool(inline and inline.dynamic_registration),
        registers_configuration=bool(did_change and did_change.dynamic_registration),
        shows_progress=bool(window and window.work_done_progress),
    )


def fit_capabilities(result: types.InitializeResult, facts: ClientFacts, commands: Sequence[str]) -> None:
    """Advertise `commands`, without those that the client has itself; take back what is registered later instead."""
    advertised = [ACCEPTED_COMMAND] if facts.has_own_commands else list(commands)
    result.capabilities.execute_command_provider = types.ExecuteCommandOptions(commands=advertised)
    if facts.registers_inline_completion:
        # Advertised and registered would mean every request twice in VS Code.
        result.capabilities.inline_completion_provider = None


def path_of(uri: str) -> Path | None:
    """The file a URI stands for, None for texts that are no file."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme not in _FILE_LIKE:
        return None
    found = to_fs_path(uri) if parts.scheme == "file" else unquote(parts.path)
    return Path(found) if found else None


def folder_changes(params: types.DidChangeWorkspaceFoldersParams) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """URIs of workspace folders added, and removed."""
    event = params.event
    return tuple(folder.uri for folder in event.added), tuple(folder.uri for folder in event.removed)


# 2. Texts.


def place(position: types.Position) -> Place:
    """A position as the client counts."""
    return Place(position.line, position.character)


def place_of(raw: object) -> Place | None:
    """A position as it came in a command's arguments; None where it is none."""
    position = _mapping(raw)
    line, character = position.get("line"), position.get("character")
    if not isinstance(line, int) or not isinstance(character, int) or line < 0 or character < 0:
        return None
    return Place(line, character)


def edits(changes: Sequence[types.TextDocumentContentChangeEvent]) -> list[Edit]:
    """Changes in the order the client made them."""
    return [
        Edit(change.text, place(change.range.start), place(change.range.end))
        if isinstance(change, types.TextDocumentContentChangePartial)
        else Edit(change.text)
        for change in changes
    ]


def notebook_selector() -> types.NotebookDocumentSyncOptions:
    """All notebooks' code cells."""
    return types.NotebookDocumentSyncOptions(
        notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")], save=False
    )


def cells(raw: Sequence[types.NotebookCell]) -> list[Cell]:
    """Cells in the notebook's order."""
    return [Cell(cell.document, cell.kind is types.NotebookCellKind.Code) for cell in raw]


def open_texts(open_text: Callable[[str, str, int, str], None], items: Sequence[types.TextDocumentItem]) -> None:
    """Hand over texts that the client opened: URI, language, version, text."""
    for item in items:
        open_text(item.uri, _text(item.language_id), item.version, item.text)


def everything_renamed() -> types.FileOperationRegistrationOptions:
    """Files and folders of all kinds."""
    return types.FileOperationRegistrationOptions([types.FileOperationFilter(types.FileOperationPattern("**/*"))])


def renames(params: types.RenameFilesParams) -> list[tuple[str, str]]:
    """Old and new URIs."""
    return [(file.old_uri, file.new_uri) for file in params.files]


# 3. Requests.


@dataclass(slots=True)
class TriggerReader:
    """Reads `triggerKind`: LSP 3.18 says 1 invoked, 2 automatic; drafts of it said 0 and 1, and so do some clients.

    Who has ever sent 0 counts from 0.
    """

    counts_from_zero: bool = False

    def read(self, kind: object) -> Trigger:
        """The trigger; whatever is no known number was automatic."""
        if kind == 0:
            self.counts_from_zero = True
            return Trigger.INVOKED
        return Trigger.INVOKED if kind == 1 and not self.counts_from_zero else Trigger.AUTOMATIC


def popup_item(snapshot: Snapshot, context: types.InlineCompletionContext) -> PopupItem | None:
    """The item selected in the client's completion menu."""
    info = context.selected_completion_info
    if info is None:
        return None
    return PopupItem(info.text, snapshot.to_range(place(info.range.start), place(info.range.end)))


def item_id(raw: object) -> ItemId | None:
    """Which item a notification of the client is about: by its `command`, as it was sent."""
    command = _mapping(_mapping(_mapping(raw).get("item")).get("command"))
    arguments = command.get("arguments")
    return item_id_of(arguments) if command.get("command") == ACCEPTED_COMMAND else None


def item_id_of(arguments: object) -> ItemId | None:
    """The item named by `fimble.accepted`'s arguments."""
    if not isinstance(arguments, Sequence) or not arguments or not isinstance(arguments[0], str):
        return None
    candidate = arguments[1] if len(arguments) > 1 else 0
    return ItemId(RequestId(arguments[0]), candidate if isinstance(candidate, int) else 0)


def accepted_length(raw: object) -> int | None:
    """`acceptedLength` of didPartiallyAcceptCompletion, in UTF-16 code units; None where it is no length."""
    length = _mapping(raw).get("acceptedLength")
    return length if isinstance(length, int) and not isinstance(length, bool) and length >= 0 else None


def document_uri(raw: object) -> str | None:
    """The document that params of our own are about."""
    uri = _mapping(_mapping(raw).get("textDocument")).get("uri")
    return uri if isinstance(uri, str) else None


def cursor_report(raw: object) -> tuple[str, Place] | None:
    """Document and place of fimble/didMoveCursor; None where they cannot be read."""
    uri = document_uri(raw)
    position = _mapping(_mapping(raw).get("position"))
    line, column = position.get("line"), position.get("character")
    if uri is not None and isinstance(line, int) and isinstance(column, int) and line >= 0 and column >= 0:
        return uri, Place(line, column)
    return None


# 4. Answers.


@dataclass(frozen=True, slots=True)
class Item:
    """One candidate: `text` in place of what is between two places on one line."""

    item_id: ItemId
    text: str
    start: Place
    end: Place


def completion_list(items: Sequence[Item]) -> types.InlineCompletionList:
    """The answer to textDocument/inlineCompletion."""
    return types.InlineCompletionList(
        items=[
            types.InlineCompletionItem(
                insert_text=item.text,
                range=types.Range(_position(item.start), _position(item.end)),
                command=types.Command(
                    title="Accepted",
                    command=ACCEPTED_COMMAND,
                    arguments=[item.item_id.request_id, item.item_id.candidate],
                ),
            )
            for item in items
        ]
    )


def status_fields(status: Status) -> dict[str, object]:
    """`fimble/status`, without what does not apply."""
    fields: dict[str, object] = {"state": status.state.value, "message": status.message}
    extras = {"percent": status.percent, "mend": status.mend, "model": status.model}
    fields.update({key: value for key, value in extras.items() if value is not None})
    return fields


def outcome_fields(uri: str, outcome: Completion | Rejection) -> dict[str, object]:
    """`fimble/outcome`: what became of a request and what it cost; no text."""
    fields: dict[str, object] = {
        "textDocument": {"uri": uri},
        "model": outcome.model_id,
        "nPromptTokens": outcome.n_prompt_tokens,
        "nReusedTokens": outcome.n_reused_tokens,
        "nGeneratedTokens": outcome.n_generated_tokens,
    }
    if isinstance(outcome, Rejection):
        return {**fields, "reason": outcome.reason.value, "detail": outcome.detail}
    return {**fields, "source": outcome.source.value, "stopReason": outcome.stop_reason.value}


# 5. What the server asks of the client.


def configuration_query(scope_uris: Sequence[str]) -> types.ConfigurationParams:
    """Section `fimble` in general, then for each scope."""
    items = [types.ConfigurationItem(section=SECTION)]
    items += [types.ConfigurationItem(section=SECTION, scope_uri=uri) for uri in scope_uris]
    return types.ConfigurationParams(items=items)


def settings_values(raw: object) -> dict[str, object]:
    """Settings as the client sent them, without unset ones and those that are the client's own business."""
    values: dict[str, object] = {}
    for key, value in _mapping(raw).items():
        if value is None or key.split(".")[0] in {"server", "trace", "editor"}:
            continue
        values[key] = settings_values(value) if isinstance(value, Mapping) else value
    return values


def changed_settings(params: types.DidChangeConfigurationParams) -> dict[str, object] | None:
    """Settings that come with the notification itself; None where the client leaves asking to the server."""
    settings = _mapping(params.settings)
    if SECTION in settings:
        return settings_values(settings[SECTION])
    return None


def registration(registration_id: str, method: str) -> types.RegistrationParams:
    """Ask for a method's messages."""
    options: object
    if method == types.TEXT_DOCUMENT_INLINE_COMPLETION:
        # No selector: the one of the client's own settings holds.
        options = {"documentSelector": None}
    else:
        options = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
    return types.RegistrationParams([types.Registration(registration_id, method, cast(Any, options))])


def unregistration(registration_id: str, method: str) -> types.UnregistrationParams:
    """Ask for no more of a method's messages."""
    return types.UnregistrationParams([types.Unregistration(registration_id, method)])


def message(text: str, *, is_error: bool) -> types.ShowMessageParams:
    """A message for people."""
    return types.ShowMessageParams(type=_severity(is_error=is_error), message=text)


def question(text: str, actions: Sequence[str], *, is_error: bool) -> types.ShowMessageRequestParams:
    """A message with buttons."""
    return types.ShowMessageRequestParams(
        type=_severity(is_error=is_error), message=text, actions=[types.MessageActionItem(title) for title in actions]
    )


def chosen_action(raw: object) -> str | None:
    """The button that was pressed."""
    return raw.title if isinstance(raw, types.MessageActionItem) else None


def progress_begin(title: str, text: str, *, is_cancellable: bool) -> types.WorkDoneProgressBegin:
    """A progress bar appears."""
    return types.WorkDoneProgressBegin(title=title, message=text, cancellable=is_cancellable, percentage=None)


def progress_report(text: str, percent: int | None) -> types.WorkDoneProgressReport:
    """A progress bar moves."""
    return types.WorkDoneProgressReport(message=text, percentage=percent)


def progress_end(text: str) -> types.WorkDoneProgressEnd:
    """A progress bar goes."""
    return types.WorkDoneProgressEnd(message=text)


def _severity(*, is_error: bool) -> types.MessageType:
    return types.MessageType.Error if is_error else types.MessageType.Info


def _position(at: Place) -> types.Position:
    return types.Position(at.line, at.column)


def _text(raw: object) -> str:
    """lsprotocol reads language ids as an enum of known ones or as text."""
    return str(getattr(raw, "value", raw))


def _mapping(raw: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], raw) if isinstance(raw, Mapping) else {}
