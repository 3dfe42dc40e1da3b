"""Where a text ends that may not end where it stands: before that, with closers behind it, or nowhere.

Looks at one text in one hole, and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fimble.backend.decode import places
from fimble.backend.decode.guard import SyntaxGuard
from fimble.core.flow import LineMode, StopReason
from fimble.syntax.closers import (
    CLOSER_OF,
    before_unclosed,
    blanks_before_closer,
    closed_again,
    closers_of,
    closes_other,
    is_only_closers,
)
from fimble.syntax.indent import indent_columns

# A line up to what it calls, or may call.
_CALLED = re.compile(r"[^()\[\]{};]*\w")
_HEADER_WITH_BRACE = re.compile(r"((?:\}?\s*else\s+)?(?:if|for|foreach|while)\b.*\)|\}?\s*else)\s*\{")


@dataclass(frozen=True, slots=True)
class End:
    """The first `n_chars` of what is written stay, with `closers` behind them."""

    n_chars: int
    reason: StopReason
    closers: str = ""


@dataclass(frozen=True, slots=True)
class OtherEnds:
    """Ends of `text`, as `guard` allows them; `boundaries` are the lengths at which its tokens end, ascending.

    With `is_beyond_line` it is a single line that could not end and has gone on below.
    """

    guard: SyntaxGuard
    text: str
    boundaries: Sequence[int]
    line_mode: LineMode
    is_beyond_line: bool

    def may_stop_unfinished(self) -> bool:
        """Whether the model's own end may stand here, before closers that the editor put, though the text may not."""
        return self._stands_before_closers and (self._takes_closers_over() or self.guard.may_end_unfinished(self.text))

    def before_rest_of_line(self, reason: StopReason) -> End:
        """The line is over, and may not end where it stands if code is right of the cursor.

        Closers are mostly the editor's, put there while the line is still being written: an error that the line has
        with nothing in the hole (no `:` yet behind the `)` of a `def`) is then no reason to show nothing.
        """
        guard = self.guard
        if not self._stands_before_closers:
            return self.nearest(reason)
        if self._takes_closers_over():
            return End(len(self.text), reason)
        closed = closed_again(guard.line_head, self.text, guard.rest_of_line)
        before = self.text[: closed.n_before] if closed else self.text
        if before.strip() and (guard.may_end(before) or guard.may_end_unfinished(before)):
            return End(len(before), StopReason.SYNTAX if closed else reason)
        return self.nearest(reason)

    def nearest(self, reason: StopReason) -> End:
        """The end that takes back as little as need be; all of the text where there is none."""
        guard, text = self.guard, self.text
        is_multi = self.line_mode is LineMode.MULTI
        if self._may_end(text):
            return self.after_closing_line(reason)
        if end := self.at_bracket():
            return end
        if is_multi and (end := self.before_own_closer(leaves_none_open=False)):
            return end
        if end := self.first_of(places.where_rest_begins(text, guard.rest_of_line), StopReason.SUFFIX_REACHED):
            return end
        has_more_lines = is_multi or self.is_beyond_line
        shorter = places.at_line_ends(text) if has_more_lines else places.within_line(text, self.boundaries)
        if self.is_beyond_line:
            shorter += places.before_signs_of_first_line(text)
        for length in shorter:
            if self._may_end(text[:length]):
                return End(length, StopReason.SYNTAX)
        if end := self._with_block_closed([len(text), *shorter]) or self._with_brackets_closed(reason):
            return replace(end, reason=reason) if reason is StopReason.LOOP else end
        # Else it may be the file that is broken, and no line of this mends it.
        if guard.closing_line is not None and (end := self.first_of(shorter, StopReason.SYNTAX)):
            return end
        # Cut off before it led into the code right of the cursor, it is not even what the model had in mind.
        is_before_code = has_more_lines and any(char.isalnum() for char in guard.rest_of_line)
        is_incomplete = is_before_code and reason is not StopReason.END_OF_MIDDLE
        has_to_open = closes_other(guard.line_head, guard.rest_of_line)
        if not is_incomplete and not has_to_open and guard.may_end_at_last(text):
            return End(len(text), reason)
        return End(self._n_chars_before_unclosed() if self.is_beyond_line else 0, StopReason.SYNTAX)

    def first_of(self, lengths: Iterable[int], reason: StopReason) -> End | None:
        """The first of `lengths` at which the text may end, be it one line or several."""
        return next((End(length, reason) for length in lengths if self.guard.may_end(self.text[:length])), None)

    def after_closing_line(self, reason: StopReason) -> End:
        """All of a text that may end; only up to what the file lacks where a line begins with all of that and goes on:
        `} else {` for `}`.
        """
        guard = self.guard
        written = self.text.rstrip()
        line = written.lstrip()
        if guard.line_head.strip() or not is_only_closers(line[:1]) or is_only_closers(line):
            return End(len(self.text), reason)
        closer = (guard.closing_line or "").strip()
        length = len(written) - len(line) + len(closer)
        is_begun_with = bool(closer) and line.startswith(closer)
        ends_there = is_begun_with and not guard.may_end_block(written) and guard.may_end_block(written[:length])
        return End(length if ends_there else len(self.text), reason)

    def at_bracket(self) -> End | None:
        """Where lines below close a bracket that nothing opens: the end of the first line where it opens it."""
        guard, bracket = self.guard, self.guard.missing_bracket
        if bracket is None:
            return None
        blanks, line = places.first_line(self.text)
        opened = [len(blanks) + at + 1 for at, char in enumerate(line) if char == bracket[-1]]
        if end := self.first_of(reversed(opened[-places.MAX_PLACES :]), StopReason.SYNTAX):
            return end
        called = _CALLED.match(line) if bracket.startswith("(") else None
        kept = blanks + called[0] if called else ""
        return End(len(kept), StopReason.SYNTAX, bracket) if kept and guard.may_end(kept + bracket) else None

    def before_brace(self) -> End | None:
        """Where an `if` or a loop opens its block with a brace, and the line below is all of its body without one:
        before the brace.
        """
        blanks, line = places.first_line(self.text)
        header = _HEADER_WITH_BRACE.fullmatch(line.rstrip())
        columns = indent_columns(f"{self.guard.line_head}{blanks}".rpartition("\n")[2])
        body, *after = (*self.guard.next_lines[:2], "", "")[:2]
        is_body = indent_columns(body) > columns and indent_columns(after[0]) <= columns
        if header is None or not is_body or not (body.strip()[0].isalnum() or body.strip()[0] in "_$+-*("):
            return None
        kept = blanks + header[1]
        return End(len(kept), StopReason.SYNTAX) if self.guard.may_end(kept) else None

    def before_own_closer(self, *, leaves_none_open: bool) -> End | None:
        """Where the text closes itself what the rest of the line closes, or ends the tag that this ends."""
        head, rest = self.guard.line_head, self.guard.rest_of_line
        lengths = places.before_own_closer(self.text, rest, leaves_none_open=leaves_none_open)
        for length in lengths or places.before_own_tag(self.text, head, rest):
            # A bracket with a line of its own may stand behind a comment.
            end = End(length, StopReason.SUFFIX_REACHED)
            if (apart := self.apart_from_closer(end)) != end or self.guard.may_end(self.text[:length]):
                return apart
        return None

    def apart_from_closer(self, end: End) -> End:
        """`end`, with a line for the closer right of the cursor where lines that begin below its bracket leave it one,
        and so on.
        """
        kept = self.text[: end.n_chars].rstrip()
        blanks = blanks_before_closer(self.guard.line_head, kept, self.guard.rest_of_line)
        is_better = not end.closers and kept.strip() and blanks and self.guard.may_end(kept + blanks)
        return End(len(kept), end.reason, blanks) if is_better else end

    def _may_end(self, text: str) -> bool:
        return may_end(self.guard, text, self.line_mode)

    @property
    def _stands_before_closers(self) -> bool:
        """Whether closers are right of the cursor that the editor may have put there."""
        head, rest = self.guard.line_head, self.guard.rest_of_line
        return self.line_mode is LineMode.SINGLE and is_only_closers(rest) and not closes_other(head, rest)

    def _takes_closers_over(self) -> bool:
        """Whether the line has the closers right of the cursor itself, goes on behind them, and may stand for them."""
        closed = closed_again(self.guard.line_head, self.text, self.guard.rest_of_line)
        return bool(closed and self.text[closed.n_through :].strip()) and self.guard.may_end_instead(self.text)

    def _with_brackets_closed(self, reason: StopReason) -> End | None:
        """With closers behind what may not end without them.

        Where nothing was wrong before, a text that had to be cut is no answer, and closing it makes it none: only a
        line that the user has begun, and what went round in circles, is closed.
        """
        guard, text = self.guard, self.text
        if guard.rest_of_line or not (reason is StopReason.LOOP or guard.may_end_at_last(text)):
            return None
        # Cut off by the clock, its last word may be the beginning of another.
        ends = [at for at in reversed(self.boundaries) if at <= len(text)][int(reason.is_cut) : places.MAX_PLACES]
        for kept in (text[:length].rstrip().removesuffix(",").rstrip() for length in ends):
            closers = closers_of(guard.line_head, kept)
            if closers and kept.strip() and guard.may_end(kept + closers):
                return End(len(kept), StopReason.SYNTAX, closers)
        return None

    def _with_block_closed(self, lengths: Iterable[int]) -> End | None:
        """Of several lines: with the closing line that the file lacks behind the first that may end so."""
        guard = self.guard
        if self.line_mode is LineMode.SINGLE or guard.rest_of_line or guard.closing_line is None:
            return None
        closers = f"\n{guard.closing_line}"
        for kept in (self.text[:length].rstrip() for length in lengths):
            if kept.strip() and guard.may_end(kept + closers):
                return End(len(kept), StopReason.SYNTAX, closers)
        return None

    def _n_chars_before_unclosed(self) -> int:
        """Of a line that opens a bracket not closed in time: what comes before the bracket, if that may end.

        The user may be writing that very line: `for k, v := range c` wants its block whatever is written there.
        """
        guard = self.guard
        blanks, line = places.first_line(self.text)
        before = before_unclosed("" if "\n" in blanks else guard.line_head, line)
        head = blanks + before
        if not before or guard.may_end(head):
            return len(head) if before else 0
        bracket = line[len(before) :].lstrip()[0]
        is_all_that_lacks = not guard.may_end("") and guard.may_end(f"{head} {bracket}{CLOSER_OF[bracket]}")
        return len(head) if is_all_that_lacks else 0


def may_end(guard: SyntaxGuard, text: str, line_mode: LineMode) -> bool:
    """Whether a completion may be exactly `text`; several lines close their block themselves."""
    return guard.may_end_block(text) if line_mode is LineMode.MULTI else guard.may_end(text)
