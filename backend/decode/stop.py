"""When to stop writing: line end, block end, the suffix's own next line. Text in, verdict out."""

from __future__ import annotations

from dataclasses import dataclass

from fimble.core.flow import LineMode, StopReason, StopRules

_TAB_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """`text` is the part of the last piece to keep; `reason` is set when the stream ends with it."""

    text: str
    reason: StopReason | None


class StopWatch:
    """Follows one completion as it grows and says where it ends.

    In multi-line mode a line is judged when it is complete, so text already given out may have to go: `n_retract_chars`
    counts the trailing characters, of everything kept so far, that the stop takes back.
    """

    def __init__(self, rules: StopRules) -> None:
        """Follow a completion under `rules`."""
        self._rules = rules
        self._line = ""
        self._n_lines_done = 0
        self._has_content = False
        self.n_retract_chars = 0

    def push(self, text: str) -> Verdict:
        """Take the next piece of decoded text."""
        if self._rules.line_mode is LineMode.SINGLE:
            return self._push_single(text)
        return self._push_multi(text)

    def _push_single(self, text: str) -> Verdict:
        # A completion may begin with line ends (the cursor stands behind a finished line); the line after them counts.
        if not self._has_content:
            body = text.lstrip()
            if not body:
                return Verdict(text, None)
            self._has_content = True
            n_blank = len(text) - len(body)
            head, newline, _ = body.partition("\n")
            if newline:
                return Verdict(text[:n_blank] + head, StopReason.LINE_END)
            return Verdict(text, None)
        head, newline, _ = text.partition("\n")
        return Verdict(head, StopReason.LINE_END if newline else None)

    def _push_multi(self, text: str) -> Verdict:
        kept: list[str] = []
        for part in text.splitlines(keepends=True):
            kept.append(part)
            self._line += part
            if self._n_lines_done and (reason := self._leaves_block()):
                self.n_retract_chars = len(self._line) + 1  # and the line end before it
                return Verdict("".join(kept), reason)
            if part.endswith("\n"):
                reason = self._judge_line()
                if reason:
                    self.n_retract_chars = len(self._line) + (1 if self._n_lines_done else 0)
                    return Verdict("".join(kept), reason)
                self._n_lines_done += 1
                self._line = ""
        return Verdict("".join(kept), None)

    def _judge_line(self) -> StopReason | None:
        line = self._line.strip()
        if self._rules.stop_line and self._n_lines_done and line == self._rules.stop_line:
            return StopReason.SUFFIX_REACHED
        return None

    def _leaves_block(self) -> StopReason | None:
        line = self._line.rstrip("\r\n")
        body = line.lstrip(" \t")
        if body and indent_columns(line) < self._rules.min_indent:
            return StopReason.BLOCK_END
        return None


def indent_columns(line: str) -> int:
    """Width of a line's indentation; a tab goes to the next multiple of four columns."""
    n_columns = 0
    for char in line:
        if char == "\t":
            n_columns += _TAB_COLUMNS - n_columns % _TAB_COLUMNS
        elif char == " ":
            n_columns += 1
        else:
            break
    return n_columns
