"""Positions in text and every conversion between them; no other module does position arithmetic.

Four systems, all counted from 0:
- `ByteOffset`: bytes of the UTF-8 text. What requests, tree-sitter and completions use.
- `CharIndex`: code points, i.e. an index into a Python `str`.
- `Utf16Column`: UTF-16 code units from the start of a line (LSP's default encoding).
- `Utf8Column` / `CharColumn`: bytes / code points from the start of a line (LSP's utf-8 / utf-32; editors' own).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NewType

ByteOffset = NewType("ByteOffset", int)
CharIndex = NewType("CharIndex", int)
LineIndex = NewType("LineIndex", int)
Utf16Column = NewType("Utf16Column", int)
Utf8Column = NewType("Utf8Column", int)
CharColumn = NewType("CharColumn", int)

# LSP 3.18, "Text Documents": the three line endings a client may send.
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A half-open range `[start, end)` of UTF-8 bytes."""

    start: ByteOffset
    end: ByteOffset


class TextIndex:
    """Line table of one immutable text. Out-of-range lines and columns clamp, as LSP 3.18 asks of servers.

    Clamping never lands inside a code point or between the `\\r` and `\\n` of one line end.
    """

    def __init__(self, text: str) -> None:
        """Index `text`; O(n) once, O(log lines) per look-up."""
        self.text = text
        starts = [0]
        ends: list[int] = []
        for match in _LINE_END.finditer(text):
            ends.append(match.start())
            starts.append(match.end())
        ends.append(len(text))
        self._line_starts = starts
        self._line_ends = ends
        self._is_ascii = text.isascii()
        self._byte_starts: list[int] | None = None

    @property
    def n_lines(self) -> int:
        """Number of lines; the text after the last line end counts as one, even when empty."""
        return len(self._line_starts)

    def line_text(self, line: LineIndex) -> str:
        """The line without its line end."""
        return self.text[self._line_starts[line] : self._line_ends[line]]

    def line_start(self, line: LineIndex) -> CharIndex:
        """Where a line begins."""
        return CharIndex(self._line_starts[line])

    def line_end(self, line: LineIndex) -> CharIndex:
        """Where a line's text ends, before its line end."""
        return CharIndex(self._line_ends[line])

    def line_of(self, at: CharIndex) -> LineIndex:
        """The line that holds a code point; a position inside a CRLF belongs to the line it ends."""
        return LineIndex(bisect_right(self._line_starts, at) - 1)

    def to_byte(self, at: CharIndex) -> ByteOffset:
        """Code-point index to byte offset."""
        if self._is_ascii:
            return ByteOffset(min(at, len(self.text)))
        line = self.line_of(at)
        start = self._line_starts[line]
        return ByteOffset(self._byte_line_starts()[line] + len(self.text[start:at].encode("utf-8", "surrogatepass")))

    def to_char(self, at: ByteOffset) -> CharIndex:
        """Byte offset to code-point index; an offset inside a code point goes to that code point's start."""
        if self._is_ascii:
            return CharIndex(min(at, len(self.text)))
        byte_starts = self._byte_line_starts()
        line = bisect_right(byte_starts, at) - 1
        start = self._line_starts[line]
        stop = self._line_starts[line + 1] if line + 1 < self.n_lines else len(self.text)
        raw = self.text[start:stop].encode("utf-8", "surrogatepass")
        n_bytes = min(at - byte_starts[line], len(raw))
        while n_bytes < len(raw) and raw[n_bytes] & 0xC0 == 0x80:  # a continuation byte: inside a code point
            n_bytes -= 1
        return CharIndex(start + len(raw[:n_bytes].decode("utf-8", "surrogatepass")))

    def from_utf16(self, line: int, column: Utf16Column) -> ByteOffset:
        """LSP position in utf-16 to byte offset."""
        return self._from_units(line, column, utf16_length)

    def from_utf8(self, line: int, column: Utf8Column) -> ByteOffset:
        """LSP position in utf-8 to byte offset."""
        return self._from_units(line, column, _utf8_length)

    def from_chars(self, line: int, column: CharColumn) -> ByteOffset:
        """LSP position in utf-32, or an editor's own column, to byte offset."""
        return self._from_units(line, column, len)

    def to_utf16(self, at: ByteOffset) -> tuple[LineIndex, Utf16Column]:
        """Byte offset to LSP position in utf-16."""
        line, text = self._line_head(at)
        return line, Utf16Column(utf16_length(text))

    def to_utf8(self, at: ByteOffset) -> tuple[LineIndex, Utf8Column]:
        """Byte offset to LSP position in utf-8."""
        line, text = self._line_head(at)
        return line, Utf8Column(_utf8_length(text))

    def to_chars(self, at: ByteOffset) -> tuple[LineIndex, CharColumn]:
        """Byte offset to LSP position in utf-32."""
        line, text = self._line_head(at)
        return line, CharColumn(len(text))

    def _line_head(self, at: ByteOffset) -> tuple[LineIndex, str]:
        char = self.to_char(at)
        line = self.line_of(char)
        return line, self.text[self._line_starts[line] : min(char, self._line_ends[line])]

    def _from_units(self, line: int, column: int, length: Callable[[str], int]) -> ByteOffset:
        if line >= self.n_lines:
            return self.to_byte(CharIndex(len(self.text)))
        index = LineIndex(max(line, 0))
        text = self.line_text(index)
        return self.to_byte(CharIndex(self._line_starts[index] + _chars_within(text, max(column, 0), length)))

    def _byte_line_starts(self) -> list[int]:
        if self._byte_starts is None:
            starts = self._line_starts
            offsets = [0]
            for here, following in pairwise(starts):
                offsets.append(offsets[-1] + _utf8_length(self.text[here:following]))
            self._byte_starts = offsets
        return self._byte_starts


def split_at(text: str, at: ByteOffset) -> tuple[str, str]:
    """The text before and after a byte offset, without a line table; clamps like `TextIndex.to_char`.

    For callers that ask for one position of a text only: on 5 MB it takes 10 ms where a TextIndex takes 200.
    """
    if text.isascii():
        return text[:at], text[at:]
    raw = text.encode("utf-8", "surrogatepass")
    end = min(at, len(raw))
    while end < len(raw) and raw[end] & 0b1100_0000 == 0b1000_0000:  # a continuation byte
        end -= 1
    head = raw[:end].decode("utf-8", "surrogatepass")
    return head, text[len(head) :]


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _chars_within(text: str, n_units: int, length: Callable[[str], int]) -> int:
    """How many whole code points of `text` fit in `n_units`."""
    if text.isascii():
        return min(n_units, len(text))
    used = 0
    for i, char in enumerate(text):
        used += length(char)
        if used > n_units:
            return i
    return len(text)
