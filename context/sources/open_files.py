"""Context source: the places in open files that share the most names with the code around the cursor (Jaccard)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from fimble.context.index.entries import WINDOW_LINES, words_of_code
from fimble.context.index.secrets import is_secret_file, lines_without_secrets
from fimble.context.sources.activity import Activity
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

    def __init__(self, activity: Activity, surveyor: Surveyor) -> None:
        """Of this activity."""
        self._activity = activity
        self._surveyor = surveyor
        self._known: OrderedDict[tuple[str, tuple[str, ...]], tuple[Chunk, ...]] = OrderedDict()

    def find(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        """The likest window of each open file, best first."""
        around = self._surveyor.survey(path, before, after)
        texts = [
            (other, text)
            for other, text in self._activity.open_texts()
            if other != path and len(text) <= _MAX_CHARS and not is_secret_file(other)
        ][:_MAX_FILES]
        if around is None or not texts:
            return ()
        # The order in which files were looked at must not change the prompt.
        key = (around.scope_key, tuple(sorted(other for other, _ in texts)))
        if key not in self._known:
            lines = before.split("\n")[:-1][-_LINES_AROUND:] + after.split("\n")[1:][: _LINES_AROUND // 3]
            words = set(words_of_code("\n".join(lines)))
            found = [chunk for other, text in texts if (chunk := self._likest(other, text, words)) is not None]
            found.sort(key=lambda chunk: (-chunk.score, chunk.path))
            self._known[key] = tuple(found[:_MAX_CHUNKS])
        self._known.move_to_end(key)
        while len(self._known) > _MAX_SCOPES:
            self._known.popitem(last=False)
        return self._known[key]

    def _likest(self, path: str, text: str, words: set[str]) -> Chunk | None:
        lines = text.split("\n")
        best: tuple[float, int] = (_MIN_LIKENESS, -1)
        for start in range(0, len(lines), WINDOW_LINES // 2):
            there = set(words_of_code("\n".join(lines[start : start + WINDOW_LINES])))
            likeness = len(words & there) / max(1, len(words | there))
            best = max(best, (likeness, start), key=lambda item: item[0])
        likeness, start = best
        if start < 0:
            return None
        shown = lines_without_secrets(text, start, start + WINDOW_LINES).strip("\n") + "\n"
        return Chunk(path, shown, self.name, likeness, start) if shown.strip() else None
