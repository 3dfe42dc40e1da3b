"""initialize, initialized, shutdown, and cancelled progress bars: a client's coming and going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.lsp_server import convert
from fimble.lsp_server.features import commands

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handlers."""
    server.wire.on_initialize_result = lambda params, result: answer_initialize(server, params, result)
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.SHUTDOWN)(shutdown)
    server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(cancel_progress)


def answer_initialize(ls: FimbleServer, params: types.InitializeParams, result: types.InitializeResult) -> None:
    """Learn who the client is, and fit the answer to it."""
    facts = convert.client_facts(params, result.capabilities.position_encoding)
    ls.session.client.facts = facts
    ls.session.begin(facts.root_uris, facts.roots, convert.settings_values(facts.settings))
    convert.fit_capabilities(result, facts, commands.NAMES)


async def initialized(ls: FimbleServer, _params: types.InitializedParams) -> None:
    """Now the client may be asked: register what it wants registered, take its settings, bring up the model."""
    client = ls.session.client
    if client.facts.registers_inline_completion:
        await client.register("fimble-inline-completion", types.TEXT_DOCUMENT_INLINE_COMPLETION)
    if client.facts.registers_configuration:
        await client.register("fimble-configuration", types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    await ls.session.open()


async def shutdown(ls: FimbleServer, _params: None) -> None:
    """The client is about to leave."""
    await ls.session.aclose()


def cancel_progress(ls: FimbleServer, params: types.WorkDoneProgressCancelParams) -> None:
    """The user cancelled a progress bar."""
    ls.session.client.cancelled_progress(params.token)
