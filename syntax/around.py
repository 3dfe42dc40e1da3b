"""The text around a cursor, and whether what is written there breaks the indentation of the lines that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fimble.syntax.indent import IndentBefore, read_lines

# Longer lines are machine-made; taking one out of the file says nothing about the file without the cursor's line.
_MAX_LINE_BYTES = 1_000
# So much of the suffix surely holds its first line of code, behind blank lines and comments.
_FOLLOWING_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Hole:
    """The text around a cursor, and how much of it is the cursor's own line."""

    prefix: bytes
    suffix: bytes
    line_head: int
    line_tail: int

    @classmethod
    def of(cls, prefix: bytes, suffix: bytes) -> Hole:
        """Find the cursor's line; a line too long to be written by hand counts as empty."""
        line_head = len(prefix) - (prefix.rfind(b"\n") + 1)
        line_end = suffix.find(b"\n")
        line_tail = line_end if line_end >= 0 else len(suffix)
        if line_head + line_tail > _MAX_LINE_BYTES:
            return cls(prefix, suffix, 0, 0)
        return cls(prefix, suffix, line_head, line_tail)

    @property
    def above(self) -> bytes:
        """The text before the cursor's line."""
        return self.prefix[: len(self.prefix) - self.line_head]

    @property
    def below(self) -> bytes:
        """The text after the cursor's line, beginning with its line end."""
        return self.suffix[self.line_tail :]

    @property
    def head(self) -> bytes:
        """The cursor's line up to the cursor."""
        return self.prefix[len(self.prefix) - self.line_head :]

    @property
    def tail(self) -> bytes:
        """The cursor's line from the cursor on."""
        return self.suffix[: self.line_tail]


def breaks_indentation(indent: IndentBefore, hole: Hole, completion: bytes) -> bool:
    """Whether a line that begins in the completion begins where Python forbids it, or one after it that depends on it.

    Those after it depend on it until one stands at an indentation that was open before the cursor's line, and that the
    completion did not close. What stands right of the cursor is no such line: where the completion ended a line, it
    begins one at any column.
    """
    text = indent.unread + hole.head + completion + hole.suffix[:_FOLLOWING_BYTES]
    report = read_lines(text + b"\n", indent.state)
    start = len(indent.unread) + hole.line_head
    end = start + len(completion)
    following = [at for at in report.line_starts if at >= end]
    if not following and report.state.after_header and len(hole.suffix) <= _FOLLOWING_BYTES:
        return True  # the file ends where a block should begin
    wrong = frozenset(report.wrong)
    if any(start <= at < end for at in wrong):
        return True
    least = min((_offset_in_line(text, at) for at in report.line_starts if start <= at < end), default=math.inf)
    still_open = frozenset(column for column in indent.state.columns if column <= least)
    for at in following:
        if at in wrong:
            return True
        if at >= end + hole.line_tail and _offset_in_line(text, at) in still_open:
            return False
    return False


def _offset_in_line(text: bytes, at: int) -> int:
    return at - (text.rfind(b"\n", 0, at) + 1)
