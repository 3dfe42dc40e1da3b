"""May a completion end here, in a file of any size? The whole text says so, or where that is too much, what is near."""

from __future__ import annotations

import re

from fimble.syntax.around import Hole
from fimble.syntax.grammar import Grammar
from fimble.syntax.indent import IndentBefore, IndentState
from fimble.syntax.languages import Language
from fimble.syntax.parse import TreeCache
from fimble.syntax.stop import StopJudge, StopVerdict

# One judgement re-parses what the completion touches, but errors may make that the whole text.
_MAX_WHOLE_BYTES = 400_000
_NEAR_BYTES = 6_000
_LINE_AT_THE_LEFT = re.compile(rb"\n[A-Za-z_@]")


class EndJudge:
    """Judges completions of one hole by the whole text, until that turns out to be too much work."""

    def __init__(self, language: Language, grammar: Grammar, hole: Hole, trees: TreeCache) -> None:
        """Parse the text with an empty hole, within bounds; `trees` of earlier requests make that cheap."""
        self._language = language
        self._grammar = grammar
        tree = None
        if len(hole.prefix) + len(hole.suffix) <= _MAX_WHOLE_BYTES:
            tree = trees.parse(grammar, hole.prefix + hole.suffix)
        self.sees_all = tree is not None
        whole = StopJudge(language, grammar, hole, hole_tree=tree, may_leave_open=True) if tree else None
        self.judge = whole or self._of_what_is_near(hole)

    def verdict(self, completion: bytes) -> StopVerdict:
        """What becomes of the text if the completion is exactly `completion`."""
        verdict = self.judge.verdict(completion)
        if verdict is StopVerdict.UNKNOWN and self.sees_all:
            self.judge, self.sees_all = self._of_what_is_near(self.judge.hole), False
            verdict = self.judge.verdict(completion)
        return verdict

    def _of_what_is_near(self, hole: Hole) -> StopJudge:
        near = _window(hole)
        is_within_a_block = near.prefix[:1].isspace()
        indent = IndentBefore(IndentState(is_lost=True), b"") if is_within_a_block else None
        return StopJudge(self._language, self._grammar, near, indent=indent, may_leave_open=True)


def _window(hole: Hole) -> Hole:
    """So much of the text on each side of the cursor: from a line at the very left on if it can be, in whole lines."""
    prefix = hole.prefix[-_NEAR_BYTES:]
    suffix = hole.suffix[:_NEAR_BYTES]
    if len(prefix) < len(hole.prefix):
        at_the_left = _LINE_AT_THE_LEFT.search(prefix)
        prefix = prefix[at_the_left.end() - 1 :] if at_the_left else prefix[prefix.find(b"\n") + 1 :]
    if len(suffix) < len(hole.suffix):
        suffix = suffix[: suffix.rfind(b"\n") + 1] or suffix
    return Hole.of(prefix, suffix)
