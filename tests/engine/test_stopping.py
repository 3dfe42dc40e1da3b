"""One line or several, and where the block around the cursor ends."""

from __future__ import annotations

import pytest

from fimble.core.config import CompletionOptions
from fimble.core.flow import LineMode, Trigger
from fimble.engine.stopping import line_mode, stop_rules


@pytest.mark.parametrize(
    ("source", "trigger", "expected"),
    [
        ("x = $0\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("x = $0\n", Trigger.INVOKED, LineMode.MULTI),
        ("f($0)\n", Trigger.INVOKED, LineMode.SINGLE),
        ("def f():\n    $0\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("def f():\n    $0\n    return 1\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("def f():\n    $0\n\ndef g():\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("func f() {\r\n\t$0\r\n}\r\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("x = 1\n$0\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("$0", Trigger.AUTOMATIC, LineMode.SINGLE),
    ],
)
def test_line_mode(source: str, trigger: Trigger, expected: LineMode) -> None:
    prefix, suffix = source.split("$0")
    assert line_mode(prefix, suffix, trigger, CompletionOptions()) is expected


@pytest.mark.parametrize("wanted", [LineMode.SINGLE, LineMode.MULTI])
def test_the_option_decides(wanted: LineMode) -> None:
    assert line_mode("x = ", "", Trigger.AUTOMATIC, CompletionOptions(lines=str(wanted))) is wanted


@pytest.mark.parametrize(
    ("source", "rest_of_line", "min_indent"),
    [
        ("        a = $0\n", "", 8),
        ("        a = f($0)\n", "", 8),  # a bracket tells nothing
        ("        a = $0 + b(c)\n    return a\n", " + b(c)", 4),  # the line that leads there may lie further left
        ("        a = $0return a\n", "return a", 0),
    ],
)
def test_code_right_of_the_cursor(source: str, rest_of_line: str, min_indent: int) -> None:
    prefix, suffix = source.split("$0")
    rules = stop_rules(prefix, suffix, Trigger.AUTOMATIC, CompletionOptions(), ())
    assert (rules.rest_of_line, rules.min_indent) == (rest_of_line, min_indent)


@pytest.mark.parametrize(
    ("source", "stop_line", "min_indent"),
    [
        ("def f():\n    a = $0\n\n    return a\n", "    return a", 4),
        ("def f():\n    a = $0\n\n\ndef g():\n", "def g():", 1),  # the top level lies behind a blank line
        ("def f():\n    a = $0\nb = 1\n", "b = 1", 0),
        ("def f():\n        a = $0\n", "", 8),
        ("$0", "", 0),
    ],
)
def test_where_the_block_ends(source: str, stop_line: str, min_indent: int) -> None:
    prefix, suffix = source.split("$0")
    rules = stop_rules(prefix, suffix, Trigger.AUTOMATIC, CompletionOptions(), ())
    assert (rules.stop_line, rules.min_indent) == (stop_line, min_indent)
