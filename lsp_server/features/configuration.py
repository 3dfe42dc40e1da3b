"""workspace/didChangeConfiguration: the client's settings are not what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.lsp_server import convert

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handler."""
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)


async def did_change_configuration(ls: FimbleServer, params: types.DidChangeConfigurationParams) -> None:
    """Take settings that come along, and ask for the rest."""
    await ls.session.take_settings(convert.changed_settings(params))
