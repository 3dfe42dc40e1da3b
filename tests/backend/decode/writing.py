"""Text written into a hole piece by piece, as a model does, and what an ending keeps of it."""

from __future__ import annotations

from fimble.backend.decode.ending import Ending
from fimble.backend.decode.guard import guard_for
from fimble.core.flow import Constraint, LineMode, StopReason, StopRules
from fimble.syntax.parse import TreeCache

SINGLE, MULTI = LineMode.SINGLE, LineMode.MULTI


def write(
    source: str,
    written: str,
    mode: LineMode,
    n_chars: int,
    language: str = "python",
    rest_of_line: str = "",
    over: StopReason = StopReason.MAX_TOKENS,
) -> tuple[str, StopReason]:
    """`rest_of_line` is what the stop rules know of what is right of the cursor; `over` why nothing more is written."""
    prefix, suffix = source.split("$0")
    ending = Ending(
        StopRules(64, mode, rest_of_line=rest_of_line), guard_for(Constraint(language, prefix, suffix), TreeCache())
    )
    text, reason = "", None
    for start in range(0, len(written), n_chars):
        verdict = ending.push(written[start : start + n_chars])
        text += verdict.text
        reason = verdict.reason
        if reason:
            break
    if reason is None:
        reason = ending.close(over)
    return text[: len(text) - ending.n_retract_chars] + ending.closers, reason
