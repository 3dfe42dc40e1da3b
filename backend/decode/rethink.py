"""Second thoughts on a blank line: an answer that is none, or leaves a name undefined, is written anew.

Where it is none (nothing, or a neighbour line again, be it at the end of several), writing branches at the token whose
second choice was likeliest.
Where it is nothing and the lines below are a block that nothing opens, it begins with a word that does.
One that is a whole line and others, where one line was asked for, branches in its first line.
Where it begins with a comment that stands for code (`# Your code here`), it is written anew from there.
Where the code below uses a name that nothing defines and the answer does not either, it begins with the definition.
Where there is none but a comment, or one line was asked for and several are written, and a closing line alone makes the
whole file right, that is the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fimble.backend.decode.guard import SyntaxGuard
from fimble.core.flow import Constraint, LineMode, StopRules
from fimble.syntax.closers import is_balanced
from fimble.syntax.indent import indent_columns
from fimble.syntax.languages import BlockStyle, language_for
from fimble.syntax.needs import defines, needed_definition
from fimble.syntax.openers import headers_like
from fimble.syntax.placeholders import begins_with_placeholder, is_comment_line

_MAX_BRANCHES = 32
_MAX_TIMES = 2
# A line shorter than this (a lone bracket, `else:`) stands in many places.
_MIN_LINE_CHARS = 6
# Signs that a statement may end with, and such as a line begins with that goes on with the one above.
_ENDS = frozenset(";)]}'\"`")
_GOES_ON = frozenset("{}()[].,;:?&|+-*=<>")


@dataclass(frozen=True, slots=True)
class Step:
    """One token written: the text it gave, its log probability and that of the next likeliest one."""

    text: str
    logprob: float
    second_logprob: float


@dataclass(frozen=True, slots=True)
class Anew:
    """Keep the first `n_kept` tokens, and write on with the likeliest of `starts`; without any, with another token.

    A start is what follows the text of the tokens that are kept.
    """

    n_kept: int
    starts: tuple[str, ...] = ()


class Rethinking:
    """Says, where one completion is about to end, whether to write it anew instead."""

    def __init__(self, rules: StopRules, hole: Constraint | None, guard: SyntaxGuard | None) -> None:
        """`hole` is the text around the cursor, and `guard` judges it; None where they are not known."""
        self._neighbours = rules.neighbours
        self._line_head = hole.prefix.rpartition("\n")[2] if hole else ""
        self._is_one_line = rules.line_mode is LineMode.SINGLE
        self._hole = hole
        self._guard = guard
        self._n_times = 0
        self._has_asked_for_name = self._has_tried_closer = self._has_tried_header = False

    @property
    def something_is_wanted(self) -> bool:
        """Whether nothing would be no answer."""
        return self._neighbours is not None

    def instead_of(self, left: str, steps: Sequence[Step]) -> Anew | None:
        """What to do instead of ending with `left`, which is what stays of the text of `steps`."""
        if self._neighbours is None or self._n_times == _MAX_TIMES or not steps:
            return None
        anew = self._without_placeholder(left, steps) or self._with_needed_name(left, steps)
        if anew is None and (self._is_none(left) or (self._is_one_line and "\n" in left.strip())):
            anew = self._with_closer()
        if anew is None and not left.strip():
            anew = self._with_header(steps)
        if anew is None and (not left.strip() or left.strip() in self._neighbours or self._repeats_suffix(left)):
            anew = _at_likeliest_branch(steps)
        if anew is None and self._is_one_line and self._has_second_statement(left):
            anew = _at_likeliest_branch(_of_first_line(steps))
        if anew is not None:
            self._n_times += 1
        return anew

    def _is_none(self, left: str) -> bool:
        """Whether it is nothing, or one comment: a small model has nothing else to say where a closer is due."""
        line = left.strip()
        is_comment = self._hole is not None and "\n" not in line and is_comment_line(self._hole.language_id, line)
        return not line or is_comment

    def _repeats_suffix(self, left: str) -> bool:
        """Whether several lines are those that stand below anyway or, where one was wanted, lead up to the next."""
        below = self._hole.suffix.lstrip() if self._hole else ""
        written = left.strip()
        if "\n" not in written:
            return False
        last, following = written.rpartition("\n")[2].strip(), below.partition("\n")[0].strip()
        is_led_up = self._is_one_line and last == following and len(last) >= _MIN_LINE_CHARS
        return is_led_up or f"{below}\n".startswith(f"{written}\n")

    def _has_second_statement(self, left: str) -> bool:
        """Whether a line that is whole has another below it, no deeper: it could not end, so it had to do otherwise.

        What is no word at the beginning of the first (a comment, `@a`, `#[b]`), or goes on with it on the second, is
        left; and words of blocks, as `do`, are not told from statements.
        """
        language = language_for(self._hole.language_id) if self._hole else None
        lines = [line for line in f"{self._line_head}{left}".split("\n") if line.strip()]
        if language is None or language.block_style is BlockStyle.END or len(lines) < 2:
            return False
        first, second = lines[:2]
        if not first.strip()[0].isalnum() or second.strip()[0] in _GOES_ON:
            return False
        is_whole = is_balanced(first) and (first.rstrip()[-1].isalnum() or first.rstrip()[-1] in _ENDS)
        return is_whole and indent_columns(second) <= indent_columns(first)

    def _without_placeholder(self, left: str, steps: Sequence[Step]) -> Anew | None:
        is_one = self._hole is not None and begins_with_placeholder(self._hole.language_id, left)
        return Anew(_first_with_text(steps)) if is_one else None

    def _with_closer(self) -> Anew | None:
        if self._guard is None or self._hole is None or self._has_tried_closer:
            return None
        self._has_tried_closer = True
        closer = self._guard.closing_line
        if closer is None or not closer.startswith(self._line_head):
            return None
        return Anew(0, (closer.removeprefix(self._line_head),))

    def _with_header(self, steps: Sequence[Step]) -> Anew | None:
        """Where the lines below are a block that nothing opens: one of the words that do."""
        language = language_for(self._hole.language_id) if self._hole else None
        if self._guard is None or language is None or self._has_tried_header:
            return None
        self._has_tried_header = True
        opener = self._guard.block_opener
        starts = () if opener is None else headers_like(opener, language)
        return _beginning_with(starts, steps, _first_with_text(steps))

    def _with_needed_name(self, left: str, steps: Sequence[Step]) -> Anew | None:
        hole = self._hole
        if hole is None or self._has_asked_for_name:
            return None
        self._has_asked_for_name = True
        n_kept = _first_with_text(steps)
        if n_kept == len(steps):
            return None
        written = "".join(step.text for step in steps)
        indent = self._line_head + written[: len(written) - len(written.lstrip())].rpartition("\n")[2]
        need = needed_definition(hole.language_id, hole.prefix, hole.suffix, indent)
        if need is None or defines(hole.language_id, hole.prefix, left, hole.suffix, need.name):
            return None
        return _beginning_with(need.starts, steps, n_kept)


def _beginning_with(starts: Sequence[str], steps: Sequence[Step], n_kept: int) -> Anew | None:
    """One of `starts` in place of the first word, behind the white space that was written before it."""
    if n_kept == len(steps) or not starts:
        return None
    text = steps[n_kept].text
    blanks = text[: len(text) - len(text.lstrip())]
    return Anew(n_kept, tuple(blanks + start for start in starts))


def _of_first_line(steps: Sequence[Step]) -> Sequence[Step]:
    text = ""
    for n_steps, step in enumerate(steps):
        text += step.text
        if "\n" in text.lstrip():
            return steps[:n_steps]
    return steps


def _first_with_text(steps: Sequence[Step]) -> int:
    return next((at for at, step in enumerate(steps) if step.text.strip()), len(steps))


def _at_likeliest_branch(steps: Sequence[Step]) -> Anew | None:
    so_far, likeliest, at = 0.0, -math.inf, None
    for place, step in enumerate(steps[:_MAX_BRANCHES]):
        if so_far + step.second_logprob > likeliest:
            likeliest, at = so_far + step.second_logprob, place
        so_far += step.logprob
    return None if at is None else Anew(at)
