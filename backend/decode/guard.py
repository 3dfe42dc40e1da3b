"""The file's syntax as a judge of completions: may one end here? Knows nothing of tokens."""

from __future__ import annotations

import time
from functools import cached_property

from fimble.core.flow import Constraint
from fimble.syntax.ends import EndJudge
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import language_for
from fimble.syntax.parse import TreeCache
from fimble.syntax.stop import Hole, StopJudge, StopVerdict

# Holds more lines than a completion repeats of what follows it.
_BELOW_BYTES = 4_000


class SyntaxGuard:
    """Judges completions of one hole; made by `guard_for`."""

    def __init__(self, ends: EndJudge) -> None:
        """Judge by `ends`."""
        self._ends = ends
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
    def lines_below(self) -> tuple[str, ...]:
        """The next lines below the cursor's that are not blank, without their indentation."""
        text = self._ends.judge.hole.below[:_BELOW_BYTES].decode("utf-8", "replace")
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    @cached_property
    def closing_line(self) -> str | None:
        """A line that does nothing but close what is open, where the whole file is right with it and not without."""
        began = time.perf_counter()
        closer = self._ends.judge.closing_line()
        self.spent_ms += (time.perf_counter() - began) * 1000.0
        return None if closer is None else closer.decode("utf-8", "replace")

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
        return self.may_end_at_last(text) or self._ends.judge.is_no_worse_than_a_name(
            text.encode("utf-8", "surrogatepass")
        )

    def _verdict(self, text: str, judge: StopJudge | None = None) -> StopVerdict:
        self.n_judgements += 1
        began = time.perf_counter()
        verdict = (judge or self._ends).verdict(text.encode("utf-8", "surrogatepass"))
        self.spent_ms += (time.perf_counter() - began) * 1000.0
        return verdict


def guard_for(constraint: Constraint | None, trees: TreeCache) -> SyntaxGuard | None:
    """A guard for a hole; None where the language has no grammar."""
    if constraint is None:
        return None
    language = language_for(constraint.language_id)
    grammar = grammar_for(language) if language else None
    if language is None or grammar is None:
        return None
    prefix = constraint.prefix.encode("utf-8", "surrogatepass")
    suffix = constraint.suffix.encode("utf-8", "surrogatepass")
    return SyntaxGuard(EndJudge(language, grammar, Hole.of(prefix, suffix), trees))
