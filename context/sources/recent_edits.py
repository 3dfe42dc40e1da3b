"""Context source: what the user has just written elsewhere, with the lines around it."""

from __future__ import annotations

from collections.abc import Container, Sequence

from fimble.context.index.secrets import lines_without_secrets
from fimble.context.sources.activity import Activity
from fimble.core.flow import Chunk

_MAX_CHUNKS = 4
_LINES_AROUND = 3
_MAX_LINES = 24
# The model sees so much of the file itself; an edit there is no news. The same as a prompt's window, about.
_WINDOW_LINES_BEFORE = 96
_WINDOW_LINES_AFTER = 32


class RecentEdits:
    """Reads the activity that the session reports."""

    name = "recent edits"

    def __init__(self, activity: Activity, hidden: Container[str]) -> None:
        """Of this activity, but for the files in `hidden`."""
        self._activity = activity
        self._hidden = hidden

    def find(self, path: str, before: str, after: str) -> Sequence[Chunk]:
        """Edited places outside the cursor's window, the latest first."""
        del after
        line = before.count("\n")
        chunks: list[Chunk] = []
        for rank, (edit, text) in enumerate(self._activity.edits()):
            is_here = edit.path == path and (
                edit.end_line > line - _WINDOW_LINES_BEFORE and edit.first_line < line + _WINDOW_LINES_AFTER
            )
            if is_here or edit.path in self._hidden:
                continue
            start = max(0, edit.first_line - _LINES_AROUND)
            # Of a long edit its end: that is where the user was.
            end = min(text.count("\n") + 1, edit.end_line + _LINES_AROUND)
            start = max(start, end - _MAX_LINES)
            shown = lines_without_secrets(text, start, end).strip("\n") + "\n"
            if shown.strip():
                chunks.append(Chunk(edit.path, shown, self.name, 1.0 / (1 + rank), start))
            if len(chunks) == _MAX_CHUNKS:
                break
        return chunks
