"""Where a completion ends: the stop rules say where it could, the file's syntax whether it may.

A line that opens a block or a bracket is not an end, so writing goes on; a closer too many is taken back. The text
given out so far may be longer than what is kept: `n_retract_chars` of its end go. Where what is kept may not end and
only lacks `closers`, they are put behind it, as is a bracket that it has to open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from fimble.backend.decode import places
from fimble.backend.decode.guard import SyntaxGuard
from fimble.backend.decode.paragraphs import MIN_LINE_CHARS
from fimble.backend.decode.stop import StopWatch, Verdict
from fimble.core.flow import LineMode, StopReason, StopRules
from fimble.syntax.closers import (
    CLOSER_OF,
    before_unclosed,
    begins_empty_pair,
    blanks_before_closer,
    closed_again,
    closers_of,
    closes_other,
    is_only_closers,
)

# A single line that may not end goes on for so many more: enough for the first statement of a block, or a call's end.
_MAX_MORE_LINES = 3
# A line up to what it calls, or may call.
_CALLED = re.compile(r"[^()\[\]{};]*\w")
_ELSE = re.compile(r"\}?\s*else\b")
# Where the last lines repeat what stands below, so many more may go with them.
_MAX_LINES_BACK = 6
# One line alone is no chance where it is as long as this; a statement of a word or two may well come twice.
_MIN_LONG_LINE_CHARS = 16
# So many lines in a row that stand below anyway are no chance.
_N_IN_A_ROW = 3


class Ending:
    """Follows one completion as it grows. Without a guard the stop rules alone decide."""

    def __init__(self, rules: StopRules, guard: SyntaxGuard | None) -> None:
        """Follow a completion under `rules`."""
        self._watch = StopWatch(rules, self._may_end if guard else None)
        self._rules = rules
        self._guard = guard
        self._text = ""
        self._boundaries: list[int] = []
        self._n_more_lines = 0
        self._is_in_refused_run = False
        self.n_retract_chars = 0
        self.closers = ""

    def push(self, text: str) -> Verdict:
        """Take the next piece of decoded text. When a reason comes back, the completion has ended."""
        verdict = self._push(text)
        if verdict.reason is not None:
            self._stand_apart_from_closer()
        return verdict

    def _push(self, text: str) -> Verdict:
        if self._n_more_lines:
            return self._push_further(text)
        if self._is_in_one_line(text):
            self._rules = replace(self._rules, line_mode=LineMode.SINGLE)
            self._watch = StopWatch(self._rules, self._may_end)
            self._watch.push(self._text)
        verdict = self._watch.push(text)
        n_before = len(self._text)
        self._take(verdict.text)
        if (goes_on_at := self._where_it_goes_on_below(n_before)) is not None:
            self.n_retract_chars = len(self._text) - goes_on_at
            return Verdict(verdict.text, StopReason.SUFFIX_REACHED)
        if self._opens_nothing(n_before):
            return Verdict(verdict.text, StopReason.SYNTAX)
        if verdict.reason is None and self._leads_through_closer(n_before):
            return Verdict(verdict.text, StopReason.SUFFIX_REACHED)
        if verdict.reason is not StopReason.LINE_END or self._guard is None:
            self.n_retract_chars = self._watch.n_retract_chars
            return Verdict(verdict.text, verdict.reason and self._before_repeated(verdict.reason))
        if self._guard.may_end(self._text):
            self._end_with_closing_line(self._guard)
            return verdict
        if self._guard.rest_of_line:
            return Verdict(verdict.text, self._end_before_rest(self._guard, verdict.reason))
        if self._end_at_bracket(self._guard):
            return Verdict(verdict.text, StopReason.SYNTAX)
        self._n_more_lines = 1
        self._take("\n")
        head = text[: len(verdict.text) + 1]
        further = self._push_further(text[len(head) :])
        return Verdict(head + further.text, further.reason)

    @property
    def has_content(self) -> bool:
        """Whether anything but white space is written."""
        return bool(self._text.strip())

    def may_stop_here(self) -> bool:
        """Whether the model's own end marker may stand after what is written."""
        guard = self._guard
        if guard is None or not self._text.strip() or self._may_end(self._text):
            return True
        return self._stands_before_closers(guard) and (
            self._takes_closers_over(guard) or guard.may_end_unfinished(self._text)
        )

    def close(self, reason: StopReason) -> StopReason:
        """The stream ends for another reason; take back what may not stay. Returns the reason to report."""
        if not self._n_more_lines and self._watch.close(reason) is StopReason.SUFFIX_REACHED:
            self.n_retract_chars = self._watch.n_retract_chars
            return self._before_repeated(StopReason.SUFFIX_REACHED)
        n_dropped = self._drop_fragment() if reason.is_cut else 0
        reason = self._before_repeated(self._close(reason))
        self._stand_apart_from_closer()
        self.n_retract_chars += n_dropped
        return reason

    def _drop_fragment(self) -> int:
        """Of several lines that were cut off forget the last, which has no end, or paragraph; returns its length."""
        whole_lines = self._text[: self._watch.n_chars_of_cut()]
        if self._rules.line_mode is LineMode.SINGLE or not whole_lines.strip():
            return 0
        n_dropped = len(self._text) - len(whole_lines)
        self._text = whole_lines
        self._boundaries = [at for at in self._boundaries if at <= len(whole_lines)]
        return n_dropped

    def _close(self, reason: StopReason) -> StopReason:
        if self._guard is None or not self._text.strip():
            return reason
        # Cut off somewhere: where the model itself led into the rest of the line is a better end than any other.
        is_cut_off = reason is not StopReason.END_OF_MIDDLE and self._rules.line_mode is LineMode.MULTI
        rest = self._guard.rest_of_line
        if is_cut_off and self._end_at_one_of(self._guard, places.before_rest(self._text, rest)):
            return StopReason.SUFFIX_REACHED
        if self._guard.rest_of_line:
            return self._end_before_rest(self._guard, reason)
        return self._back_to_an_end(reason)

    def close_before(self, length: int, reason: StopReason) -> StopReason:
        """The stream ends for `reason`, and of its text the first `length` characters at most are worth anything."""
        n_worthless = len(self._text) - length
        self._text = self._text[:length]
        self._boundaries = [at for at in self._boundaries if at <= length]
        self.n_retract_chars = 0
        if self._guard and self._text.strip():
            is_before_rest = bool(self._guard.rest_of_line)
            reason = self._end_before_rest(self._guard, reason) if is_before_rest else self._back_to_an_end(reason)
            self._stand_apart_from_closer()
        self.n_retract_chars += n_worthless
        return reason

    def _may_end(self, text: str) -> bool:
        guard = self._guard
        if guard is None:
            return True
        return guard.may_end_block(text) if self._rules.line_mode is LineMode.MULTI else guard.may_end(text)

    def _take(self, text: str) -> None:
        if text:
            self._text += text
            self._boundaries.append(len(self._text))

    def _push_further(self, text: str) -> Verdict:
        """Beyond the first line of a single-line completion: stop at the first line end where it may end."""
        kept = ""
        while text:
            line, newline, text = text.partition("\n")
            self._take(line)
            kept += line
            if not newline:
                break
            if self._text.rpartition("\n")[2].strip():
                if self._guard and self._guard.may_end(self._text):
                    return Verdict(kept, StopReason.LINE_END)
                self._n_more_lines += 1
            if self._n_more_lines > _MAX_MORE_LINES:
                return Verdict(kept, self._back_to_an_end(StopReason.LINE_END))
            self._take("\n")
            kept += "\n"
        return Verdict(kept, None)

    def _is_in_one_line(self, text: str) -> bool:
        """Whether `text` is the first to say something, between two braces or tags and on the cursor's line: no
        block, but names that are taken out of an object (`import {` here `}`), or an object or text of one line.
        """
        guard = self._guard
        if guard is None or self._rules.line_mode is LineMode.SINGLE or self._text.strip() or not text.strip():
            return False
        blanks, _ = places.first_line(self._text + text)
        return "\n" not in blanks and begins_empty_pair(guard.line_head, guard.rest_of_line)

    def _stands_before_closers(self, guard: SyntaxGuard) -> bool:
        """Whether closers are right of the cursor that the editor may have put there."""
        is_before_closers = self._rules.line_mode is LineMode.SINGLE and is_only_closers(guard.rest_of_line)
        return is_before_closers and not closes_other(guard.line_head, guard.rest_of_line)

    def _takes_closers_over(self, guard: SyntaxGuard) -> bool:
        """Whether the line has the closers right of the cursor itself, goes on behind them, and may stand for them."""
        closed = closed_again(guard.line_head, self._text, guard.rest_of_line)
        return bool(closed and self._text[closed.n_through :].strip()) and guard.may_end_instead(self._text)

    def _end_before_rest(self, guard: SyntaxGuard, reason: StopReason) -> StopReason:
        """The line is over, and may not end where it stands if code is right of the cursor.

        Closers are mostly the editor's, put there while the line is still being written: an error that the line has
        with nothing in the hole (no `:` yet behind the `)` of a `def`) is then no reason to show nothing.
        """
        if not self._stands_before_closers(guard):
            return self._back_to_an_end(reason)
        if self._takes_closers_over(guard):
            return reason
        closed = closed_again(guard.line_head, self._text, guard.rest_of_line)
        before = self._text[: closed.n_before] if closed else self._text
        if before.strip() and (guard.may_end(before) or guard.may_end_unfinished(before)):
            self.n_retract_chars = len(self._text) - len(before)
            return StopReason.SYNTAX if closed else reason
        return self._back_to_an_end(reason)

    def _back_to_an_end(self, reason: StopReason) -> StopReason:
        """Take back as little as need be for a text that may end; all of it where there is none."""
        guard = self._guard
        if guard is None:
            return reason
        whole = self._text[: len(self._text) - self.n_retract_chars] if self.n_retract_chars else self._text
        if self._may_end(whole):
            self._end_with_closing_line(guard)
            return reason
        if self._end_at_bracket(guard):
            return StopReason.SYNTAX
        is_multi = self._rules.line_mode is LineMode.MULTI
        if is_multi and self._end_before_own_closer(guard, whole, leaves_none_open=False):
            return StopReason.SUFFIX_REACHED
        if self._end_at_one_of(guard, places.where_rest_begins(whole, guard.rest_of_line)):
            return StopReason.SUFFIX_REACHED
        has_more_lines = is_multi or self._n_more_lines > 0
        if has_more_lines:
            shorter = places.at_line_ends(whole)
        else:
            shorter = places.within_line(whole, self._boundaries)
        if self._n_more_lines:
            shorter += places.before_signs_of_first_line(self._text)
        for length in shorter:
            if self._may_end(self._text[:length]):
                self.n_retract_chars = len(self._text) - length
                return StopReason.SYNTAX
        if self._close_block(guard, [len(whole), *shorter]) or self._close_brackets(guard, whole, reason):
            return reason if reason is StopReason.LOOP else StopReason.SYNTAX
        # Else it may be the file that is broken, and no line of this mends it.
        if guard.closing_line is not None and self._end_at_one_of(guard, shorter):
            return StopReason.SYNTAX
        # Cut off before it led into the code right of the cursor, it is not even what the model had in mind.
        is_before_code = has_more_lines and any(char.isalnum() for char in guard.rest_of_line)
        is_incomplete = is_before_code and reason is not StopReason.END_OF_MIDDLE
        has_to_open = closes_other(guard.line_head, guard.rest_of_line)
        if not is_incomplete and not has_to_open and guard.may_end_at_last(whole):
            return reason
        if self._n_more_lines and (head := self._before_unclosed(guard)):
            self.n_retract_chars = len(self._text) - len(head)
            return StopReason.SYNTAX
        self.n_retract_chars = len(self._text)
        return StopReason.SYNTAX

    def _end_with_closing_line(self, guard: SyntaxGuard) -> None:
        """Where a line begins with all that the file lacks and goes on (`} else {` for `}`), take back the rest."""
        written = self._text[: len(self._text) - self.n_retract_chars].rstrip()
        line = written.lstrip()
        if guard.line_head.strip() or not is_only_closers(line[:1]) or is_only_closers(line):
            return
        closer = (guard.closing_line or "").strip()
        length = len(written) - len(line) + len(closer)
        is_begun_with = bool(closer) and line.startswith(closer)
        if is_begun_with and not guard.may_end_block(written) and guard.may_end_block(written[:length]):
            self.n_retract_chars = len(self._text) - length

    def _before_repeated(self, reason: StopReason) -> StopReason:
        """Several lines do not end with those that stand below anyway, however indented, if they may end before them.

        The same line at the same indentation ends a completion at once; a small model also gets it wrong by a level.
        A short line alone is often right so (`break` in a block of its own), but not as all that an `else` does.
        """
        guard = self._guard
        if guard is None or self._rules.line_mode is LineMode.SINGLE or guard.rest_of_line or self.closers:
            return reason
        length = len(self._text) - self.n_retract_chars
        if not self._repeats_below(guard, length):
            return reason
        for shorter in places.at_line_ends(self._text[:length])[:_MAX_LINES_BACK]:
            if not self._repeats_below(guard, shorter) and self._may_end(self._text[:shorter]):
                self.n_retract_chars = len(self._text) - shorter
                return StopReason.SUFFIX_REACHED
        return reason

    def _repeats_below(self, guard: SyntaxGuard, length: int) -> bool:
        written = tuple(line.strip() for line in self._text[:length].split("\n") if line.strip())
        is_telling = len(written) > 1 and bool(_ELSE.match(written[-2]) or len(written[-1]) >= _MIN_LONG_LINE_CHARS)
        fewest = 1 if is_telling else 2
        n_most = min(len(written), len(guard.lines_below))
        return any(
            written[-n_lines:] == guard.lines_below[:n_lines] and max(map(len, written[-n_lines:])) >= MIN_LINE_CHARS
            for n_lines in range(fewest, n_most + 1)
        )

    def _where_it_goes_on_below(self, n_before: int) -> int | None:
        """Where several lines, of which one has ended behind `n_before`, begin to be what stands below anyway.

        The next three lines count at any indentation, three in a row further down only at their own. None where there
        are none, or where it may not end before the first of all in that row: set-up that two tests share.
        """
        guard = self._guard
        if guard is None or self._rules.line_mode is LineMode.SINGLE or guard.rest_of_line:
            return None
        n_kept = len(self._text) - self._watch.n_retract_chars
        end = self._text.find("\n", n_before, n_kept)
        while end >= 0:
            lines = self._text[:end].split("\n")
            if lines[-1].strip() and (length := self._before_run(guard, lines)) is not None:
                return length
            end = self._text.find("\n", end + 1, n_kept)
        return None

    def _before_run(self, guard: SyntaxGuard, lines: list[str]) -> int | None:
        last = [at for at, line in enumerate(lines) if line.strip()][-_N_IN_A_ROW:]
        if len(last) < _N_IN_A_ROW or not _stand_below(guard, [lines[at].rstrip() for at in last]):
            self._is_in_refused_run = False
            return None
        before = "\n".join(lines[: last[0]])
        if not self._is_in_refused_run and before.strip() and self._may_end(before):
            return len(before)
        self._is_in_refused_run = True
        return None

    def _close_brackets(self, guard: SyntaxGuard, whole: str, reason: StopReason) -> bool:
        """Put closers behind what may not end without them; whether that could be done.

        Where nothing was wrong before, a text that had to be cut is no answer, and closing it makes it none: only a
        line that the user has begun, and what went round in circles, is closed.
        """
        if guard.rest_of_line or not (reason is StopReason.LOOP or guard.may_end_at_last(whole)):
            return False
        # Cut off by the clock, its last word may be the beginning of another.
        ends = [at for at in reversed(self._boundaries) if at <= len(whole)][int(reason.is_cut) : places.MAX_PLACES]
        for kept in (whole[:length].rstrip().removesuffix(",").rstrip() for length in ends):
            closers = closers_of(guard.line_head, kept)
            if closers and self._ends_with(guard, kept, closers):
                return True
        return False

    def _opens_nothing(self, n_before: int) -> bool:
        """Whether several lines have not opened the bracket that they had to; they end where the first of them could.

        Asked where a line has ended behind `n_before`.
        """
        guard = self._guard
        if guard is None or self._rules.line_mode is LineMode.SINGLE or guard.rest_of_line:
            return False
        if "\n" not in self._text[n_before:] or self._text.strip().count("\n") < _MAX_MORE_LINES:
            return False
        return not closers_of(guard.line_head, self._text) and self._end_at_bracket(guard)

    def _leads_through_closer(self, n_before: int) -> bool:
        """Whether several lines, one of them ended behind `n_before`, have closed what the rest of the line closes.

        Then they end before that: what is written on is the code that stands there, in other words.
        """
        is_end_of_line = "\n" in self._text[n_before:]
        if self._guard is None or self._rules.line_mode is LineMode.SINGLE or not is_end_of_line:
            return False
        return self._end_before_own_closer(self._guard, self._text, leaves_none_open=True)

    def _end_before_own_closer(self, guard: SyntaxGuard, text: str, *, leaves_none_open: bool) -> bool:
        rest = guard.rest_of_line
        lengths = places.before_own_closer(text, rest, leaves_none_open=leaves_none_open)
        for length in lengths or places.before_own_tag(text, guard.line_head, rest):
            kept = text[:length]
            # A bracket with a line of its own may stand behind a comment.
            if self._ends_with(guard, kept, blanks_before_closer(guard.line_head, kept, rest)):
                return True
            if self._end_at_one_of(guard, [length]):
                return True
        return False

    def _end_at_bracket(self, guard: SyntaxGuard) -> bool:
        """Where lines below close a bracket that nothing opens, end the first line where it opens it."""
        bracket = guard.missing_bracket
        if bracket is None:
            return False
        blanks, line = places.first_line(self._text)
        opened = [at + 1 for at, char in enumerate(line) if char == bracket[-1]]
        for n_chars in reversed(opened[-places.MAX_PLACES :]):
            if guard.may_end(blanks + line[:n_chars]):
                self.n_retract_chars = len(self._text) - len(blanks) - n_chars
                return True
        called = _CALLED.match(line) if bracket.startswith("(") else None
        return called is not None and self._ends_with(guard, blanks + called[0], bracket)

    def _end_at_one_of(self, guard: SyntaxGuard, lengths: Sequence[int]) -> bool:
        for length in lengths:
            if guard.may_end(self._text[:length]):
                self.n_retract_chars = len(self._text) - length
                return True
        return False

    def _close_block(self, guard: SyntaxGuard, lengths: Sequence[int]) -> bool:
        """Of several lines, put the closing line that the file lacks behind the first that may end so."""
        if self._rules.line_mode is LineMode.SINGLE or guard.rest_of_line or guard.closing_line is None:
            return False
        return any(
            self._ends_with(guard, self._text[:length].rstrip(), f"\n{guard.closing_line}") for length in lengths
        )

    def _stand_apart_from_closer(self) -> None:
        """Lines that begin below a bracket which closes right of the cursor leave that a line of its own, and so on."""
        guard = self._guard
        if guard is None or self.closers:
            return
        kept = self._text[: len(self._text) - self.n_retract_chars].rstrip()
        self._ends_with(guard, kept, blanks_before_closer(guard.line_head, kept, guard.rest_of_line))

    def _ends_with(self, guard: SyntaxGuard, kept: str, closers: str) -> bool:
        if not kept.strip() or not closers or not guard.may_end(kept + closers):
            return False
        self.n_retract_chars, self.closers = len(self._text) - len(kept), closers
        return True

    def _before_unclosed(self, guard: SyntaxGuard) -> str:
        """Of a line that opens a bracket not closed in time: what comes before the bracket, if that may end.

        The user may be writing that very line: `for k, v := range c` wants its block whatever is written there.
        """
        blanks, line = places.first_line(self._text)
        before = before_unclosed("" if "\n" in blanks else guard.line_head, line)
        head = blanks + before
        if not before or guard.may_end(head):
            return head if before else ""
        bracket = line[len(before) :].lstrip()[0]
        is_all_that_lacks = not guard.may_end("") and guard.may_end(f"{head} {bracket}{CLOSER_OF[bracket]}")
        return head if is_all_that_lacks else ""


def _stand_below(guard: SyntaxGuard, lines: list[str]) -> bool:
    stripped = tuple(line.strip() for line in lines)
    is_telling = max(map(len, stripped)) >= MIN_LINE_CHARS
    return is_telling and (stripped == guard.lines_below[: len(lines)] or tuple(lines) in guard.runs_below)
