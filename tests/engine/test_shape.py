"""Shaping: what is trimmed, what is dropped, and that nothing right of the cursor appears twice."""

from __future__ import annotations

import pytest

from fimble.core.flow import RejectReason
from fimble.engine.shape import Shaped, shape


@pytest.mark.parametrize(
    ("source", "raw", "expected"),
    [
        ("x = $0\n", "1  ", "1"),
        ("def f():\n    $0\n", "a = 1\n    b = 2\n\n\n", "a = 1\n    b = 2"),
        ("f($0)\n", "x)", "x"),  # the editor closed the bracket already
        ("f($0)\n", "g(x)", "g(x)"),  # this one belongs to the answer
        ("f('$0')\n", "a')", "a"),
        ("d = {$0}\n", "'a': 1}", "'a': 1"),
        ("x = [$0];\n", "1, 2];", "1, 2"),
        ("if $0:\n    pass\n", "x > 1:", "x > 1"),
        ("$0 = compute(value)\n", "total = compute(value)", "total"),
        ("a\r\nb = $0\r\n", "1\n2", "1\r\n2"),
        ("return $0", "\u00e9\U0001f600", "\u00e9\U0001f600"),
    ],
)
def test_shapes(source: str, raw: str, expected: str) -> None:
    prefix, suffix = source.split("$0")
    shaped = shape(raw, prefix, suffix)
    assert isinstance(shaped, Shaped)
    assert shaped.text == expected


@pytest.mark.parametrize(
    ("source", "raw", "reason"),
    [
        ("x = $0", "", RejectReason.EMPTY),
        ("x = $0", " \n\t", RejectReason.BLANK),
        ("f($0)", ")", RejectReason.REPEATS_SUFFIX),
        ("    $0\n    total += 1\n", "total += 1", RejectReason.REPEATS_PREFIX),
        ("total += 1\n$0\n", "total += 1", RejectReason.REPEATS_PREFIX),
    ],
)
def test_drops(source: str, raw: str, reason: RejectReason) -> None:
    prefix, suffix = source.split("$0")
    assert shape(raw, prefix, suffix) is reason
