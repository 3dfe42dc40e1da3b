"""workspace/didChangeWorkspaceFolders: folders come and go while the client runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.lsp_server import convert

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handler."""
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_workspace_folders)


async def did_change_workspace_folders(ls: FimbleServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Take the new folders, and their settings."""
    added, removed = convert.folder_changes(params)
    ls.session.change_folders(added, removed)
    await ls.session.take_settings(None)
