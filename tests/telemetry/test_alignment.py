"""Edits told as small as they can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.core.position import ByteOffset
from fimble.telemetry.alignment import TextEdit, minimal_edits, n_bytes, n_common_head, trimmed

_TEXTS = st.text(alphabet="ab\né😀", max_size=24)


def _apply(text: str, edit: TextEdit) -> str:
    raw = text.encode()
    assert raw[edit.start : edit.end].decode() == edit.old
    return (raw[: edit.start] + edit.new.encode() + raw[edit.end :]).decode()


@given(_TEXTS, _TEXTS)
def test_common_head_is_the_longest(a: str, b: str) -> None:
    n = n_common_head(a, b)
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


@given(_TEXTS, _TEXTS, _TEXTS)
def test_trimming_changes_nothing_but_the_telling(before: str, old: str, new: str) -> None:
    text = before + old + before
    edit = TextEdit(ByteOffset(n_bytes(before)), old, new)
    small = trimmed(edit)
    assert _apply(text, small) == _apply(text, edit)
    if small.old and small.new:
        assert small.old[0] != small.new[0]
        assert small.old[-1] != small.new[-1]


@given(_TEXTS, _TEXTS, _TEXTS)
def test_parts_last_one_first_make_the_whole(before: str, old: str, new: str) -> None:
    edit = TextEdit(ByteOffset(n_bytes(before)), old, new)
    text = before + old
    for part in minimal_edits(edit):
        assert not part.old or not part.new or len(part.old) == len(part.new)
        text = _apply(text, part)
    assert text == before + new


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("x = foo( bar )\n", "x = foo(bar)\n", [(12, " ", ""), (8, " ", "")]),
        ("same", "same", []),
        ("", "new", [(0, "", "new")]),
        ("a\nb\nc\n", "a\nB\nc\n", [(2, "b", "B")]),
    ],
)
def test_small_parts(old: str, new: str, parts: list[tuple[int, str, str]]) -> None:
    found = minimal_edits(TextEdit(ByteOffset(0), old, new))
    assert [(part.start, part.old, part.new) for part in found] == parts


def test_large_texts_are_compared_by_lines() -> None:
    lines = [f"line {i} of a long file\n" for i in range(1500)]
    changed = ["# put on top\n", *lines[:700], *lines[800:1400], "line 1400 of a LONG file\n", *lines[1401:], "end\n"]
    parts = minimal_edits(TextEdit(ByteOffset(0), "".join(lines), "".join(changed)))
    assert sum(len(part.new) for part in parts) < 100
    assert sum(len(part.old) for part in parts) < 100 * 30
    text = "".join(lines)
    for part in parts:
        text = _apply(text, part)
    assert text == "".join(changed)


def test_one_endless_line_against_another_stays_one_edit() -> None:
    edit = TextEdit(ByteOffset(0), "a" + "x" * 3000 + "b", "c" + "y" * 3000 + "d")
    assert minimal_edits(edit) == (edit,)
