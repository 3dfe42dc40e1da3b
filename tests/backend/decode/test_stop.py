"""Stop rules, fed in pieces of every size: the verdict does not depend on how text is cut into tokens."""

from __future__ import annotations

import pytest

from fimble.backend.decode.stop import StopWatch, indent_columns
from fimble.core.flow import LineMode, StopReason, StopRules


def run(rules: StopRules, text: str, n_chars: int) -> tuple[str, StopReason | None]:
    watch = StopWatch(rules)
    kept, reason = "", None
    for start in range(0, len(text), n_chars):
        verdict = watch.push(text[start : start + n_chars])
        kept += verdict.text
        reason = verdict.reason
        if reason:
            break
    return kept[: len(kept) - watch.n_retract_chars] if watch.n_retract_chars else kept, reason


SINGLE = StopRules(64, LineMode.SINGLE)


@pytest.mark.parametrize("n_chars", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("rules", "text", "expected", "reason"),
    [
        (SINGLE, "a + b\nnext", "a + b", StopReason.LINE_END),
        (SINGLE, "\n    return a\nnext", "\n    return a", StopReason.LINE_END),
        (SINGLE, "a + b", "a + b", None),
        (StopRules(64, LineMode.MULTI, min_indent=4), "a\n    b\nc()", "a\n    b", StopReason.BLOCK_END),
        (StopRules(64, LineMode.MULTI, min_indent=4), "a\n\n    b\n", "a\n\n    b\n", None),
        (
            StopRules(64, LineMode.MULTI, stop_line="return x"),
            "x = 1\n    y = 2\n    return x\nz",
            "x = 1\n    y = 2",
            StopReason.SUFFIX_REACHED,
        ),
    ],
)
def test_stops(rules: StopRules, text: str, expected: str, reason: StopReason | None, n_chars: int) -> None:
    kept, why = run(rules, text, n_chars)
    assert (kept, why) == (expected, reason)


@pytest.mark.parametrize(("line", "n_columns"), [("", 0), ("  x", 2), ("\tx", 4), ("  \tx", 4), ("\t\t", 8)])
def test_indent_columns(line: str, n_columns: int) -> None:
    assert indent_columns(line) == n_columns
