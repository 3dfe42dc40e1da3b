"""What engines are told of open texts."""

from __future__ import annotations

from pathlib import Path

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


async def test_a_request_looks_at_no_edited_text_of_another_folder(bench: Bench, tmp_path: Path) -> None:
    here, there = tmp_path / "one", tmp_path / "two"
    uri, other, other_edited = (path.as_uri() for path in (here / "a.py", there / "b.py", there / "c.py"))
    await bench.begin(roots=[here, there])
    for opened in (uri, other, other_edited):
        open_text(bench, uri=opened)
        await ask(bench, uri=opened)
    type_text(bench, "renamed ", Place(0, 0), other_edited)
    bench.uris_asked.clear()
    await ask(bench, uri=uri)
    assert set(bench.uris_asked) == {uri}
    assert bench.engine.open[other_edited] == "x = \n"
    await ask(bench, uri=other)
    assert bench.engine.open[other_edited] == "renamed x = \n"


async def test_edits_are_told_in_the_folder_where_the_text_is_now(bench: Bench, tmp_path: Path) -> None:
    outer, inner = tmp_path / "p", tmp_path / "p" / "lib"
    uri, edited = (outer / "a.py").as_uri(), (inner / "b.py").as_uri()
    await bench.begin(roots=[outer, inner])
    open_text(bench, uri=uri)
    open_text(bench, uri=edited)
    await ask(bench, uri=uri)
    type_text(bench, "renamed ", Place(0, 0), edited)
    bench.session.change_folders([], [inner.as_uri()])
    await ask(bench, uri=uri)
    assert bench.engine.workspace == outer
    assert bench.engine.open[edited] == "renamed x = \n"


async def test_edits_of_a_text_that_was_closed_are_not_told(bench: Bench) -> None:
    other = "file:///w/b.py"
    await bench.begin()
    open_text(bench)
    open_text(bench, uri=other)
    await ask(bench)
    type_text(bench, "1", Place(0, 0), other)
    bench.session.close_text(other)
    told: list[str] = []
    bench.engine.edited = lambda document: told.append(document.uri)
    open_text(bench, "again\n", other)
    await ask(bench)
    assert told == []
