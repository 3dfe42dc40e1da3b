"""fimble/settle: answered once the server has nothing left to do in idle time, for tools that measure it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add the handler."""
    server.feature("fimble/settle")(settle)


async def settle(ls: FimbleServer, _params: object) -> None:
    """Wait; cancelling the request ends the waiting, not the work."""
    await ls.session.settle()
