"""textDocument/didShowCompletion, didPartiallyAcceptCompletion and our own notifications: what the user saw and took.

The first two are the names that clients of GitHub's copilot-language-server send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimble.lsp_server import convert

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handlers."""
    server.feature("textDocument/didShowCompletion")(did_show)
    server.feature("textDocument/didPartiallyAcceptCompletion")(did_partially_accept)
    server.feature("fimble/didDismiss")(did_dismiss)
    server.feature("fimble/didMoveCursor")(did_move_cursor)


def did_show(ls: FimbleServer, params: object) -> None:
    """An item is on the screen."""
    item = convert.item_id(params)
    if item is not None:
        ls.session.journal.shown(item)


def did_partially_accept(ls: FimbleServer, params: object) -> None:
    """A word or a line of an item was taken."""
    item, n_units = convert.item_id(params), convert.accepted_length(params)
    if item is not None and n_units is not None:
        ls.session.journal.partly_accepted(item, n_units)


def did_dismiss(ls: FimbleServer, params: object) -> None:
    """The user turned an item away."""
    item = convert.item_id(params)
    if item is not None:
        ls.session.journal.dismissed(item)


def did_move_cursor(ls: FimbleServer, params: object) -> None:
    """The cursor rests somewhere."""
    report = convert.cursor_report(params)
    if report is not None:
        ls.session.cursor_rests(*report)
