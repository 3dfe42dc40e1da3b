"""Open texts and notebooks."""

from __future__ import annotations

from fimble.core.position import ByteOffset
from fimble.lsp_server.documents import Cell, Documents, Edit
from fimble.lsp_server.text import Encoding, Place

URI = "file:///a.py"


def _notebook() -> Documents:
    documents = Documents(Encoding.UTF16)
    for name, language_id, text in (
        ("1", "python", "import é\n"),
        ("2", "markdown", "# Words"),
        ("3", "python", "x = 1\ny = x\n"),
        ("4", "sql", "select 1"),
        ("5", "python", "z = 3"),
    ):
        documents.open(f"cell:{name}", language_id, 1, text)
    documents.open_notebook("file:///n.ipynb", [Cell(f"cell:{i}", i != 2) for i in range(1, 6)])
    return documents


def test_edits_of_unknown_texts_do_nothing() -> None:
    documents = Documents()
    assert documents.change(URI, 2, [Edit("x")]) == ()
    assert documents.snapshot(URI, Place(0, 0)) is None
    assert documents.close(URI) is False


def test_a_snapshot_is_current_until_the_text_changes() -> None:
    documents = Documents()
    documents.open(URI, "python", 1, "ab")
    snapshot = documents.snapshot(URI, Place(0, 1))
    assert snapshot is not None
    assert documents.is_current(snapshot)
    documents.change(URI, 2, [Edit("x", Place(0, 0), Place(0, 0))])
    assert not documents.is_current(snapshot)
    assert snapshot.document.text == "ab"


def test_a_text_opened_again_is_another_text() -> None:
    documents = Documents()
    documents.open(URI, "python", 1, "ab")
    snapshot = documents.snapshot(URI, Place(0, 1))
    documents.close(URI)
    documents.open(URI, "python", 1, "ab")
    assert snapshot is not None
    assert not documents.is_current(snapshot)


def test_a_lost_text_comes_back_with_a_whole_one() -> None:
    documents = Documents()
    documents.open(URI, "python", 1, "ab")
    documents.lose(URI)
    documents.change(URI, 2, [Edit("x", Place(0, 0), Place(0, 0))])
    assert documents.snapshot(URI, Place(0, 0)) is None
    documents.change(URI, 3, [Edit("whole"), Edit("!", Place(0, 5), Place(0, 5))])
    snapshot = documents.snapshot(URI, Place(0, 0))
    assert snapshot is not None
    assert snapshot.document.text == "whole!"


def test_a_notebooks_code_cells_of_one_language_are_one_text() -> None:
    snapshot = _notebook().snapshot("cell:3", Place(1, 2))
    assert snapshot is not None
    assert snapshot.document.text == "import é\n\nx = 1\ny = x\n\n\nz = 3"
    assert snapshot.document.uri == "file:///n.ipynb"
    assert snapshot.document.text.encode()[: snapshot.cursor].decode().endswith("x = 1\ny ")
    assert snapshot.to_place(snapshot.cursor) == Place(1, 2)
    assert snapshot.to_place(ByteOffset(snapshot.cursor + 1)) == Place(1, 3)
    assert snapshot.to_range(Place(1, 0), Place(1, 2)).end == snapshot.cursor


def test_cells_move_and_go() -> None:
    documents = _notebook()
    documents.splice_cells("file:///n.ipynb", 0, 1, [])
    documents.close("cell:1")
    documents.open("cell:6", "python", 1, "new")
    documents.splice_cells("file:///n.ipynb", 2, 0, [Cell("cell:6", True)])
    snapshot = documents.snapshot("cell:3", Place(0, 0))
    assert snapshot is not None
    assert snapshot.document.text == "x = 1\ny = x\n\n\nnew\n\nz = 3"
    assert documents.close_notebook("file:///n.ipynb") == ("cell:2", "cell:3", "cell:6", "cell:4", "cell:5")
    alone = documents.snapshot("cell:3", Place(0, 0))
    assert alone is not None
    assert alone.document.text == "x = 1\ny = x\n"


def test_a_cell_without_a_known_notebook_is_a_text_of_its_own() -> None:
    documents = Documents()
    documents.open("vscode-notebook-cell:/n.ipynb#W0", "python", 1, "x")
    snapshot = documents.snapshot("vscode-notebook-cell:/n.ipynb#W0", Place(0, 1))
    assert snapshot is not None
    assert snapshot.document.text == "x"
