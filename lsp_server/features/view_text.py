"""fimble/viewText: a text as the server has it, for people who suspect that it is not theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fimble.lsp_server import convert

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handler."""
    server.feature("fimble/viewText")(view_text)


def view_text(ls: FimbleServer, params: object) -> Mapping[str, object] | None:
    """Version and text of an open document; null where it is not open, or an edit of it could not be read."""
    uri = convert.document_uri(params)
    found = ls.session.documents.find(uri) if uri else None
    if found is None or not found.in_sync:
        return None
    return {"version": found.version, "text": found.text.text}
