"""A piece of text followed through the edits of its document, with its own copy of the text; needs no document."""

from __future__ import annotations

from fimble.core.position import ByteOffset
from fimble.telemetry.alignment import TextEdit, minimal_edits, n_bytes


class TrackedRange:
    """Where a text lies by now, and what it has become.

    Typed at its very ends is outside, typed within is inside. Deleting takes from it what it covers. Replacing within
    is inside; replacing across an end is compared character by character. Once empty it stays empty.
    """

    __slots__ = ("_bytes", "start")

    def __init__(self, start: ByteOffset, text: str) -> None:
        """`text` lies at byte `start`."""
        self.start = start
        self._bytes = _encode(text)

    @property
    def end(self) -> ByteOffset:
        """Behind its last byte."""
        return ByteOffset(self.start + len(self._bytes))

    @property
    def text(self) -> str:
        """What is there now."""
        return _decode(self._bytes)

    def apply(self, edit: TextEdit) -> None:
        """Follow one edit, already trimmed."""
        if self._is_apart(edit) or self._is_within(edit) or not edit.new:
            self._apply_part(edit)
            return
        for part in minimal_edits(edit):
            self._apply_part(part)

    def _is_apart(self, edit: TextEdit) -> bool:
        return edit.end <= self.start or edit.start >= self.end

    def _is_within(self, edit: TextEdit) -> bool:
        return self.start <= edit.start and edit.end <= self.end

    def _apply_part(self, edit: TextEdit) -> None:
        if edit.end <= self.start:
            self.start = ByteOffset(self.start + n_bytes(edit.new) - n_bytes(edit.old))
        elif edit.start >= self.end:
            pass
        elif self._is_within(edit):
            head, tail = edit.start - self.start, edit.end - self.start
            self._bytes = self._bytes[:head] + _encode(edit.new) + self._bytes[tail:]
        elif len(edit.old) == len(edit.new) and (parts := self._split(edit)) != [edit]:
            for part in parts:
                self._apply_part(part)
        else:
            self._cut(edit)

    def _split(self, edit: TextEdit) -> list[TextEdit]:
        """A replacement across our ends, character by character, as parts before, within and behind; last one first.

        The edit itself where an end lies within a character: a client out of step can put it there.
        """
        old = _encode(edit.old)
        n_before = len(_decode(old[: max(0, self.start - edit.start)]))
        n_until_end = len(_decode(old[: max(0, self.end - edit.start)]))
        parts: list[TextEdit] = []
        for first, last in ((n_until_end, len(edit.old)), (n_before, n_until_end), (0, n_before)):
            if first < last:
                at = ByteOffset(edit.start + n_bytes(edit.old[:first]))
                parts.append(TextEdit(at, edit.old[first:last], edit.new[first:last]))
        return parts

    def _cut(self, edit: TextEdit) -> None:
        kept_head = self._bytes[: max(0, edit.start - self.start)]
        kept_tail = self._bytes[max(0, edit.end - self.start) :]
        if edit.start < self.start:
            self.start = ByteOffset(edit.start + n_bytes(edit.new))
        self._bytes = kept_head + kept_tail


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # a client out of step may cut a character in two; its count is off, nothing else
        return raw.decode("utf-8", "replace")
