"""What the user has open and has edited lately, as plain data that the editor's session hands in."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

_MAX_OPEN = 32
_MAX_EDITS = 16
_NEAR_LINES = 8


@dataclass(frozen=True, slots=True)
class Edit:
    """A place that was edited: lines `first_line` to before `end_line` of the file's text as it is now."""

    path: str
    first_line: int
    end_line: int


class Activity:
    """Open texts and recent edits. Paths are relative to the workspace, with slashes. Safe from any thread."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._edits: list[Edit] = []

    def on_open(self, path: str, text: str) -> None:
        """A text was opened, or came to the front."""
        with self._lock:
            self._texts[path] = text
            self._texts.move_to_end(path)
            while len(self._texts) > _MAX_OPEN:
                self._forget(self._texts.popitem(last=False)[0])

    def on_edit(self, path: str, text: str) -> None:
        """A text is now `text`. What differs from before is found here, by lines."""
        with self._lock:
            old = self._texts.get(path)
            self._texts[path] = text
            self._texts.move_to_end(path)
            if old is None or old == text:
                return
            first_line, old_end, new_end = _changed_lines(old, text)
            shift = new_end - old_end
            moved = [_moved(edit, first_line, old_end, shift) if edit.path == path else edit for edit in self._edits]
            edit = Edit(path, first_line, new_end)
            near = [other for other in moved if _is_near(edit, other)]
            for other in near:
                edit = Edit(path, min(edit.first_line, other.first_line), max(edit.end_line, other.end_line))
            self._edits = [*(other for other in moved if other not in near), edit][-_MAX_EDITS:]

    def on_close(self, path: str) -> None:
        """A text was closed."""
        with self._lock:
            self._texts.pop(path, None)
            self._forget(path)

    def open_texts(self) -> Sequence[tuple[str, str]]:
        """Path and text of what is open, the latest first."""
        with self._lock:
            return tuple(reversed(self._texts.items()))

    def edits(self) -> Sequence[tuple[Edit, str]]:
        """Edited places with the text that they are in, the latest first."""
        with self._lock:
            return tuple((edit, self._texts[edit.path]) for edit in reversed(self._edits) if edit.path in self._texts)

    def _forget(self, path: str) -> None:
        self._edits = [edit for edit in self._edits if edit.path != path]


def _changed_lines(old: str, new: str) -> tuple[int, int, int]:
    """The first line that differs, and the lines behind the last one, in the old text and in the new."""
    old_lines, new_lines = old.split("\n"), new.split("\n")
    limit = min(len(old_lines), len(new_lines))
    start = 0
    while start < limit and old_lines[start] == new_lines[start]:
        start += 1
    end = 0
    while end < limit - start and old_lines[-1 - end] == new_lines[-1 - end]:
        end += 1
    return start, len(old_lines) - end, len(new_lines) - end


def _moved(edit: Edit, first_line: int, old_end: int, shift: int) -> Edit:
    """An earlier place after `shift` lines were put in behind `old_end`."""
    if edit.first_line >= old_end:
        return Edit(edit.path, edit.first_line + shift, edit.end_line + shift)
    if edit.end_line > first_line:
        return Edit(edit.path, min(edit.first_line, first_line), max(edit.end_line + shift, first_line))
    return edit


def _is_near(edit: Edit, other: Edit) -> bool:
    return (
        edit.path == other.path
        and edit.first_line <= other.end_line + _NEAR_LINES
        and other.first_line <= edit.end_line + _NEAR_LINES
    )
