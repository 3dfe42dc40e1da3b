"""Shaping: what is trimmed, what is dropped, and that nothing right of the cursor appears twice."""

from __future__ import annotations

import pytest

from fimble.core.flow import LineMode, RejectReason
from fimble.engine.shape import Shaped, shape

S, M = LineMode.SINGLE, LineMode.MULTI


@pytest.mark.parametrize(
    ("source", "raw", "mode", "expected"),
    [
        ("x = $0\n", "1  ", S, "1"),
        ("def f():\n    $0\n", "a = 1\n    b = 2\n\n\n", M, "a = 1\n    b = 2"),
        ("f($0)\n", "x)", S, "x"),  # the editor closed the bracket already
        ("f($0)\n", "g(x)", S, "g(x)"),  # this one belongs to the answer
        ("f('$0')\n", "a')", S, "a"),
        ("d = {$0}\n", "'a': 1}", S, "'a': 1"),
        ("x = [$0];\n", "1, 2];", S, "1, 2"),
        ("if $0:\n    pass\n", "x > 1:", S, "x > 1"),
        ("$0 = compute(value)\n", "total = compute(value)", S, "total"),
        ("def f():\n$0\n    return total\n", "    total = 1\n    return total", M, "    total = 1"),
        ("$0\n", "value = 1\nvalue = 1\nvalue = 1\nvalue = 1", M, "value = 1"),
        ("a\r\nb = $0\r\n", "1\n2", M, "1\r\n2"),
        ("return $0", "\u00e9\U0001f600", S, "\u00e9\U0001f600"),
    ],
)
def test_shapes(source: str, raw: str, mode: LineMode, expected: str) -> None:
    prefix, suffix = source.split("$0")
    shaped = shape(raw, prefix, suffix, mode)
    assert isinstance(shaped, Shaped)
    assert shaped.text == expected


@pytest.mark.parametrize(
    ("source", "raw", "mode", "reason"),
    [
        ("x = $0", "", S, RejectReason.EMPTY),
        ("x = $0", " \n\t", M, RejectReason.BLANK),
        ("f($0)", ")", S, RejectReason.REPEATS_SUFFIX),
        ("    $0\n    total += 1\n", "total += 1", S, RejectReason.REPEATS_PREFIX),
        ("total += 1\n$0\n", "total += 1", S, RejectReason.REPEATS_PREFIX),
    ],
)
def test_drops(source: str, raw: str, mode: LineMode, reason: RejectReason) -> None:
    prefix, suffix = source.split("$0")
    assert shape(raw, prefix, suffix, mode) is reason


@pytest.mark.parametrize(
    ("raw", "mode", "expected"),
    [("a = 1\nb = 2\nc = tot", M, "a = 1\nb = 2"), ("a = tot", M, "a = tot"), ("a = tot", S, "a = tot")],
)
def test_a_fragment_of_a_line_is_dropped_where_whole_lines_stand_before_it(
    raw: str, mode: LineMode, expected: str
) -> None:
    assert shape(raw, "", "\n", mode, is_cut=True) == Shaped(expected)
