"""textDocument/didOpen, didChange, didClose: what is open, and what it says now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.lsp_server import convert

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handlers."""
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)


def did_open(ls: FimbleServer, params: types.DidOpenTextDocumentParams) -> None:
    """A text was opened."""
    convert.open_texts(ls.session.open_text, [params.text_document])


def did_change(ls: FimbleServer, params: types.DidChangeTextDocumentParams) -> None:
    """A text was edited."""
    document = params.text_document
    ls.session.edit_text(document.uri, document.version, convert.edits(params.content_changes))


def did_close(ls: FimbleServer, params: types.DidCloseTextDocumentParams) -> None:
    """A text was closed."""
    ls.session.close_text(params.text_document.uri)
