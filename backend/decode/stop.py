"""When to stop writing: line end, block end, what stands after the cursor, too much. Text in, verdict out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fimble.backend.decode.paragraphs import Paragraphs, before_same_lines
from fimble.backend.decode.places import n_chars_before_rest
from fimble.core.flow import LineMode, StopReason, StopRules
from fimble.syntax.closers import is_only_closers
from fimble.syntax.indent import indent_columns


@dataclass(frozen=True, slots=True)
class Verdict:
    """`text` is the part of the last piece to keep; `reason` is set when the stream ends with it."""

    text: str
    reason: StopReason | None


class StopWatch:
    """Follows one completion as it grows and says where it ends.

    A line is judged when it is complete, so text already given out may have to go: `n_retract_chars` counts the
    trailing characters, of everything kept so far, that the stop takes back.

    Lines to the left of the block, and the suffix's own next line, end the middle only where the middle could end
    before them: `may_end`, if given, is asked with the text that would be left. An `else` to the left of the cursor, or
    a second `}`, is then written on through.
    """

    def __init__(self, rules: StopRules, may_end: Callable[[str], bool] | None = None) -> None:
        """Follow a completion under `rules`."""
        self._rules = rules
        self._may_end = may_end
        self._text = ""
        self._line_start = 0
        self._n_lines_done = 0
        self._line_is_judged = False
        self._min_indent = rules.min_indent
        self._paragraphs = Paragraphs(rules.indent, has_code=rules.neighbours is None)
        # Lengths of the text before what may be the rest of the cursor's line: not confirmed yet; the first refuted.
        self._unconfirmed: int | None = None
        self._unconfirmed_columns = 0
        self._first_refuted: int | None = None
        self.n_retract_chars = 0

    def push(self, text: str) -> Verdict:
        """Take the next piece of decoded text."""
        kept = ""
        while text:
            line, newline, text = text.partition("\n")
            if not newline:
                self._text += line
                kept += line
                return Verdict(kept, self._leaves_block())
            self._text += line
            kept += line
            self._look_for_block()
            if reason := self._leaves_block() or self._reaches_suffix() or self._repeats_itself():
                return Verdict(kept, reason)
            # A completion may begin with line ends (the cursor stands behind a finished line); the line after counts.
            if self._rules.line_mode is LineMode.SINGLE and self._text.strip():
                return Verdict(kept, StopReason.LINE_END)
            self._text += "\n"
            kept += "\n"
            self._line_start = len(self._text)
            self._n_lines_done += 1
            self._line_is_judged = False
        return Verdict(kept, None)

    def n_chars_of_cut(self) -> int:
        """How much of several lines stays when they are cut off: whole lines, and no third paragraph."""
        n_of_paragraphs = self._paragraphs.n_chars_of_cut()
        return max(0, self._line_start - 1) if n_of_paragraphs is None else n_of_paragraphs

    def close(self, reason: StopReason) -> StopReason:
        """The stream ends for `reason`, mostly in the middle of a line; returns the reason to report."""
        left = self._before_rest_of_line()
        if left is None and self._stands_below():
            left = self._line_start - 1
        is_own_end = reason is StopReason.END_OF_MIDDLE
        # The model's own end refutes: it went on to another line and ended there.
        if left is None and not (is_own_end and self._text[self._line_start :].strip()):
            left = self._unconfirmed
        if left is None and not is_own_end:
            left = self._first_refuted
        return reason if left is None else self._cut_to(left)

    def _reaches_suffix(self) -> StopReason | None:
        """Whether the finished line shows that the suffix was reached.

        It does if it is the suffix's next line. Ending with what stands right of the cursor shows as much only where no
        further line is wanted: else the line after it must agree, as the same words may end several lines.
        """
        rules, line = self._rules, self._line
        if not line.strip():
            return None
        if self._unconfirmed is not None:
            if self._follows_rest_of_line(line):
                return self._cut_to(self._unconfirmed)
            self._first_refuted = self._unconfirmed if self._first_refuted is None else self._first_refuted
            self._unconfirmed = None
        if (left := self._before_rest_of_line()) is not None:
            if rules.line_mode is LineMode.SINGLE:
                return self._cut_to(left)
            self._unconfirmed, self._unconfirmed_columns = left, indent_columns(line)
        elif self._stands_below():
            return self._cut_to(self._line_start - 1)
        return None

    def _stands_below(self) -> bool:
        """Whether the line is the suffix's next one, and the middle may end before it."""
        return bool(self._n_lines_done) and self._is_stop_line(self._line) and self._may_end_at(self._line_start - 1)

    @property
    def _line(self) -> str:
        return self._text[self._line_start :].rstrip()

    def _before_rest_of_line(self) -> int | None:
        """Where the rest of the cursor's line begins at the end of the written line, if the middle may end there."""
        n_chars = n_chars_before_rest(self._line, self._rules.rest_of_line)
        if n_chars is None or not self._may_end_at(self._line_start + n_chars):
            return None
        return self._line_start + n_chars

    def _follows_rest_of_line(self, line: str) -> bool:
        if self._rules.stop_line:
            return self._is_stop_line(line)
        return indent_columns(line) < self._unconfirmed_columns

    def _is_stop_line(self, line: str) -> bool:
        """Whether it is the suffix's next line; where that only closes brackets, further signs do not count: `},`."""
        stop = self._rules.stop_line
        is_wanted = bool(stop) and self._rules.line_mode is LineMode.MULTI
        if not is_wanted or indent_columns(line) != indent_columns(stop):
            return False
        written, closers = line.strip(), stop.strip().rstrip(";,")
        is_same = written.startswith(closers) and not any(char.isalnum() for char in written)
        return written == stop.strip() or (is_same and is_only_closers(closers))

    def _look_for_block(self) -> None:
        """At the very left of a blank line nobody knows which block is meant; the first line that is written says it.

        An indented one belongs to what stands above, and a line at the very left then comes after that.
        """
        line = self._text[self._line_start :]
        is_first = bool(line.strip()) and not self._text[: self._line_start].strip()
        if is_first and self._rules.neighbours is not None and line[0].isspace():
            self._min_indent = max(self._min_indent, 1)

    def _leaves_block(self) -> StopReason | None:
        """Whether the line begins to the left of the block. Asked once a line, when its indentation is known."""
        if self._rules.line_mode is LineMode.SINGLE or not self._n_lines_done or self._line_is_judged:
            return None
        line = self._text[self._line_start :]
        if not line.strip():
            return None
        self._line_is_judged = True
        left = self._line_start - 1
        if indent_columns(line) < self._min_indent and self._may_end_at(left):
            self._cut_to(left)
            return StopReason.BLOCK_END
        if self._rules.rest_of_line:
            return None  # where several lines lead into code, their last says that they are through
        ends = self._paragraphs.begin_line(self._text, self._line_start)
        left_over = next(filter(self._may_end_at, ends), None)
        if left_over is not None:
            self._cut_to(left_over)
            return StopReason.BLOCK_END
        return None

    def _repeats_itself(self) -> StopReason | None:
        left = before_same_lines(self._text)
        if left is None or not self._may_end_at(left):
            return None
        self._cut_to(left)
        return StopReason.LOOP

    def _may_end_at(self, length: int) -> bool:
        return self._may_end is None or self._may_end(self._text[:length])

    def _cut_to(self, length: int) -> StopReason:
        self.n_retract_chars = len(self._text) - length
        return StopReason.SUFFIX_REACHED
