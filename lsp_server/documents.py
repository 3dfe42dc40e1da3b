"""What the client has open: texts, and notebooks whose cells are read as one text. Loop thread only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fimble.core.flow import Document
from fimble.core.position import ByteOffset, ByteRange
from fimble.lsp_server.text import EditableText, Encoding, Line, Place, Replaced

# Between two cells; a blank line, as people part the top-level pieces of a file.
_CELL_JOIN = "\n\n"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a text: `new` in place of what is between, or of everything where `start` is None."""

    new: str
    start: Place | None = None
    end: Place | None = None


@dataclass(slots=True)
class OpenText:
    """A text document or a notebook's cell."""

    uri: str
    language_id: str
    version: int
    text: EditableText
    in_sync: bool = True


@dataclass(slots=True)
class Cell:
    """One cell of a notebook, in the notebook's order."""

    uri: str
    is_code: bool


@dataclass(slots=True)
class Notebook:
    """A notebook and its cells' order; the texts are among the open texts."""

    uri: str
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A text as it was when a request came, and where in it. Nothing here changes later.

    `document` may be more than the client's text (all code cells of a notebook); `before` is what stands before the
    client's own text in it.
    """

    uri: str
    version: int
    generation: int
    document: Document
    cursor: ByteOffset
    line: Line
    before: ByteOffset

    def to_place(self, offset: ByteOffset) -> Place:
        """A byte of `document`, on the cursor's line, as the client counts."""
        return self.line.place(ByteOffset(offset - self.before))

    def in_client_text(self, replace: ByteRange) -> tuple[ByteOffset, str]:
        """Where a range on the cursor's line begins in the client's own text, and what stands there."""
        start = ByteOffset(replace.start - self.before)
        line = self.line.text.encode("utf-8", "surrogatepass")
        old = line[start - self.line.start : replace.end - self.before - self.line.start]
        return start, old.decode("utf-8", "surrogatepass")

    def to_range(self, start: Place, end: Place) -> ByteRange:
        """Two places on the cursor's line as bytes of `document`."""
        return ByteRange(
            ByteOffset(self.before + self.line.offset(start)), ByteOffset(self.before + self.line.offset(end))
        )


class Documents:
    """Every open text by URI."""

    def __init__(self, encoding: Encoding = Encoding.UTF16) -> None:
        """Nothing open yet. `encoding` is what initialize settled on."""
        self.encoding = encoding
        self._texts: dict[str, OpenText] = {}
        self._notebooks: dict[str, Notebook] = {}
        # Counts every change of anything: two equal generations of one document hold the same text.
        self._generation = 0
        self._generations: dict[str, int] = {}

    def open(self, uri: str, language_id: str, version: int, text: str) -> None:
        """Take a text; opening one again replaces it."""
        self._texts[uri] = OpenText(uri, language_id, version, EditableText(text, self.encoding))
        self._touch(uri)

    def change(self, uri: str, version: int, edits: Sequence[Edit]) -> tuple[Replaced, ...]:
        """Apply edits in order; what each did. Nothing is done where nothing of that name is open."""
        found = self._texts.get(uri)
        if found is None:
            return ()
        done: list[Replaced] = []
        for edit in edits:
            if edit.start is None or edit.end is None:
                done.append(found.text.replace_all(edit.new))
                found.in_sync = True
            else:
                done.append(found.text.edit(edit.start, edit.end, edit.new))
        found.version = version
        self._touch(uri)
        return tuple(done)

    def close(self, uri: str) -> bool:
        """Forget a text. False where it was not open."""
        self._generations.pop(uri, None)
        return self._texts.pop(uri, None) is not None

    def lose(self, uri: str) -> None:
        """An edit of this text could not be read: it is unknown from here on, until a whole text comes."""
        found = self._texts.get(uri)
        if found is not None:
            found.in_sync = False
            self._touch(uri)

    def find(self, uri: str) -> OpenText | None:
        """The open text of that name."""
        return self._texts.get(uri)

    def file_of(self, uri: str) -> str:
        """The file that a text is of: a cell's is its notebook, any other text is its own."""
        notebook = self._notebook_of(uri)
        return uri if notebook is None else notebook.uri

    def uris(self) -> tuple[str, ...]:
        """Names of all open texts."""
        return tuple(self._texts)

    def open_notebook(self, uri: str, cells: Sequence[Cell]) -> None:
        """Take a notebook; its cells' texts are opened beside it."""
        self._notebooks[uri] = Notebook(uri, list(cells))

    def splice_cells(self, uri: str, start: int, n_deleted: int, cells: Sequence[Cell]) -> None:
        """Cells were moved, added or removed."""
        notebook = self._notebooks.get(uri)
        if notebook is not None:
            notebook.cells[start : start + n_deleted] = cells
            for cell in notebook.cells:
                self._touch(cell.uri)

    def close_notebook(self, uri: str) -> tuple[str, ...]:
        """Forget a notebook; the URIs of its cells, for closing."""
        notebook = self._notebooks.pop(uri, None)
        return () if notebook is None else tuple(cell.uri for cell in notebook.cells)

    def snapshot(self, uri: str, place: Place) -> Snapshot | None:
        """The text as it is now, and a place in it; None where the text is not known."""
        found = self._texts.get(uri)
        if found is None or not found.in_sync:
            return None
        line = found.text.line_at(place)
        notebook = self._notebook_of(uri)
        if notebook is None:
            document, before = _document(found, found.text.text), ByteOffset(0)
        else:
            document, before = self._joined(notebook, found)
        return Snapshot(
            uri=uri,
            version=found.version,
            generation=self._generations[uri],
            document=document,
            cursor=ByteOffset(before + line.offset(place)),
            line=line,
            before=before,
        )

    def is_current(self, snapshot: Snapshot) -> bool:
        """Whether the text is still as it was."""
        return self._generations.get(snapshot.uri) == snapshot.generation

    def _joined(self, notebook: Notebook, found: OpenText) -> tuple[Document, ByteOffset]:
        """The notebook's code cells of one language as one text, and where this cell's text begins in it."""
        above: list[str] = []
        below: list[str] = []
        side = above
        for cell in notebook.cells:
            other = self._texts.get(cell.uri)
            if cell.uri == found.uri:
                side = below
            elif other is not None and cell.is_code and other.in_sync and other.language_id == found.language_id:
                side.append(other.text.text.rstrip("\r\n"))
        head = "".join(text + _CELL_JOIN for text in above)
        tail = "".join(_CELL_JOIN + text for text in below)
        before = ByteOffset(len(head.encode("utf-8", "surrogatepass")))
        document = Document(notebook.uri, found.language_id, self._generation, head + found.text.text + tail)
        return document, before

    def _notebook_of(self, uri: str) -> Notebook | None:
        for notebook in self._notebooks.values():
            for cell in notebook.cells:
                if cell.uri == uri:
                    return notebook
        return None

    def _touch(self, uri: str) -> None:
        self._generation += 1
        self._generations[uri] = self._generation


def _document(found: OpenText, text: str) -> Document:
    return Document(found.uri, found.language_id, found.version, text)
