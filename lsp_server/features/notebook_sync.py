"""notebookDocument/didOpen, didChange, didClose: notebooks, their cells' order, and the cells' texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.lsp_server import convert

if TYPE_CHECKING:
    from fimble.lsp_server.server import FimbleServer
    from fimble.lsp_server.session import Session


def register(server: FimbleServer) -> None:
    """Add the handlers."""
    server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)(did_close)


def did_open(ls: FimbleServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """A notebook was opened, with its cells. Its name comes first: whether a text is off is known by its file."""
    notebook = params.notebook_document
    ls.session.documents.open_notebook(notebook.uri, convert.cells(notebook.cells))
    convert.open_texts(ls.session.open_text, params.cell_text_documents)


def did_change(ls: FimbleServer, params: types.DidChangeNotebookDocumentParams) -> None:
    """Cells were added, moved, removed or edited."""
    changes = params.change.cells
    if changes is None:
        return
    if changes.structure is not None:
        _change_structure(ls.session, params.notebook_document.uri, changes.structure)
    for change in changes.text_content or ():
        ls.session.edit_text(change.document.uri, change.document.version, convert.edits(change.changes))


def did_close(ls: FimbleServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """A notebook was closed, and its cells with it."""
    for cell in params.cell_text_documents:
        ls.session.close_text(cell.uri)
    ls.session.documents.close_notebook(params.notebook_document.uri)


def _change_structure(session: Session, uri: str, structure: types.NotebookDocumentCellChangeStructure) -> None:
    array = structure.array
    session.documents.splice_cells(uri, array.start, array.delete_count, convert.cells(array.cells or ()))
    convert.open_texts(session.open_text, structure.did_open or ())
    for cell in structure.did_close or ():
        session.close_text(cell.uri)
