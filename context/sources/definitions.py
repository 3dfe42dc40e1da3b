"""Context source: definitions that the code at the cursor needs, resolved by static analysis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fimble.context.index.files import Stamp
from fimble.context.index.workspace import Workspace
from fimble.context.sources.lately import Lately
from fimble.context.sources.packing import Packer
from fimble.context.sources.related import Related
from fimble.context.sources.surroundings import Surroundings, Surveyor
from fimble.context.sources.symbols import Symbols
from fimble.context.sources.wants import Finder, Want
from fimble.core.flow import Chunk

_MAX_SCOPES = 32
_NEAR_CHARS = 400
_MAX_NAMES = 2_000


@dataclass(frozen=True, slots=True)
class _Selection:
    """What was chosen for one scope: kept while the user types in it, so that the prompt's head stays the same.

    `stamps` are what the files of the chunks were then.
    """

    key: tuple[object, ...]
    focus: tuple[Want, ...]
    scope: tuple[Want, ...]
    packer: Packer
    chunks: tuple[Chunk, ...]
    stamps: tuple[Stamp | None, ...]


class Definitions:
    """Finds definitions. One request at a time."""

    name = "definitions"

    def __init__(
        self, workspace: Workspace, n_tokens: int, surveyor: Surveyor | None = None, related: Related | None = None
    ) -> None:
        """At most `n_tokens` tokens of them. `related` knows what only an index knows."""
        self._workspace = workspace
        self._n_tokens = n_tokens
        self._surveyor = surveyor or Surveyor()
        self._related = related
        self._symbols: Symbols | None = None
        self._selections: Lately[str, _Selection] = Lately(_MAX_SCOPES)
        self._lock = threading.Lock()

    def find(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        """Chunks for a cursor in the file `path` between two texts, best first.

        What was chosen for a scope stays until imports or the files shown change, or the cursor asks for a definition
        that is not among it.
        """
        around = self._surveyor.survey(path, before, after)
        if around is None:
            return ()
        with self._lock:
            return self._select(around, self._symbols_for(around))

    def names(self, path: str, before: str, after: str) -> Sequence[str]:
        """Names that may follow the link before the cursor; none where nobody can tell."""
        return self._ask(Finder.names, path, before, after)

    def usable_names(self, path: str, before: str, after: str) -> Sequence[str]:
        """The same; without a link, names of other files that may be used at the cursor."""
        return self._ask(Finder.usable_names, path, before, after)

    def _ask(self, names: Callable[[Finder], list[str]], path: str, before: str, after: str) -> Sequence[str]:
        around = self._surveyor.survey(path, before, after)
        if around is None:
            return ()
        with self._lock:
            return names(Finder(around, self._symbols_for(around)))[:_MAX_NAMES]

    def _symbols_for(self, around: Surroundings) -> Symbols:
        symbols = self._symbols
        if symbols is None or symbols.files is not self._workspace.files:
            symbols = self._symbols = Symbols(self._workspace)
        symbols.begin(around.path, around.outline)
        return symbols

    def _select(self, around: Surroundings, symbols: Symbols) -> Sequence[Chunk]:
        key = (around.outline.imports, symbols.files)
        finder = Finder(around, symbols)
        focus = finder.focus()
        known = self._selections.get(around.scope_key)
        if known is not None and known.key == key and known.stamps == self._stamps(known.chunks):
            if all(_was_served(want, known.focus) or known.packer.covers(want, symbols) for want in focus):
                return known.chunks
            scope = known.scope
            # What was asked for lately stays a while; the newest comes first.
            focus += _faded(known.focus)
        else:
            scope = (*finder.scope(), *(self._related.wants(around, symbols) if self._related else ()))
        packer = Packer(symbols, self._n_tokens, around.before[-_NEAR_CHARS:], around.path)
        for want in sorted((*focus, *scope), key=lambda want: -want.weight):
            packer.add(want)
        chunks = packer.chunks(self.name)
        self._selections.put(
            around.scope_key, _Selection(key, tuple(focus), scope, packer, chunks, self._stamps(chunks))
        )
        return chunks

    def _stamps(self, chunks: Sequence[Chunk]) -> tuple[Stamp | None, ...]:
        return self._workspace.stamps(chunk.path for chunk in chunks)


def _was_served(want: Want, focus: Sequence[Want]) -> bool:
    """Whether the selection was made for this very want, though perhaps not all of it fitted."""
    return any(
        other.found == want.found and other.show is want.show and other.weight >= want.weight * 0.7 for other in focus
    )


def _faded(wants: Sequence[Want]) -> list[Want]:
    """Wants of earlier cursors: still wanted, less than before."""
    return [Want(want.found, want.show, weight, want.reason) for want in wants if (weight := want.weight * 0.5) >= 1.0]
