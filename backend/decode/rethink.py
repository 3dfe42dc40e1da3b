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
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

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

_FIRST_WORD = re.compile(r"\s*(\w+)")


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
        self._stop_rules = rules
        self._hole = hole
        self._guard = guard
        self._n_times = 0
        self._asked: set[_Rule] = set()

    @property
    def something_is_wanted(self) -> bool:
        """Whether nothing would be no answer."""
        return self._stop_rules.neighbours is not None

    def instead_of(self, left: str, steps: Sequence[Step]) -> Anew | None:
        """What to do instead of ending with `left`, which is what stays of the text of `steps`."""
        if not self.something_is_wanted or self._n_times == _MAX_TIMES or not steps:
            return None
        end = _End(left, steps, self._stop_rules, self._hole, self._guard)
        for rule in _RULES:
            if rule in self._asked or not rule.applies(end):
                continue
            if rule.is_asked_once:
                self._asked.add(rule)
            if (anew := rule.instead(end)) is not None:
                self._n_times += 1
                return anew
        return None


@dataclass(frozen=True, slots=True)
class _End:
    """A completion that is about to end: `left` is what stays of the text of `steps`."""

    left: str
    steps: Sequence[Step]
    rules: StopRules
    hole: Constraint | None
    guard: SyntaxGuard | None

    @property
    def is_nothing(self) -> bool:
        return not self.left.strip()

    @property
    def has_steps_with_text(self) -> bool:
        """Whether something but blanks was written, though it may not stay."""
        return _first_with_text(self.steps) < len(self.steps)

    @property
    def is_one_line(self) -> bool:
        """Whether one line was asked for."""
        return self.rules.line_mode is LineMode.SINGLE

    @property
    def line_head(self) -> str:
        """The cursor's line up to the cursor."""
        return self.hole.prefix.rpartition("\n")[2] if self.hole else ""


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """Where an answer is to be written anew, and how; None where it turns out not to be.

    One that is asked once has no say in what was written anew, be it for a reason of its own or of another.
    """

    applies: Callable[[_End], bool]
    instead: Callable[[_End], Anew | None]
    is_asked_once: bool = False


def _begins_with_placeholder(end: _End) -> bool:
    return end.hole is not None and begins_with_placeholder(end.hole.language_id, end.left)


def _may_lack_closer(end: _End) -> bool:
    """Whether it is nothing, one comment (a small model has nothing else to say then) or goes on below one line."""
    line = end.left.strip()
    is_comment = end.hole is not None and "\n" not in line and is_comment_line(end.hole.language_id, line)
    return end.is_nothing or is_comment or (end.is_one_line and "\n" in line)


def _says_nothing_new(end: _End) -> bool:
    return end.is_nothing or end.left.strip() in (end.rules.neighbours or ()) or _repeats_suffix(end)


def _with_needed_name(end: _End) -> Anew | None:
    hole, n_kept = end.hole, _first_with_text(end.steps)
    if hole is None or n_kept == len(end.steps):
        return None
    written = "".join(step.text for step in end.steps)
    indent = end.line_head + written[: len(written) - len(written.lstrip())].rpartition("\n")[2]
    need = needed_definition(hole.language_id, hole.prefix, hole.suffix, indent)
    if need is None or defines(hole.language_id, hole.prefix, end.left, hole.suffix, need.name):
        return None
    return _beginning_with(need.starts, end.steps, n_kept)


def _with_closer(end: _End) -> Anew | None:
    closer = end.guard.closing_line if end.guard else None
    if closer is None or not closer.startswith(end.line_head):
        return None
    return Anew(0, (closer.removeprefix(end.line_head),))


def _with_header(end: _End) -> Anew | None:
    """Where the lines below are a block that nothing opens: one of the words that do, but not the one that failed."""
    language = language_for(end.hole.language_id) if end.hole else None
    if end.guard is None or language is None:
        return None
    opener = end.guard.block_opener
    starts = () if opener is None else headers_like(opener, language)
    failed = _FIRST_WORD.match("".join(step.text for step in end.steps))
    untried = [start for start in starts if failed is None or start != failed[1]]
    return _beginning_with(untried, end.steps, _first_with_text(end.steps))


def _repeats_suffix(end: _End) -> bool:
    """Whether several lines are those that stand below anyway or, where one was wanted, lead up to the next."""
    below = end.hole.suffix.lstrip() if end.hole else ""
    written = end.left.strip()
    if "\n" not in written:
        return False
    last, following = written.rpartition("\n")[2].strip(), below.partition("\n")[0].strip()
    is_led_up = end.is_one_line and last == following and len(last) >= _MIN_LINE_CHARS
    return is_led_up or f"{below}\n".startswith(f"{written}\n")


def _has_second_statement(end: _End) -> bool:
    """Whether one line was asked for and one that is whole has another below it, no deeper.

    It could not end, so it had to do otherwise. What is no word at the beginning of the first (a comment, `@a`,
    `#[b]`), or goes on with it on the second, is left; and words of blocks, as `do`, are not told from statements.
    """
    language = language_for(end.hole.language_id) if end.hole and end.is_one_line else None
    lines = [line for line in f"{end.line_head}{end.left}".split("\n") if line.strip()]
    if language is None or language.block_style is BlockStyle.END or len(lines) < 2:
        return False
    first, second = lines[:2]
    if not first.strip()[0].isalnum() or second.strip()[0] in _GOES_ON:
        return False
    is_whole = is_balanced(first) and (first.rstrip()[-1].isalnum() or first.rstrip()[-1] in _ENDS)
    return is_whole and indent_columns(second) <= indent_columns(first)


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


# The first that has something to say decides.
_RULES: Final = (
    _Rule(_begins_with_placeholder, lambda end: Anew(_first_with_text(end.steps))),
    _Rule(lambda _: True, _with_needed_name, is_asked_once=True),
    _Rule(_may_lack_closer, _with_closer, is_asked_once=True),
    _Rule(lambda end: end.is_nothing and end.has_steps_with_text, _with_header, is_asked_once=True),
    _Rule(_says_nothing_new, lambda end: _at_likeliest_branch(end.steps)),
    _Rule(_has_second_statement, lambda end: _at_likeliest_branch(_of_first_line(end.steps))),
)
