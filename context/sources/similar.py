"""Context source: windows of lines elsewhere that speak of the same things as the code around the cursor (BM25)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fimble.context.index.entries import WINDOW_LINES, words_of_code
from fimble.context.index.files import Stamp
from fimble.context.index.secrets import lines_without_secrets
from fimble.context.index.store import IndexStore, Place
from fimble.context.index.workspace import Workspace
from fimble.context.sources.lately import Lately
from fimble.context.sources.surroundings import Surroundings, Surveyor
from fimble.core.flow import Chunk
from fimble.syntax.languages import Language

_MAX_CHUNKS = 5
_N_CANDIDATES = 20
_N_WORDS = 16
_LINES_MORE = 6
_MAX_ASKED_WORDS = 80
_LINES_BEFORE = 12
_LINES_AFTER = 4
_MAX_SCOPES = 32
_SCRIPTS = ("javascript", "typescript", "typescriptreact")
_CS = ("c", "cpp")


@dataclass(frozen=True, slots=True)
class _Found:
    """Chunks, and what their files were when they were found."""

    chunks: tuple[Chunk, ...]
    stamps: tuple[Stamp | None, ...]


class Similar:
    """Asks the index. What was found for a scope stays while the user types in it."""

    name = "similar"

    def __init__(self, workspace: Workspace, open_store: Callable[[], IndexStore | None], surveyor: Surveyor) -> None:
        """`open_store` gives the index, None while there is none."""
        self._workspace = workspace
        self._open_store = open_store
        self._surveyor = surveyor
        self._known: Lately[str, _Found] = Lately(_MAX_SCOPES)

    def find(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        """Chunks for a cursor in the file `path` between two texts, best first."""
        around = self._surveyor.survey(path, before, after)
        store = self._open_store()
        if around is None or store is None:
            return ()
        known = self._known.get(around.scope_key)
        if known is not None and known.stamps == self._stamps(known.chunks):
            return known.chunks
        chunks = tuple(self._search(around, store))
        if chunks:  # of an index that is being made nothing may be to be had yet
            self._known.put(around.scope_key, _Found(chunks, self._stamps(chunks)))
        return chunks

    def _stamps(self, chunks: Sequence[Chunk]) -> tuple[Stamp | None, ...]:
        return self._workspace.stamps(chunk.path for chunk in chunks)

    def _search(self, around: Surroundings, store: IndexStore) -> list[Chunk]:
        lines = around.before.split("\n")[:-1][-_LINES_BEFORE:] + around.after.split("\n")[1:][:_LINES_AFTER]
        asked = words_of_code("\n".join([*lines, around.receiver]))[-_MAX_ASKED_WORDS:]
        words = store.rarest(asked, _N_WORDS, not_in=around.path)
        places = store.similar(words, language_names=kin(around.language), not_in=around.path, limit=_N_CANDIDATES)
        chunks: list[Chunk] = []
        taken: list[Place] = []
        for place in places:
            if any(_overlap(place, other) for other in taken):
                continue
            chunk = self._chunk(place)
            if chunk is not None:
                taken.append(place)
                chunks.append(chunk)
            if len(chunks) == _MAX_CHUNKS:
                break
        return chunks

    def _chunk(self, place: Place) -> Chunk | None:
        text = self._workspace.text(place.path)
        if text is None:
            return None
        # What follows code like this is what is about to be written here.
        end_line = place.first_line + WINDOW_LINES + _LINES_MORE
        # The index knows no secrets, but the file may have changed since.
        shown = lines_without_secrets(text, place.first_line, end_line).strip("\n") + "\n"
        return Chunk(place.path, shown, self.name, -place.rank, place.first_line) if shown.strip() else None


def _overlap(place: Place, other: Place) -> bool:
    return place.path == other.path and abs(place.first_line - other.first_line) < WINDOW_LINES + _LINES_MORE


def kin(language: Language) -> tuple[str, ...]:
    """Languages whose code is worth showing beside this one's."""
    return next((group for group in (_SCRIPTS, _CS) if language.name in group), (language.name,))
