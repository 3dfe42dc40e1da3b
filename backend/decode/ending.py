"""Where a completion ends: the stop rules say where it could, the file's syntax whether it may.

A line that opens a block or a bracket is not an end, so writing goes on; a closer too many is taken back. The text
given out so far may be longer than what is kept: `n_retract_chars` of its end go, and `closers` come behind the rest.
"""

from __future__ import annotations

from dataclasses import replace

from fimble.backend.decode import places
from fimble.backend.decode.below import LinesBelow
from fimble.backend.decode.guard import SyntaxGuard
from fimble.backend.decode.other_ends import End, OtherEnds, may_end
from fimble.backend.decode.stop import StopWatch, Verdict
from fimble.core.flow import LineMode, StopReason, StopRules
from fimble.syntax.closers import begins_empty_pair, closers_of

# A single line that may not end goes on for so many more: enough for the first statement of a block, or a call's end.
# Several lines have to open a bracket that lines below close within as many.
_MAX_MORE_LINES = 3


class Ending:
    """Follows one completion as it grows. Without a guard the stop rules alone decide."""

    def __init__(self, rules: StopRules, guard: SyntaxGuard | None) -> None:
        """Follow a completion under `rules`."""
        self._watch = StopWatch(rules, self._may_end if guard else None)
        self._rules = rules
        self._guard = guard
        is_block = guard is not None and rules.line_mode is LineMode.MULTI and not guard.rest_of_line
        self._below = LinesBelow(guard, self._may_end) if guard and is_block else None
        self._text = ""
        self._boundaries: list[int] = []
        self._n_more_lines = 0
        self._n_chars_given = 0
        self._end: End | None = None

    @property
    def n_retract_chars(self) -> int:
        """How many characters go of all that was given out; 0 before the end."""
        return self._n_chars_given - self._end.n_chars if self._end else 0

    @property
    def closers(self) -> str:
        """What comes behind the characters that stay."""
        return self._end.closers if self._end else ""

    @property
    def has_content(self) -> bool:
        """Whether anything but white space is written."""
        return bool(self._text.strip())

    def push(self, text: str) -> Verdict:
        """Take the next piece of decoded text. When a reason comes back, the completion has ended."""
        given, end = self._push(text)
        return Verdict(given, self._end_at(end) if end else None)

    def may_stop_here(self) -> bool:
        """Whether the model's own end marker may stand after what is written."""
        guard = self._guard
        if guard is None or not self.has_content or self._may_end(self._text):
            return True
        return self._other_ends(guard).may_stop_unfinished()

    def close(self, reason: StopReason) -> StopReason:
        """The stream ends for another reason; take back what may not stay. Returns the reason to report."""
        if not self._n_more_lines and self._watch.close(reason) is StopReason.SUFFIX_REACHED:
            end = End(len(self._text) - self._watch.n_retract_chars, StopReason.SUFFIX_REACHED)
            return self._end_at(self._before_repeated(end))
        if reason.is_cut:
            self._drop_fragment()
        return self._end_at(self._before_repeated(self._cut_off(reason)))

    def close_before(self, length: int, reason: StopReason) -> StopReason:
        """The stream ends for `reason`, and of its text the first `length` characters at most are worth anything."""
        self._forget(length)
        end = End(length, reason)
        if self._guard and self.has_content:
            others = self._other_ends(self._guard)
            end = others.before_rest_of_line(reason) if self._guard.rest_of_line else others.nearest(reason)
        return self._end_at(end)

    def _push(self, text: str) -> tuple[str, End | None]:
        """How much of `text` is given out, and the end if it is there."""
        guard = self._guard
        if self._n_more_lines:
            return self._push_further(text)
        if guard and self._is_in_one_line(guard, text):
            self._rules = replace(self._rules, line_mode=LineMode.SINGLE)
            self._watch = StopWatch(self._rules, self._may_end)
            self._watch.push(self._text)
        verdict = self._watch.push(text)
        n_before = len(self._text)
        self._take(verdict.text)
        if guard and (end := self._end_of_several(guard, n_before, is_over=verdict.reason is not None)):
            return verdict.text, self._before_repeated(end)
        if verdict.reason is None:
            return verdict.text, None
        if verdict.reason is not StopReason.LINE_END or guard is None:
            end = End(len(self._text) - self._watch.n_retract_chars, verdict.reason)
            return verdict.text, self._before_repeated(end)
        others = self._other_ends(guard)
        if guard.may_end(self._text):
            return verdict.text, others.after_closing_line(verdict.reason)
        if guard.rest_of_line:
            return verdict.text, others.before_rest_of_line(verdict.reason)
        if end := others.at_bracket() or others.before_brace():
            return verdict.text, end
        self._n_more_lines = 1
        self._take("\n")
        n_given = len(verdict.text) + 1
        further, end = self._push_further(text[n_given:])
        return text[:n_given] + further, end

    def _push_further(self, text: str) -> tuple[str, End | None]:
        """Beyond the first line of a single-line completion: stop at the first line end where it may end."""
        given = ""
        while text:
            line, newline, text = text.partition("\n")
            self._take(line)
            given += line
            if not newline:
                break
            if self._text.rpartition("\n")[2].strip():
                if self._may_end(self._text):
                    return given, End(len(self._text), StopReason.LINE_END)
                self._n_more_lines += 1
            if self._guard and self._n_more_lines > _MAX_MORE_LINES:
                return given, self._other_ends(self._guard).nearest(StopReason.LINE_END)
            self._take("\n")
            given += "\n"
        return given, None

    def _end_of_several(self, guard: SyntaxGuard, n_before: int, *, is_over: bool) -> End | None:
        """Where several lines, one of them ended behind `n_before`, have to end whatever the stop rules say: where they
        become what stands below, have not opened the bracket that they had to, or have closed what the rest of the line
        closes. Behind that it is the code that stands there, in other words.
        """
        if self._rules.line_mode is LineMode.SINGLE or "\n" not in self._text[n_before:]:
            return None
        if self._below is None:
            return None if is_over else self._other_ends(guard).before_own_closer(leaves_none_open=True)
        kept = self._text[: len(self._text) - self._watch.n_retract_chars]
        if (length := self._below.where_it_goes_on(kept, n_before)) is not None:
            return End(length, StopReason.SUFFIX_REACHED)
        has_room = self._text.strip().count("\n") < _MAX_MORE_LINES
        opens_any = has_room or bool(closers_of(guard.line_head, self._text))
        return None if opens_any else self._other_ends(guard).at_bracket()

    def _cut_off(self, reason: StopReason) -> End:
        if self._guard is None or not self.has_content:
            return End(len(self._text), reason)
        others, rest = self._other_ends(self._guard), self._guard.rest_of_line
        # Cut off somewhere: where the model itself led into the rest of the line is a better end than any other.
        is_cut_off = reason is not StopReason.END_OF_MIDDLE and self._rules.line_mode is LineMode.MULTI
        lengths = places.before_rest(self._text, rest) if is_cut_off else []
        if end := others.first_of(lengths, StopReason.SUFFIX_REACHED):
            return end
        return others.before_rest_of_line(reason) if rest else others.nearest(reason)

    def _before_repeated(self, end: End) -> End:
        kept = self._text[: end.n_chars]
        if end.closers:
            return end
        if self._below is not None:
            length = self._below.before_repeated(kept)
            return end if length is None else End(length, StopReason.SUFFIX_REACHED)
        # `if a: return b` before the rest `return b`
        n_before = places.n_chars_before_rest(kept, self._rules.rest_of_line.strip())
        before = kept[: n_before or 0].rstrip()
        return End(len(before), StopReason.SUFFIX_REACHED) if before and self._may_end(before) else end

    def _end_at(self, end: End) -> StopReason:
        self._end = self._other_ends(self._guard).apart_from_closer(end) if self._guard else end
        return self._end.reason

    def _drop_fragment(self) -> None:
        """Of several lines that were cut off forget the last, which has no end, or paragraph."""
        n_whole = self._watch.n_chars_of_cut()
        if self._rules.line_mode is LineMode.MULTI and self._text[:n_whole].strip():
            self._forget(n_whole)

    def _forget(self, n_kept: int) -> None:
        self._text = self._text[:n_kept]
        self._boundaries = [at for at in self._boundaries if at <= n_kept]

    def _take(self, text: str) -> None:
        if text:
            self._text += text
            self._boundaries.append(len(self._text))
            self._n_chars_given += len(text)

    def _may_end(self, text: str) -> bool:
        return self._guard is None or may_end(self._guard, text, self._rules.line_mode)

    def _other_ends(self, guard: SyntaxGuard) -> OtherEnds:
        is_beyond_line = self._n_more_lines > 0
        return OtherEnds(guard, self._text, self._boundaries, self._rules.line_mode, is_beyond_line)

    def _is_in_one_line(self, guard: SyntaxGuard, text: str) -> bool:
        """Whether `text` is the first to say something, between two braces or tags and on the cursor's line: no
        block, but names that are taken out of an object (`import {` here `}`), or an object or text of one line.
        """
        if self._rules.line_mode is LineMode.SINGLE or self._text.strip() or not text.strip():
            return False
        blanks, _ = places.first_line(self._text + text)
        return "\n" not in blanks and begins_empty_pair(guard.line_head, guard.rest_of_line)
