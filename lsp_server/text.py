"""The text of one open document, changed in place as the client's edits arrive.

Kept as a list of lines, so that a key pressed in a file of 500,000 lines costs one list splice. Knows nothing of LSP's
types, and nothing of files.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import StrEnum

from fimble.core.position import ByteOffset, CharColumn, LineIndex, TextIndex, Utf8Column, Utf16Column

# A line with its end. LSP 3.18 knows exactly these three line ends; str.splitlines knows eight more.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)")


class Encoding(StrEnum):
    """What a client counts columns in (LSP PositionEncodingKind)."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


@dataclass(frozen=True, slots=True)
class Replaced:
    """What an edit did: `new` stands where `old` stood, from byte `start` on."""

    start: ByteOffset
    old: str
    new: str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position as the client counts: line from 0, column in the client's encoding."""

    line: int
    column: int


class EditableText:
    """A text that the client edits by lines and columns. Places outside it clamp, as LSP 3.18 asks of servers."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        """Take the whole text; columns will be counted in `encoding`."""
        self.encoding = encoding
        self._lines = _split(text)
        self._joined: str | None = text
        # Bytes before one line, near which the next question will be.
        self._mark_line, self._mark_bytes = 0, 0

    @property
    def text(self) -> str:
        """The whole text; joined at most once per edit."""
        if self._joined is None:
            self._joined = "".join(self._lines)
        return self._joined

    @property
    def n_lines(self) -> int:
        """Number of lines; what follows the last line end counts as one."""
        return len(self._lines)

    def edit(self, start: Place, end: Place, new: str) -> Replaced:
        """Put `new` in place of what lies between two places, given in either order."""
        first, last = min(start, end), max(start, end)
        first_line, first_char = self._locate(first)
        last_line, last_char = self._locate(last)
        replaced = Replaced(
            ByteOffset(self._bytes_before(first_line) + _n_bytes(self._lines[first_line][:first_char])),
            self._between(first_line, first_char, last_line, last_char),
            new,
        )
        merged = self._lines[first_line][:first_char] + new + self._lines[last_line][last_char:]
        # A \r and a \n that an edit brings together become one line end.
        if first_line > 0 and merged.startswith("\n") and self._lines[first_line - 1].endswith("\r"):
            first_line -= 1
            self._bytes_before(first_line)
            merged = self._lines[first_line] + merged
        pieces = _split(merged)
        if last_line + 1 < len(self._lines):
            # Lines follow, so `merged` ends with a line end, and the empty piece after it is no line of its own.
            pieces.pop()
        self._lines[first_line : last_line + 1] = pieces
        self._joined = None
        return replaced

    def replace_all(self, text: str) -> Replaced:
        """Take a new whole text."""
        replaced = Replaced(ByteOffset(0), self.text, text)
        self._lines = _split(text)
        self._joined = text
        self._mark_line, self._mark_bytes = 0, 0
        return replaced

    def line_at(self, place: Place) -> Line:
        """The line that holds a place."""
        line, _ = self._locate(place)
        return Line(line, self._lines[line], ByteOffset(self._bytes_before(line)), self.encoding)

    def _bytes_before(self, line: int) -> int:
        """Bytes before a line; moves the mark there. Edits at or after the mark leave it right."""
        if line >= self._mark_line:
            self._mark_bytes += _n_bytes("".join(self._lines[self._mark_line : line]))
        else:
            self._mark_bytes -= _n_bytes("".join(self._lines[line : self._mark_line]))
        self._mark_line = line
        return self._mark_bytes

    def _between(self, first_line: int, first_char: int, last_line: int, last_char: int) -> str:
        if first_line == last_line:
            return self._lines[first_line][first_char:last_char]
        whole = self._lines[first_line + 1 : last_line]
        return "".join([self._lines[first_line][first_char:], *whole, self._lines[last_line][:last_char]])

    def _locate(self, place: Place) -> tuple[int, int]:
        """Line number, and code points from its start."""
        if place.line >= len(self._lines):
            last = len(self._lines) - 1
            return last, len(self._lines[last])
        index = TextIndex(self._lines[place.line])
        return place.line, index.to_char(_from_column(index, place.column, self.encoding))


@dataclass(frozen=True, slots=True)
class Line:
    """A snapshot of one line: enough to turn places on it into bytes of the whole text, and back."""

    number: int
    text: str
    start: ByteOffset
    encoding: Encoding

    def offset(self, place: Place) -> ByteOffset:
        """Byte offset in the whole text; places on earlier or later lines go to this line's start or end."""
        index = TextIndex(self.text)
        if place.line < self.number:
            return self.start
        column = place.column if place.line == self.number else sys.maxsize
        return ByteOffset(self.start + _from_column(index, column, self.encoding))

    def place(self, offset: ByteOffset) -> Place:
        """Where a byte of the whole text is for the client; bytes outside this line go to its start or end."""
        index = TextIndex(self.text)
        body_end = index.to_byte(index.line_end(LineIndex(0)))
        within = ByteOffset(min(max(offset - self.start, 0), body_end))
        match self.encoding:
            case Encoding.UTF8:
                _, column = index.to_utf8(within)
            case Encoding.UTF16:
                _, column = index.to_utf16(within)
            case Encoding.UTF32:
                _, column = index.to_chars(within)
        return Place(self.number, column)


def _from_column(index: TextIndex, column: int, encoding: Encoding) -> ByteOffset:
    match encoding:
        case Encoding.UTF8:
            return index.from_utf8(0, Utf8Column(column))
        case Encoding.UTF16:
            return index.from_utf16(0, Utf16Column(column))
        case Encoding.UTF32:
            return index.from_chars(0, CharColumn(column))


def _n_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _split(text: str) -> list[str]:
    """Lines with their ends; the last has none, and may be empty."""
    lines: list[str] = _LINE.findall(text)
    lines.append(text[sum(map(len, lines)) :])
    return lines
