"""Second thoughts on a blank line: an answer that is none, or leaves a name undefined, is written anew.

Where it is none (nothing, or a neighbour line again), writing branches at the token whose second choice was likeliest.
Where the code below uses a name that nothing defines and the answer does not either, it begins with the definition.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fimble.core.flow import Constraint, StopRules
from fimble.syntax.needs import needed_definition

_MAX_BRANCHES = 32
_MAX_TIMES = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One token written: the bytes it stands for, the text it gave, its log probability and the next likeliest's."""

    piece: bytes
    text: str
    logprob: float
    second_logprob: float


@dataclass(frozen=True, slots=True)
class Anew:
    """Keep the first `n_kept` tokens, and write on with `start` if it is given, else with another token."""

    n_kept: int
    start: str = ""


class Rethinking:
    """Says, where one completion is about to end, whether to write it anew instead."""

    def __init__(self, rules: StopRules, hole: Constraint | None) -> None:
        """`hole` is the text around the cursor, None where it is not known."""
        self._neighbours = rules.neighbours
        self._hole = hole
        self._n_times = 0
        self._has_asked_for_name = False

    @property
    def something_is_wanted(self) -> bool:
        """Whether nothing would be no answer."""
        return self._neighbours is not None

    def instead_of(self, left: str, steps: Sequence[Step]) -> Anew | None:
        """What to do instead of ending with `left`, which is what stays of the text of `steps`."""
        if self._neighbours is None or self._n_times == _MAX_TIMES or not steps:
            return None
        anew = self._with_needed_name(left, steps)
        if anew is None and (not left.strip() or left.strip() in self._neighbours):
            anew = _at_likeliest_branch(steps)
        if anew is not None:
            self._n_times += 1
        return anew

    def _with_needed_name(self, left: str, steps: Sequence[Step]) -> Anew | None:
        hole = self._hole
        if hole is None or self._has_asked_for_name:
            return None
        self._has_asked_for_name = True
        n_kept = next((at for at, step in enumerate(steps) if step.text.strip()), None)
        if n_kept is None:
            return None
        written = "".join(step.text for step in steps)
        indent = hole.prefix.rpartition("\n")[2] + written[: len(written) - len(written.lstrip())].rpartition("\n")[2]
        need = needed_definition(hole.language_id, hole.prefix, hole.suffix, indent)
        if need is None or re.search(rf"\b{re.escape(need.name)}\b", left):
            return None
        piece = steps[n_kept].piece
        blanks = piece[: len(piece) - len(piece.lstrip())].decode("ascii")
        return Anew(n_kept, blanks + need.start)


def _at_likeliest_branch(steps: Sequence[Step]) -> Anew | None:
    so_far, likeliest, at = 0.0, -math.inf, None
    for place, step in enumerate(steps[:_MAX_BRANCHES]):
        if so_far + step.second_logprob > likeliest:
            likeliest, at = so_far + step.second_logprob, place
        so_far += step.logprob
    return None if at is None else Anew(at)
