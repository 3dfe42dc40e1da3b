"""Text written into a hole piece by piece, as a model does, and what an ending keeps of it."""

from __future__ import annotations

from fimble.backend.decode.ending import Ending
from fimble.backend.decode.guard import guard_for
from fimble.core.flow import Constraint, LineMode, StopReason, StopRules
from fimble.syntax.parse import TreeCache

SINGLE, MULTI = LineMode.SINGLE, LineMode.MULTI


def write(source: str, written: str, mode: LineMode, n_chars: int, language: str = "python") -> tuple[str, StopReason]:
    prefix, suffix = source.split("$0")
    ending = Ending(StopRules(64, mode), guard_for(Constraint(language, prefix, suffix), TreeCache()))
    text, reason = "", None
    for start in range(0, len(written), n_chars):
        verdict = ending.push(written[start : start + n_chars])
        text += verdict.text
        reason = verdict.reason
        if reason:
            break
    if reason is None:
        reason = ending.close(StopReason.MAX_TOKENS)
    return text[: len(text) - ending.n_retract_chars] + ending.closers, reason
