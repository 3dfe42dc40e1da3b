"""Edits as small as they can be told: a replaced line or file becomes the few characters that differ in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import Levenshtein

from fimble.core.position import ByteOffset

# Cells of the comparison's table; 10 ms at the limit. Larger blocks are compared by lines, still larger not at all.
_MAX_CELLS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class TextEdit:
    """`new` in place of `old`, which begins at byte `start`."""

    start: ByteOffset
    old: str
    new: str

    @property
    def end(self) -> ByteOffset:
        """Where `old` ends."""
        return ByteOffset(self.start + n_bytes(self.old))

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self.old == self.new


def n_bytes(text: str) -> int:
    """Length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def plain_line_ends(text: str) -> str:
    """Line ends as models write them; what comes into a text may have the editor's."""
    return text.replace("\r\n", "\n") if "\r" in text else text


def trimmed(edit: TextEdit) -> TextEdit:
    """The same edit without what `old` and `new` begin and end with in common; the beginning goes first."""
    if not edit.old or not edit.new:
        return edit
    n_head = n_common_head(edit.old, edit.new)
    old, new = edit.old[n_head:], edit.new[n_head:]
    n_tail = n_common_head(old[::-1], new[::-1])
    start = ByteOffset(edit.start + n_bytes(edit.old[:n_head]))
    return TextEdit(start, old[: len(old) - n_tail], new[: len(new) - n_tail])


def minimal_edits(edit: TextEdit) -> tuple[TextEdit, ...]:
    """The edit in its smallest parts, last one first, so that each `start` holds when its turn comes.

    Parts with both `old` and `new` replace character by character (equal lengths), save where the texts are too large
    to compare; those come whole.
    """
    edit = trimmed(edit)
    if not edit.old or not edit.new:
        return () if edit.is_empty else (edit,)
    if len(edit.old) * len(edit.new) <= _MAX_CELLS:
        return _parts(edit, edit.old, edit.new)
    old_lines, new_lines = edit.old.splitlines(keepends=True), edit.new.splitlines(keepends=True)
    if len(old_lines) * len(new_lines) > _MAX_CELLS or (len(old_lines) == 1 and len(new_lines) == 1):
        return (edit,)
    found: list[TextEdit] = []
    for part in _parts(edit, old_lines, new_lines):
        is_small = len(part.old) * len(part.new) <= _MAX_CELLS
        found.extend(minimal_edits(part) if part.old and part.new and is_small else (part,))
    return tuple(found)


def _parts(edit: TextEdit, old: str | list[str], new: str | list[str]) -> tuple[TextEdit, ...]:
    parts: list[TextEdit] = []
    start, n_done = edit.start, 0
    for op in Levenshtein.opcodes(old, new):
        start = ByteOffset(start + n_bytes("".join(old[n_done : op.src_start])))
        n_done = op.src_start
        if op.tag != "equal":
            parts.append(
                TextEdit(start, "".join(old[op.src_start : op.src_end]), "".join(new[op.dest_start : op.dest_end]))
            )
    return tuple(reversed(parts))


def n_common_head(a: str, b: str) -> int:
    """How many characters both begin with. By halving: comparing slices is far quicker than looping."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low
