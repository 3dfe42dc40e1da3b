"""The file's syntax as a judge of completions: may one end here? Knows nothing of tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cached_property

from fimble.core.flow import Constraint
from fimble.syntax.around import Hole
from fimble.syntax.ends import EndJudge
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import language_for
from fimble.syntax.parse import TreeCache
from fimble.syntax.stop import StopJudge, StopVerdict

# Holds more lines than a completion repeats of what follows it.
_BELOW_BYTES = 4_000
_N_LINES_BELOW = 20
# Judging gets so much of the time box, mostly when that is over. A judgement takes a few milliseconds; where an error
# far above makes it read a large file again, most are for nothing (2026-11-29: 21 of them, 1.6 s, no answer).
_JUDGING_SHARE = 0.5


class SyntaxGuard:
    """Judges completions of one hole; made by `guard_for`.

    Where the time for judging is used up, nothing may end: what nobody has judged is not shown.
    """

    def __init__(self, ends: EndJudge, max_ms: float | None, check: Callable[[], None]) -> None:
        """Judge by `ends` for `max_ms` in all; None is without end. `check` comes first, and may raise to stop it."""
        self._ends = ends
        self._max_ms = max_ms
        self._check = check
        self._judge_without_rest: StopJudge | None = None
        self.n_judgements = 0
        self.spent_ms = 0.0

    @property
    def line_head(self) -> str:
        """What stands left of the cursor in its line."""
        return self._ends.judge.hole.head.decode("utf-8", "replace")

    @property
    def rest_of_line(self) -> str:
        """What stands right of the cursor, which the completion must lead into."""
        return self._ends.judge.hole.tail.decode("utf-8", "replace").rstrip()

    @cached_property
    def next_lines(self) -> tuple[str, ...]:
        """The next lines below the cursor's that are not blank, with their indentation."""
        return tuple(line.rstrip() for line in self._below[:_N_LINES_BELOW])

    @cached_property
    def lines_below(self) -> tuple[str, ...]:
        """The next lines below the cursor's that are not blank, without their indentation."""
        return tuple(line.strip() for line in self._below)

    @cached_property
    def runs_below(self) -> frozenset[tuple[str, ...]]:
        """Every three in a row of the next 20 lines below that are not blank, with their indentation."""
        lines = self.next_lines
        return frozenset(zip(lines, lines[1:], lines[2:], strict=False))

    @cached_property
    def _below(self) -> list[str]:
        text = self._ends.judge.hole.below[:_BELOW_BYTES].decode("utf-8", "replace")
        return [line for line in text.splitlines() if line.strip()]

    @cached_property
    def closing_line(self) -> str | None:
        """A line that does nothing but close what is open, where the whole file is right with it and not without."""
        if not self.has_time():
            return None
        with self._timed():
            closer = self._ends.judge.closing_line()
        return None if closer is None else closer.decode("utf-8", "replace")

    @cached_property
    def missing_bracket(self) -> str | None:
        """The bracket that the completion has to open, because lines below close it; or None."""
        if not self.has_time():
            return None
        with self._timed():
            bracket = self._ends.judge.missing_bracket
        return None if bracket is None else bracket.decode("ascii")

    @cached_property
    def block_opener(self) -> str | None:
        """What opens the block that the lines below are and that only the completion can have opened; or None."""
        if not self.has_time():
            return None
        with self._timed():
            opener = self._ends.judge.block_opener
        return None if opener is None else opener.decode("ascii")

    def may_end_block(self, text: str) -> bool:
        """Whether several lines may end with `text`: where a closing line is all that the file lacks, they have it."""
        verdict = self._verdict(text)
        return verdict.allows_stop and (verdict is StopVerdict.CLEAN or self.closing_line is None)

    def may_end(self, text: str) -> bool:
        """Whether the file shows no error that it did not have before, if the completion is exactly `text`."""
        return self._verdict(text).allows_stop

    def may_end_instead(self, text: str) -> bool:
        """The same for a completion that takes the place of what stands right of the cursor."""
        if self._judge_without_rest is None:
            self._judge_without_rest = self._ends.judge.without_rest(len(self.rest_of_line.encode("utf-8", "replace")))
        return self._verdict(text, self._judge_without_rest).allows_stop

    def may_end_at_last(self, text: str) -> bool:
        """The same, less strict: errors that the empty hole shows too are forgiven. For the end of the budget."""
        verdict = self._verdict(text)
        return verdict.allows_stop or verdict is StopVerdict.WEAK

    def may_end_unfinished(self, text: str) -> bool:
        """The same, less strict in another way: errors that a plain name in the hole would leave are forgiven."""
        if self.may_end_at_last(text):
            return True
        if not self.has_time():
            return False
        with self._timed():
            return self._ends.judge.is_no_worse_than_a_name(text.encode("utf-8", "surrogatepass"))

    def _verdict(self, text: str, judge: StopJudge | None = None) -> StopVerdict:
        if not self.has_time():
            return StopVerdict.NO
        self.n_judgements += 1
        with self._timed():
            return (judge or self._ends).verdict(text.encode("utf-8", "surrogatepass"))

    def has_time(self) -> bool:
        """Whether there is time for one more judgement; asked before each."""
        self._check()
        return self._max_ms is None or self.spent_ms < self._max_ms

    @contextmanager
    def _timed(self) -> Generator[None]:
        began = time.perf_counter()
        yield
        self.spent_ms += (time.perf_counter() - began) * 1000.0


def guard_for(
    constraint: Constraint | None,
    trees: TreeCache,
    *,
    time_box_ms: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> SyntaxGuard | None:
    """A guard for a hole; None where the language has no grammar.

    `time_box_ms` is the completion's; `check` is called before each judgement, and may raise to stop whoever asks.
    """
    if constraint is None:
        return None
    language = language_for(constraint.language_id)
    grammar = grammar_for(language) if language else None
    if language is None or grammar is None:
        return None
    prefix = constraint.prefix.encode("utf-8", "surrogatepass")
    suffix = constraint.suffix.encode("utf-8", "surrogatepass")
    max_ms = None if time_box_ms is None else _JUDGING_SHARE * time_box_ms
    return SyntaxGuard(EndJudge(language, grammar, Hole.of(prefix, suffix), trees), max_ms, check)
