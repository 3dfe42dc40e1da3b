"""Texts that are opened, typed into and asked for at a session."""

from __future__ import annotations

import asyncio

from tests.lsp_server.conftest import Bench

from fimble.core.flow import Trigger
from fimble.lsp_server.documents import Edit
from fimble.lsp_server.session import Answer
from fimble.lsp_server.text import Place

URI = "file:///w/a.py"
END = Place(0, 4)


def open_text(bench: Bench, text: str = "x = \n", uri: str = URI, language_id: str = "python") -> None:
    bench.session.open_text(uri, language_id, 1, text)


async def ask(bench: Bench, place: Place = END, uri: str = URI, trigger: Trigger = Trigger.AUTOMATIC) -> Answer | None:
    snapshot = bench.session.documents.snapshot(uri, place)
    assert snapshot is not None
    return await bench.session.complete(snapshot, trigger, None)


def type_text(bench: Bench, text: str, place: Place, uri: str = URI) -> None:
    bench.session.edit_text(uri, 2, [Edit(text, place, place)])


async def until(bench: Bench, n_requests: int) -> None:
    while not bench.engines or len(bench.engine.requests) < n_requests:
        await asyncio.sleep(0)
