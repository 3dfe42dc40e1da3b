"""One line or several, and where the block around the cursor ends."""

from __future__ import annotations

import pytest

from fimble.core.config import CompletionOptions
from fimble.core.flow import LineMode, Trigger
from fimble.engine.stopping import line_mode, stop_rules


@pytest.mark.parametrize(
    ("language", "source", "trigger", "expected"),
    [
        ("python", "x = $0\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("python", "x = $0\n", Trigger.INVOKED, LineMode.MULTI),
        ("python", "f($0)\n", Trigger.INVOKED, LineMode.SINGLE),
        ("python", "def f():\n    $0\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("python", "def f():\n    $0\n    return 1\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("python", "def f():\n    $0\n\ndef g():\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("go", "func f() {\r\n\t$0\r\n}\r\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("go", "func f() {$0}\r\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("javascript", "f(() => {$0});\n", Trigger.INVOKED, LineMode.MULTI),
        ("html", "  <ul>$0</ul>\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("typescriptreact", '    <Nav.Bar a="b">$0</Nav.Bar>\n', Trigger.AUTOMATIC, LineMode.MULTI),
        ("javascriptreact", "  return <b>$0</b>;\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("html", "  <ul>$0</ol>\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("html", "  <b>a$0</b>\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("html", "  <b>$0</b> a\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("typescriptreact", "  <a b={() =>$0</a>\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("terraform", 'variable "a" {$0}\n', Trigger.AUTOMATIC, LineMode.SINGLE),
        ("javascript", "import { $0 } from 'a'\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("javascript", "import {$0} from 'a'\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("javascript", "a = `b ${$0}`;\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("javascript", "f({ a$0})\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("python", "x = 1\n$0\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("python", "def f():  # why\n    $0\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("ruby", "def f(a)\n  $0\nend\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("ruby", "def f(a)\n  $0\n  b\nend\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("shellscript", "if [ -f a ]; then\n  $0\nfi\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("html", "<ul>\n  $0\n</ul>\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("html", "<p>a</p>\n$0\n", Trigger.AUTOMATIC, LineMode.SINGLE),
        ("cobol", "IF A {\n$0\n", Trigger.AUTOMATIC, LineMode.MULTI),
        ("python", "$0", Trigger.AUTOMATIC, LineMode.SINGLE),
    ],
)
def test_line_mode(language: str, source: str, trigger: Trigger, expected: LineMode) -> None:
    prefix, suffix = source.split("$0")
    assert line_mode(language, prefix, suffix, trigger, CompletionOptions()) is expected


def test_between_braces_nothing_says_where_to_end_without_syntax() -> None:
    options = CompletionOptions(check_syntax=False)
    assert line_mode("go", "func f() {", "}\n", Trigger.AUTOMATIC, options) is LineMode.SINGLE


@pytest.mark.parametrize("wanted", [LineMode.SINGLE, LineMode.MULTI])
def test_the_option_decides(wanted: LineMode) -> None:
    assert line_mode("python", "x = ", "", Trigger.AUTOMATIC, CompletionOptions(lines=str(wanted))) is wanted


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
    rules = stop_rules("python", prefix, suffix, Trigger.AUTOMATIC, CompletionOptions(), ())
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
    rules = stop_rules("python", prefix, suffix, Trigger.AUTOMATIC, CompletionOptions(), ())
    assert (rules.stop_line, rules.min_indent) == (stop_line, min_indent)
