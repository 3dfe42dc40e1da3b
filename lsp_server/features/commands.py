"""workspace/executeCommand: fimble.accepted, enable, disable, status, explain, restart, download."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from fimble.core.errors import FimbleError, InputError
from fimble.engine.explain import as_fields, as_markdown
from fimble.lsp_server import convert
from fimble.lsp_server.switches import Scope

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer

Result = Mapping[str, object] | None


def register(server: FimbleServer) -> None:
    """Add the handler."""
    server.feature(types.WORKSPACE_EXECUTE_COMMAND)(execute_command)


async def execute_command(ls: FimbleServer, params: types.ExecuteCommandParams) -> Result:
    """Run a command.

    Raises:
        JsonRpcException: unknown command, wrong arguments, or the work itself failed; the message is for people.
    """
    command = _COMMANDS.get(params.command)
    if command is None:
        raise JsonRpcInvalidParams(f"There is no command {params.command!r}.")
    try:
        return await command(ls, params.arguments or ())
    except InputError as error:
        raise JsonRpcInvalidParams(error.message, data={"mend": error.mend}) from error
    except FimbleError as error:
        raise JsonRpcException(error.message, types.LSPErrorCodes.RequestFailed.value, {"mend": error.mend}) from error


async def accepted(ls: FimbleServer, arguments: Sequence[Any]) -> Result:
    """An item was taken whole. Ids of long ago are forgotten, and no error."""
    item = convert.item_id_of(arguments)
    if item is None:
        raise InputError("fimble.accepted needs the request's id.", mend="Pass the item's own command on as it came.")
    ls.session.journal.accepted(item)
    return None


async def enable(ls: FimbleServer, arguments: Sequence[Any]) -> Result:
    """Turn completions on."""
    return _switch(ls, arguments, on=True)


async def disable(ls: FimbleServer, arguments: Sequence[Any]) -> Result:
    """Turn completions off."""
    return _switch(ls, arguments, on=False)


async def status(ls: FimbleServer, arguments: Sequence[Any]) -> Result:
    """How things are."""
    return _document_status(ls, _text(_options(arguments), "uri"))


async def explain(ls: FimbleServer, arguments: Sequence[Any]) -> Result:
    """What the model sees at a place, as data and as a page for people."""
    options = _options(arguments)
    uri = _text(options, "uri")
    place = convert.place_of(options.get("position"))
    if uri is None or place is None:
        raise InputError("fimble.explain needs `uri` and `position`.", mend="See docs/editors.md.")
    snapshot = ls.session.documents.snapshot(uri, place)
    if snapshot is None:
        raise InputError(f"{uri} is not open.", mend="Open it first.")
    explanation = await ls.session.explain(snapshot)
    return {**as_fields(explanation), "markdown": as_markdown(explanation)}


async def restart(ls: FimbleServer, _arguments: Sequence[Any]) -> Result:
    """Leave the model process and begin anew."""
    await ls.session.restart()
    return _document_status(ls, None)


async def download(ls: FimbleServer, _arguments: Sequence[Any]) -> Result:
    """Fetch the configured model."""
    await ls.session.download()
    return _document_status(ls, None)


_COMMANDS: Final[Mapping[str, Callable[[FimbleServer, Sequence[Any]], Awaitable[Result]]]] = {
    convert.ACCEPTED_COMMAND: accepted,
    "fimble.enable": enable,
    "fimble.disable": disable,
    "fimble.status": status,
    "fimble.explain": explain,
    "fimble.restart": restart,
    "fimble.download": download,
}
NAMES: Final = tuple(_COMMANDS)


def _switch(ls: FimbleServer, arguments: Sequence[Any], *, on: bool) -> Result:
    options = _options(arguments)
    uri = _text(options, "uri")
    name = _text(options, "scope") or Scope.GLOBAL
    try:
        scope = Scope(name)
    except ValueError:
        raise InputError(f"{name!r} is no scope.", mend=f"Use one of {', '.join(Scope)}.") from None
    ls.session.switch(scope, _text(options, "language"), uri, on=on)
    return _document_status(ls, uri)


def _document_status(ls: FimbleServer, uri: str | None) -> Result:
    found = ls.session.document_status(uri)
    fields = convert.status_fields(found.status)
    fields["enabled"] = found.off is None
    fields["disabledLanguages"] = sorted(found.disabled_languages)
    if found.off is not None:
        fields["off"] = found.off.value
    return fields


def _options(arguments: Sequence[Any]) -> Mapping[str, object]:
    if not arguments or arguments[0] is None:
        return {}
    if not isinstance(arguments[0], Mapping):
        raise InputError("The command's argument has to be an object.", mend="Leave it out, or see docs/editors.md.")
    return arguments[0]


def _text(options: Mapping[str, object], key: str) -> str | None:
    value = options.get(key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"`{key}` has to be text.", mend="See docs/editors.md.")
    return value or None
