"""Traces: read, checked to lead where they say, played; and what accepting a suggestion would have spared."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from fimble.core.errors import InputError
from fimble.evaluation.acceptance import Acceptance, acceptance
from fimble.evaluation.traces import Keystroke, Trace, moments, read_traces


def key(t_ms: float, line: int, character: int, insert: str = "", delete: int = 0, kind: str = "type") -> Keystroke:
    return Keystroke(t_ms, line, character, delete, insert, kind)


def typed(text: str, *keys: Keystroke) -> Trace:
    return Trace("t", "python", "a.py", text, keys)


def trace_line(**changes: object) -> dict[str, object]:
    final = "ab\n"
    return {
        "id": "t",
        "language": "python",
        "path": "a.py",
        "initial_text": "a\n",
        "events": [{"t_ms": 5, "line": 0, "character": 1, "delete_chars": 0, "insert_text": "b", "kind": "type"}],
        "final_sha256": hashlib.sha256(final.encode()).hexdigest(),
        **changes,
    }


def write(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_a_trace_is_read_and_played(tmp_path: Path) -> None:
    (trace,) = read_traces(write(tmp_path / "t.jsonl", trace_line()))
    (moment,) = moments(trace)
    assert (moment.text, moment.at, moment.cursor, moment.gap_ms) == ("ab\n", 1, 2, float("inf"))


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"final_sha256": "0" * 64}, "final_sha256", "not the checksum of the text"),
        ({"initial_text": None}, "initial_text", "must be text"),
        ({"events": []}, "events", "must be a list of keystrokes"),
        ({"events": [{"t_ms": 1}]}, "events[0]", "needs t_ms"),
        ({"events": "x"}, "events", "must be a list"),
        ({"path": "../x"}, "path", "not a path inside"),
        (
            {
                "events": [
                    {"t_ms": t_ms, "line": 0, "character": 0, "delete_chars": 0, "insert_text": "", "kind": "move"}
                    for t_ms in (5, 4)
                ]
            },
            "events[1].t_ms",
            "goes back in time",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_line(
    tmp_path: Path, changes: dict[str, object], field: str, reason: str
) -> None:
    path = write(tmp_path / "t.jsonl", trace_line(), trace_line(**changes))
    with pytest.raises(InputError, match="line 2") as caught:
        read_traces(path)
    assert f"field '{field}'" in caught.value.message
    assert reason in caught.value.message


def test_columns_are_utf16_and_deletions_count_characters() -> None:
    trace = typed("x = '😀é'\n", key(0, 0, 7, "!"), key(1, 0, 5, "", 1, "backspace"))
    texts = [moment.text for moment in moments(trace)]
    assert texts == ["x = '😀!é'\n", "x = '!é'\n"]


def test_the_cursor_stays_inside_a_pair_that_the_editor_closed() -> None:
    trace = typed("f\n", key(0, 0, 1, "()", kind="pair"), key(9, 0, 2, ")", 1, "overtype"), key(20, 0, 0, kind="move"))
    pair, overtype, move = moments(trace)
    assert (pair.text, pair.cursor, pair.gap_ms) == ("f()\n", 2, 9)
    assert (overtype.text, overtype.cursor) == ("f()\n", 3)
    assert (move.cursor, move.keystroke.is_edit) == (0, False)


def test_every_trace_of_the_set_leads_where_it_says(data: Path) -> None:
    assert len(read_traces(data / "traces.jsonl.gz")) >= 20


HELLO = typed("", *(key(n * 100, 0, n, char) for n, char in enumerate("hello world")))


@pytest.mark.parametrize(
    ("trace", "shown_at", "suggestion", "expected"),
    [
        (HELLO, 1, "llo", Acceptance(3, 4)),
        (HELLO, 1, "llo there", None),  # its first line is never typed
        (HELLO, 1, "llo\nthere", Acceptance(3, 4)),  # its first line is
        (HELLO, 1, "", None),
        (HELLO, 1, "\n", None),
        (HELLO, 10, "x", None),
        (typed("", *(key(n, 0, n, char) for n, char in enumerate("abxc"))), 0, "bc", None),
        (
            # A typo and its correction between do not matter.
            typed("", key(0, 0, 0, "a"), key(1, 0, 1, "x"), key(2, 0, 1, "", 1, "backspace"), key(3, 0, 1, "b")),
            0,
            "b",
            Acceptance(1, 3),
        ),
        (
            # All lines typed: all of it counts.
            typed("", key(0, 0, 0, "a"), key(1, 0, 1, "b"), key(2, 0, 2, "\n", kind="newline"), key(3, 1, 0, "c")),
            0,
            "b\nc",
            Acceptance(3, 3),
        ),
        (
            # A bracket closed by the editor, then typed over: as one text.
            typed(
                "",
                key(0, 0, 0, "f"),
                key(1, 0, 1, "()", kind="pair"),
                key(2, 0, 2, "1"),
                key(3, 0, 3, ")", 1, "overtype"),
            ),
            0,
            "(1)",
            Acceptance(3, 2),
        ),
        (
            # A suggestion in the place of that bracket, which goes on behind it.
            typed(
                "",
                key(0, 0, 0, "f"),
                key(1, 0, 1, "()", kind="pair"),
                key(2, 0, 2, "1"),
                key(3, 0, 3, ")", 1, "overtype"),
                key(4, 0, 4, ":"),
            ),
            1,
            "1):",
            Acceptance(3, 4),
        ),
        (
            # Typing elsewhere first ends the chance.
            typed("ab\nc\n", key(0, 1, 1, "d"), key(1, 0, 0, "x"), key(2, 1, 2, "e")),
            0,
            "e",
            None,
        ),
        (
            # Looking around does not.
            typed("c\n", key(0, 0, 1, "d"), key(1, 0, 0, kind="move"), key(2, 0, 2, "e")),
            0,
            "e",
            Acceptance(1, 2),
        ),
    ],
)
def test_acceptance(trace: Trace, shown_at: int, suggestion: str, expected: Acceptance | None) -> None:
    assert acceptance(moments(trace), shown_at, suggestion) == expected
