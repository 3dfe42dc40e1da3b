"""Context source: the places in open files that share the most names with the code around the cursor (Jaccard)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from fimble.context.index.entries import WINDOW_LINES, words_of_code
from fimble.context.index.ignore import is_unfit
from fimble.context.index.secrets import lines_without_secrets
from fimble.context.sources.activity import Activity
from fimble.context.sources.lately import Lately
from fimble.context.sources.surroundings import Surveyor
from fimble.core.flow import Chunk

_MAX_FILES = 6
_MAX_CHUNKS = 3
_MAX_CHARS = 200_000
_MIN_LIKENESS = 0.12
_LINES_AROUND = 12
_MAX_SCOPES = 32


class OpenFiles:
    """Reads the activity that the session reports. What was found for a scope stays while the user types in it."""

    name = "open files"

    def __init__(self, activity: Activity, surveyor: Surveyor, hidden: Container[str]) -> None:
        """Of this activity, but for the files in `hidden`."""
        self._activity = activity
        self._surveyor = surveyor
        self._hidden = hidden
        self._known: Lately[tuple[str, frozenset[tuple[str, int]]], tuple[Chunk, ...]] = Lately(_MAX_SCOPES)
        self._windows: Lately[tuple[str, int], list[tuple[int, frozenset[str]]]] = Lately(2 * _MAX_FILES)

    def find(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        """The likest window of each open file, best first."""
        around = self._surveyor.survey(path, before, after)
        texts = [
            (other, text)
            for other, text in self._activity.open_texts()
            if other != path and len(text) <= _MAX_CHARS and other not in self._hidden
        ][:_MAX_FILES]
        if around is None or not texts:
            return ()
        # The order in which files were looked at must not change the prompt; what was written in them must.
        key = (around.scope_key, frozenset((other, hash(text)) for other, text in texts))
        known = self._known.get(key)
        if known is None:
            lines = before.split("\n")[:-1][-_LINES_AROUND:] + after.split("\n")[1:][: _LINES_AROUND // 3]
            words = frozenset(words_of_code("\n".join(lines)))
            found = [chunk for other, text in texts if (chunk := self._likest(other, text, words)) is not None]
            found.sort(key=lambda chunk: (-chunk.score, chunk.path))
            known = tuple(found[:_MAX_CHUNKS])
            if known:  # else the scope may have hardly begun
                self._known.put(key, known)
        return known

    def _likest(self, path: str, text: str, words: frozenset[str]) -> Chunk | None:
        windows = self._windows.get((path, hash(text)))
        if windows is None:
            windows = [] if is_unfit(text) else list(_windows_of(text))
            self._windows.put((path, hash(text)), windows)
        best: tuple[float, int] = (_MIN_LIKENESS, -1)
        for start, there in windows:
            likeness = len(words & there) / max(1, len(words | there))
            best = max(best, (likeness, start), key=lambda item: item[0])
        likeness, start = best
        if start < 0:
            return None
        shown = lines_without_secrets(text, start, start + WINDOW_LINES).strip("\n") + "\n"
        return Chunk(path, shown, self.name, likeness, start) if shown.strip() else None


def _windows_of(text: str) -> Iterator[tuple[int, frozenset[str]]]:
    lines = text.split("\n")
    for start in range(0, len(lines), WINDOW_LINES // 2):
        yield start, frozenset(words_of_code("\n".join(lines[start : start + WINDOW_LINES])))
