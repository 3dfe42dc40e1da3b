"""workspace/didRenameFiles: accepted text is followed to its new name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.lsp_server import convert

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handler."""
    server.feature(types.WORKSPACE_DID_RENAME_FILES, convert.everything_renamed())(did_rename_files)


def did_rename_files(ls: FimbleServer, params: types.RenameFilesParams) -> None:
    """Files or folders have new names."""
    for old_uri, new_uri in convert.renames(params):
        ls.session.counting.renamed(old_uri, new_uri)
