"""Stop rules, fed in pieces of every size: the verdict does not depend on how text is cut into tokens."""

from __future__ import annotations

import pytest

from fimble.backend.decode.stop import StopWatch
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
    if reason is None and watch.close(StopReason.END_OF_MIDDLE) is StopReason.SUFFIX_REACHED:
        reason = StopReason.SUFFIX_REACHED
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
        # At the very left of a blank line the first line says which block is meant.
        (
            StopRules(64, LineMode.MULTI, neighbours=()),
            "    a = 1\n    return a\n\nprint(f())\n",
            "    a = 1\n    return a\n",
            StopReason.BLOCK_END,
        ),
        (StopRules(64, LineMode.MULTI, neighbours=()), "def f():\n    g()\nf()\n", "def f():\n    g()\nf()\n", None),
        (StopRules(64, LineMode.MULTI), "    a,\n    b)\nc()\n", "    a,\n    b)\nc()\n", None),
        (
            StopRules(64, LineMode.MULTI, stop_line="    return x"),
            "x = 1\n    y = 2\n    return x\nz",
            "x = 1\n    y = 2",
            StopReason.SUFFIX_REACHED,
        ),
        # The same words deeper in are another line.
        (
            StopRules(64, LineMode.MULTI, stop_line="    return x"),
            "if y:\n        return x\n    x = 2\n    return x\n",
            "if y:\n        return x\n    x = 2",
            StopReason.SUFFIX_REACHED,
        ),
        # Written without a line end, it is the suffix's next line all the same.
        (
            StopRules(64, LineMode.MULTI, stop_line="    return x"),
            "x = 1\n    return x",
            "x = 1",
            StopReason.SUFFIX_REACHED,
        ),
        # The same line for the third time, indentation and all; the first may have its own left of the cursor.
        (StopRules(64, LineMode.MULTI), "check(a)\n  check(a)\n  check(a)\n  b()\n", "check(a)", StopReason.LOOP),
        (StopRules(64, LineMode.MULTI), "b()\ncheck(a)\ncheck(a)\ncheck(a)\n", "b()\ncheck(a)", StopReason.LOOP),
        # Closing tags of several elements are no loop, nor are closing brackets.
        (StopRules(64, LineMode.MULTI), "    </div>\n  </div>\n</div>\n", "    </div>\n  </div>\n</div>\n", None),
        (StopRules(64, LineMode.MULTI), "end\nend\nend\n", "end\nend\nend\n", None),
        # Five paragraphs are too much, and two stay; a line deeper than the first begins none.
        (StopRules(64, LineMode.MULTI), "a\n\n\nb\n\nc\n  \nd\n\ne\n", "a\n\n\nb", StopReason.BLOCK_END),
        (StopRules(64, LineMode.MULTI), "a:\n\n  b\n\n  c\n\n  d\n\n  e\n", "a:\n\n  b\n\n  c\n\n  d\n\n  e\n", None),
        (
            StopRules(64, LineMode.MULTI, indent=4, neighbours=()),
            "a\n\n    b\n\n    c\n\n    d\n\n    e\n",
            "a\n\n    b",
            StopReason.BLOCK_END,
        ),
        # Those further to the left than the first line count from there on.
        (
            StopRules(64, LineMode.MULTI, indent=4, neighbours=()),
            "a\n\nb\n\nc\n\nd\n\ne\n\nf\n",
            "a\n\nb\n\nc",
            StopReason.BLOCK_END,
        ),
        # A blank behind code is no indentation.
        (
            StopRules(64, LineMode.MULTI, indent=4),
            " + a\n\n    b\n\n    c\n\n    d\n\n    e\n",
            " + a\n\n    b",
            StopReason.BLOCK_END,
        ),
        # What stands right of the cursor: one line is wanted, or the stream ends with it, or the line after it agrees.
        (StopRules(64, LineMode.SINGLE, rest_of_line=" = f(x)"), "a = f(x)\nb", "a", StopReason.SUFFIX_REACHED),
        (StopRules(64, LineMode.MULTI, rest_of_line=" = f(x)"), "a = f(x)", "a", StopReason.SUFFIX_REACHED),
        (StopRules(64, LineMode.MULTI, rest_of_line="rn x"), "1\n  return x\n", "1\n  retu", StopReason.SUFFIX_REACHED),
        (
            StopRules(64, LineMode.MULTI, rest_of_line="rn x", stop_line="y = 2"),
            "if x:\n  return x\nif y:\n  return x\ny = 2\nz",
            "if x:\n  return x\nif y:\n  retu",
            StopReason.SUFFIX_REACHED,
        ),
        (
            StopRules(64, LineMode.MULTI, rest_of_line="rn x"),
            "if x:\n    y = 1\n    return x\n\nprint(1)\n",
            "if x:\n    y = 1\n    retu",
            StopReason.SUFFIX_REACHED,
        ),
    ],
)
def test_stops(rules: StopRules, text: str, expected: str, reason: StopReason | None, n_chars: int) -> None:
    kept, why = run(rules, text, n_chars)
    assert (kept, why) == (expected, reason)


