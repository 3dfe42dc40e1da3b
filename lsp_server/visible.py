"""Which texts engines may see, and what they are told of open ones. Loop thread only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fimble.core.flow import Document
from fimble.lsp_server.documents import Documents
from fimble.lsp_server.rooms import Room, Rooms
from fimble.lsp_server.switches import Off, Switches


class VisibleTexts:
    """Of one client. What is open helps where another text is completed, unless it gets no completions itself."""

    def __init__(
        self, documents: Documents, rooms: Rooms, switches: Switches, path_of: Callable[[str], Path | None]
    ) -> None:
        """Nothing is open yet. `path_of` tells the file of a URI."""
        self._documents = documents
        self._rooms = rooms
        self._switches = switches
        self._path_of = path_of
        self._hidden: set[str] = set()  # open texts that engines may not show, as they were told
        # Texts since an engine saw them, the latest last; by folder, so that no request looks through other folders'.
        self._edited: dict[Path | None, dict[str, None]] = {}

    def off(self, room: Room, file_uri: str, language_id: str) -> Off | None:
        """Why a text gets no completions. `file_uri` is the file it is of: a cell's is its notebook."""
        path = self._path_of(file_uri)
        if path is not None and room.exclusions is not None and room.exclusions.excludes(path):
            return Off.EXCLUDED
        return self._switches.off(room.settings.config.completion, language_id, file_uri)

    def opened(self, uri: str) -> None:
        """A text was opened."""
        self._hidden.add(uri)
        self._show_or_hide(uri)

    def edited(self, uri: str) -> None:
        """A text was edited. Its engine hears of it with the next request, not with every key."""
        if self._documents.find(uri) is not None:
            self._forget_edits(uri)
            self._note_edits(uri)

    def closed(self, uri: str) -> None:
        """An open text was closed."""
        self._forget_edits(uri)
        self._hidden.discard(uri)
        engine = self._rooms.room_of(self._path_of(uri)).engine
        if engine is not None:
            engine.closed(uri)

    def folders_changed(self) -> None:
        """Texts may be in other folders than before."""
        uris = [uri for texts in self._edited.values() for uri in texts]
        self._edited.clear()
        for uri in uris:
            self._note_edits(uri)

    def show_or_hide(self) -> None:
        """Tell engines which texts were turned on or off since."""
        for uri in self._documents.uris():
            self._show_or_hide(uri)

    def tell_open(self, room: Room) -> None:
        """The room has a new engine: it knows of no text yet."""
        for uri in self._documents.uris():
            if self._rooms.room_of(self._path_of(uri)) is room:
                self._tell_open(room, uri)

    def tell_edits(self, room: Room, but: str) -> None:
        """Texts that were edited where nothing was asked for, as by a rename or an undo; of `but` the engine hears."""
        self._forget_edits(but)
        for uri in self._edited.pop(room.root, ()):
            document = self._shown(room, uri)
            if room.engine is not None and document is not None:
                room.engine.edited(document)

    def _note_edits(self, uri: str) -> None:
        self._edited.setdefault(self._rooms.root_of(self._path_of(uri)), {})[uri] = None

    def _forget_edits(self, uri: str) -> None:
        for texts in self._edited.values():
            texts.pop(uri, None)

    def _show_or_hide(self, uri: str) -> None:
        """Tell the text's engine if it was turned on or off since. While everything is off there are no prompts."""
        found, file_uri = self._documents.find(uri), self._documents.file_of(uri)
        room = self._rooms.room_of(self._path_of(uri))
        off = self.off(room, file_uri, found.language_id if found else "")
        if off is Off.GLOBAL or (off is not None) is (uri in self._hidden):
            return
        if off is None:
            self._hidden.discard(uri)
            self._tell_open(room, uri)
        else:
            self._hidden.add(uri)
            if room.engine is not None:
                for told in {uri, file_uri}:  # of a notebook the engine has seen its cells as one text too
                    room.engine.closed(told)

    def _tell_open(self, room: Room, uri: str) -> None:
        document = self._shown(room, uri)
        if room.engine is not None and document is not None:
            room.engine.opened(document)

    def _shown(self, room: Room, uri: str) -> Document | None:
        """An open text as it is now; None where it gets no completions: then others' prompts do not show it."""
        found = self._documents.find(uri)
        if found is None or not found.in_sync or self.off(room, self._documents.file_of(uri), found.language_id):
            return None
        return Document(uri, found.language_id, found.version, found.text.text)
