"""What is too much of several lines: a fifth paragraph, and the same line for the third time in a row."""

from __future__ import annotations

from fimble.syntax.indent import indent_columns

# A small model that has not found the end by then writes what nobody asked for, and mostly has for long: two paragraphs
# stay, as of a completion that is cut off (docs/LOG.md, 2026-11-30).
_N_PARAGRAPHS = 4
_N_KEPT = 2
_N_SAME_LINES = 3
# A line shorter than this (a bracket, an `end`) stands in many places, and may well stand under itself.
MIN_LINE_CHARS = 5


class Paragraphs:
    """Counts the paragraphs of one completion: a blank line, then a line as far to the left as any before it.

    The first line may stand deeper than what is written below it: counting begins anew with each line further left.
    """

    def __init__(self, indent: int, *, has_code: bool) -> None:
        """Count paragraphs of a text whose line has `indent` columns of white space, and code or not, before it."""
        self._indent = indent
        self._has_code = has_code
        self._leftmost_columns: int | None = None
        self._ends: list[int] = []

    def begin_line(self, text: str, line_start: int) -> list[int]:
        """The line from `line_start` has begun to say something. If it is too much: where `text` has to end, the best
        place first. Each place is named once: who may not end there then may not end there later.
        """
        if self._leftmost_columns is None:
            self._leftmost_columns = self._columns_of_first(text)
        above = text[:line_start].rstrip()
        columns = indent_columns(text[line_start:])
        if not above or columns > self._leftmost_columns:
            return []
        if columns < self._leftmost_columns:
            self._leftmost_columns, self._ends = columns, []
            return []
        is_below_a_blank_line = text.count("\n", len(above), line_start) > 1
        if not is_below_a_blank_line:
            return []
        self._ends.append(len(above))
        if len(self._ends) == _N_PARAGRAPHS:
            return self._ends[_N_KEPT - 1 :]
        return self._ends[-1:] if len(self._ends) > _N_PARAGRAPHS else []

    def _columns_of_first(self, text: str) -> int:
        blanks = text[: len(text) - len(text.lstrip())]
        _, newline, own = blanks.rpartition("\n")
        if newline:
            return indent_columns(own)
        return self._indent + (0 if self._has_code else indent_columns(own))

    def n_chars_of_cut(self) -> int | None:
        """How much stays of a completion that was cut off behind its second paragraph; None of one that was not."""
        return self._ends[_N_KEPT - 1] if len(self._ends) >= _N_KEPT else None


def before_same_lines(text: str) -> int | None:
    """Where `text` has to end if its last line, which is over, is the third like it in a row: behind the first.

    None where it is not, and where it is the fourth: who may not end then may not end now. The first line of all has
    its indentation left of the cursor.
    """
    lines = text.split("\n")
    if len(lines) < _N_SAME_LINES or len(lines[-1].strip()) < MIN_LINE_CHARS:
        return None
    last = lines[-1].rstrip()
    n_same = next((n for n, line in enumerate(reversed(lines)) if line.rstrip() != last), len(lines))
    if n_same == len(lines) - 1 and lines[0].strip() == last.strip():
        n_same += 1
    return len("\n".join(lines[: 1 - _N_SAME_LINES])) if n_same == _N_SAME_LINES else None
