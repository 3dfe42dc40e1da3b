"""What engines are told of open texts."""

from __future__ import annotations

from tests.lsp_server.asking import END, URI, ask, open_text, type_text
from tests.lsp_server.conftest import Bench

from fimble.lsp_server.text import Place


async def test_the_engine_is_told_what_is_open(bench: Bench) -> None:
    other, off = "file:///w/b.py", "file:///w/c.md"
    await bench.begin()
    await bench.session.take_settings({"completion": {"disabled_languages": "markdown"}})
    open_text(bench, "before\n", other)
    open_text(bench, "secret thoughts\n", off, "markdown")
    open_text(bench)
    await ask(bench)
    assert bench.engine.open == {other: "before\n", URI: "x = \n"}
    bench.session.close_text(other)
    assert bench.engine.open == {URI: "x = \n"}
    open_text(bench, "again\n", other)
    assert bench.engine.open == {URI: "x = \n", other: "again\n"}


async def test_the_engine_is_told_of_edits_where_nothing_was_asked_for(bench: Bench) -> None:
    other, off, gone = "file:///w/b.py", "file:///w/c.md", "file:///w/d.py"
    await bench.begin()
    await bench.session.take_settings({"completion": {"disabled_languages": "markdown"}})
    open_text(bench, "before\n", other)
    open_text(bench, "thoughts\n", off, "markdown")
    open_text(bench, "gone\n", gone)
    open_text(bench)
    await ask(bench)
    type_text(bench, "renamed ", Place(0, 0), other)
    type_text(bench, "secret ", Place(0, 0), off)
    type_text(bench, "x", Place(0, 0), gone)
    bench.session.close_text(gone)
    type_text(bench, "1", END)
    assert bench.engine.open == {other: "before\n", URI: "x = \n"}  # with the next request, not with every key
    await ask(bench, Place(0, 5))
    assert bench.engine.open == {other: "renamed before\n", URI: "x = \n"}  # what is asked about comes with the request
