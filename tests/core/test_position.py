"""Position arithmetic against a slow reference, and LSP's clamping rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.core.position import (
    ByteOffset,
    CharColumn,
    CharIndex,
    LineIndex,
    TextIndex,
    Utf8Column,
    Utf16Column,
    split_at,
)

TEXTS = st.text(alphabet=st.sampled_from("ab \t\n\r é😀\u2028"), max_size=40)


def reference_lines(text: str) -> list[tuple[int, int]]:
    """Start and end (without line end) of each line, in code points, by walking."""
    lines, start, i = [], 0, 0
    while i < len(text):
        if text[i] == "\r" and text[i + 1 : i + 2] == "\n":
            lines.append((start, i))
            i += 2
            start = i
        elif text[i] in "\r\n":
            lines.append((start, i))
            i += 1
            start = i
        else:
            i += 1
    return [*lines, (start, len(text))]


@given(TEXTS)
def test_lines_agree_with_reference(text: str) -> None:
    index = TextIndex(text)
    lines = reference_lines(text)
    assert index.n_lines == len(lines)
    assert [index.line_text(LineIndex(i)) for i in range(index.n_lines)] == [text[a:b] for a, b in lines]


@given(TEXTS, st.data())
def test_char_and_byte_offsets_are_inverse(text: str, data: st.DataObject) -> None:
    index = TextIndex(text)
    char = CharIndex(data.draw(st.integers(0, len(text))))
    at = index.to_byte(char)
    assert at == len(text[:char].encode())
    assert index.to_char(at) == char


@given(TEXTS, st.data())
def test_byte_inside_a_character_goes_to_its_start(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    at = data.draw(st.integers(0, len(raw)))
    assert TextIndex(text).to_char(ByteOffset(at)) == len(raw[:at].decode("utf-8", "ignore"))


@given(TEXTS, st.data())
def test_columns_round_trip_in_every_unit(text: str, data: st.DataObject) -> None:
    index = TextIndex(text)
    line, (start, end) = data.draw(st.sampled_from(list(enumerate(reference_lines(text)))))
    at = index.to_byte(CharIndex(data.draw(st.integers(start, end))))
    assert index.from_utf16(*index.to_utf16(at)) == at
    assert index.from_utf8(*index.to_utf8(at)) == at
    assert index.from_chars(*index.to_chars(at)) == at
    assert index.to_chars(at)[0] == line


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("ab\r\ncd", 0, 99, 2),  # never between \r and \n
        ("ab\r\ncd", 0, 3, 2),
        ("a😀b", 0, 1, 1),
        ("a😀b", 0, 2, 1),  # inside the surrogate pair: before it
        ("a😀b", 0, 3, 5),
        ("a", 7, 0, 1),  # past the last line: the end
        ("", 0, 0, 0),
        ("a\n", 1, 0, 2),
    ],
)
def test_utf16_clamps(text: str, line: int, column: int, expected: int) -> None:
    assert TextIndex(text).from_utf16(line, Utf16Column(column)) == expected


def test_units_differ_on_emoji() -> None:
    index = TextIndex("é😀x")
    at = ByteOffset(len("é😀".encode()))
    assert index.to_utf16(at) == (0, Utf16Column(3))
    assert index.to_utf8(at) == (0, Utf8Column(6))
    assert index.to_chars(at) == (0, CharColumn(2))


@given(TEXTS, st.data())
def test_split_at_agrees_with_the_line_table(text: str, data: st.DataObject) -> None:
    at = ByteOffset(data.draw(st.integers(0, len(text.encode()) + 2)))
    char = TextIndex(text).to_char(at)
    assert split_at(text, at) == (text[:char], text[char:])