@pytest.mark.parametrize("n_chars", [1, 3, 100])
def test_a_line_left_of_the_block_is_written_on_through_where_the_middle_cannot_end_before_it(n_chars: int) -> None:
    asked: list[str] = []

    def may_end(text: str) -> bool:
        asked.append(text)
        return text.count("(") == text.count(")")

    watch = StopWatch(StopRules(64, LineMode.MULTI, min_indent=4), may_end)
    text = "f(\n    1,\n)\nmore()\n"
    verdicts = [watch.push(text[start : start + n_chars]) for start in range(0, len(text), n_chars)]
    assert next(verdict.reason for verdict in verdicts if verdict.reason) is StopReason.BLOCK_END
    assert asked[:2] == ["f(\n    1,", "f(\n    1,\n)"]


def test_the_models_own_end_in_a_later_line_says_that_the_first_was_not_it() -> None:
    watch = StopWatch(StopRules(64, LineMode.MULTI, rest_of_line="count = 0"))
    watch.push(" even_count = 0\n    odd_")
    assert watch.close(StopReason.END_OF_MIDDLE) is StopReason.END_OF_MIDDLE


def test_cut_off_later_the_first_line_that_led_into_the_rest_is_where_it_ends() -> None:
    watch = StopWatch(StopRules(64, LineMode.MULTI, rest_of_line="return x", stop_line="y = 1"))
    watch.push("1\nreturn x\nother()\nmo")
    assert (watch.close(StopReason.MAX_TOKENS), watch.n_retract_chars) == (
        StopReason.SUFFIX_REACHED,
        len("return x\nother()\nmo"),
    )


@pytest.mark.parametrize("n_chars", [1, 3, 100])
@pytest.mark.parametrize("text", ["f(\n1234,\n1234,\n1234,\n1234,\n)\n", "f(\na,\n\nb,\n\nc,\n\nd,\n\ne,\n\ng)\n"])
def test_too_much_goes_on_to_where_it_may_end(text: str, n_chars: int) -> None:
    watch = StopWatch(StopRules(64, LineMode.MULTI), lambda text: text.count("(") == text.count(")"))
    verdicts = [watch.push(text[start : start + n_chars]) for start in range(0, len(text), n_chars)]
    assert "".join(verdict.text for verdict in verdicts) == text
    assert not any(verdict.reason for verdict in verdicts)


def test_of_too_much_the_first_end_that_it_may_have_is_taken() -> None:
    watch = StopWatch(StopRules(64, LineMode.MULTI), lambda text: text.count("(") == text.count(")"))
    text = "f(\n\nb,\n\nc)\n\nd\n\ne\n"
    assert watch.push(text).reason is StopReason.BLOCK_END
    assert text[: text.index("e") - watch.n_retract_chars + 1] == "f(\n\nb,\n\nc)"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a = 1\nb = 2\nc =", "a = 1\nb = 2"),
        ("a = 1\n\nb = 2\nb =", "a = 1\n\nb = 2"),
        ("a = 1\n\nb = 2\n\nc = 3\nd =", "a = 1\n\nb = 2"),
    ],
)
def test_cut_off_whole_lines_stay_and_of_three_paragraphs_two(text: str, kept: str) -> None:
    watch = StopWatch(StopRules(64, LineMode.MULTI))
    watch.push(text)
    assert text[: watch.n_chars_of_cut()] == kept


def test_what_has_to_lead_into_code_may_have_any_number_of_paragraphs() -> None:
    watch = StopWatch(StopRules(64, LineMode.MULTI, rest_of_line="return x"))
    text = "a\n\nb\n\nc\n\nd\n\ne\nf"
    assert watch.push(text).reason is None
    assert text[: watch.n_chars_of_cut()] == "a\n\nb\n\nc\n\nd\n\ne"
