"""How hard a gap is, from its structure; and stages, easiest first, for the curriculum.

A model's own loss on the gap is the better measure where it was computed (`prepare --loss`); then `stages` ranks that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from fimble.syntax.holes import HoleKind
from fimble.tuning.mine.spans import Span

N_STAGES = 3
STAGE_NAMES = ("easy", "medium", "hard")
_NAME = re.compile(r"[^\W\d]\w+")
# How much harder a kind is than a property of the same length. An ordering, not a measurement: bodies and error
# handling need a plan, arguments need signatures from elsewhere, imports and properties need one name.
_KIND_WEIGHT = {
    HoleKind.PROPERTY: 0.0,
    HoleKind.IMPORT: 0.2,
    HoleKind.RANDOM: 0.3,
    HoleKind.CONDITION: 0.5,
    HoleKind.LITERAL: 0.6,
    HoleKind.CALL: 0.6,
    HoleKind.SIGNATURE: 0.8,
    HoleKind.ERROR_HANDLING: 1.0,
    HoleKind.FUNCTION_BODY: 1.2,
    HoleKind.CLASS_BODY: 1.4,
}
_NEAR_CHARS = 4_000


def structural_difficulty(span: Span, text: str) -> float:
    """Higher is harder: long, of a hard kind, deeply nested, and of names that stand nowhere near."""
    middle = text[span.start : span.end]
    near = text[max(0, span.start - _NEAR_CHARS) : span.start] + text[span.end : span.end + _NEAR_CHARS]
    names = set(_NAME.findall(middle))
    n_unseen = len(names - set(_NAME.findall(near)))
    return (
        math.log2(len(middle) + 1)
        + math.log2(middle.count("\n") + 1)
        + _KIND_WEIGHT[span.kind]
        + min(span.depth, 20) / 20
        + 1.5 * math.log2(n_unseen + 1)
    )


def stages(difficulties: Sequence[float]) -> list[int]:
    """A stage for each, by rank, in equal shares; equal difficulties share a stage."""
    ordered = sorted(difficulties)
    bounds = [ordered[len(ordered) * k // N_STAGES] for k in range(1, N_STAGES)] if ordered else []
    return [sum(value >= bound for bound in bounds) for value in difficulties]
