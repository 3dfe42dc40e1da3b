"""EditableText against a slow reference: a plain str and core's TextIndex."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.core.position import ByteOffset, CharColumn, TextIndex, Utf8Column, Utf16Column
from fimble.lsp_server.text import EditableText, Encoding, Place

# What line and column counts get wrong: line ends of LSP, those of str.splitlines only, wide characters.
_CHARS = st.sampled_from(list("ab \t\r\n\x0b\x0c\x1c\x85\u2028é日😀\ud83d"))
_TEXTS = st.one_of(
    st.text(_CHARS, max_size=30), st.lists(st.sampled_from(["\r\n", "x", "😀", "\n", "\r"])).map("".join)
)
_PLACES = st.builds(Place, st.integers(0, 8), st.integers(0, 8))
_ENCODINGS = st.sampled_from(list(Encoding))


def _reference_offset(text: str, place: Place, encoding: Encoding) -> ByteOffset:
    index = TextIndex(text)
    match encoding:
        case Encoding.UTF8:
            return index.from_utf8(place.line, Utf8Column(place.column))
        case Encoding.UTF16:
            return index.from_utf16(place.line, Utf16Column(place.column))
        case Encoding.UTF32:
            return index.from_chars(place.line, CharColumn(place.column))


def _reference_edit(text: str, start: Place, end: Place, new: str, encoding: Encoding) -> str:
    index = TextIndex(text)
    first, last = sorted(index.to_char(_reference_offset(text, place, encoding)) for place in (start, end))
    return text[:first] + new + text[last:]


@given(_TEXTS, st.lists(st.tuples(_PLACES, _PLACES, _TEXTS), max_size=12), _ENCODINGS)
def test_edits_give_the_same_text_as_editing_a_str(
    text: str, edits: list[tuple[Place, Place, str]], encoding: Encoding
) -> None:
    editable = EditableText(text, encoding)
    for start, end, new in edits:
        before, text = text, _reference_edit(text, start, end, new, encoding)
        replaced = editable.edit(start, end, new)
        assert editable.text == text
        raw = before.encode("utf-8", "surrogatepass")
        old = replaced.old.encode("utf-8", "surrogatepass")
        end = replaced.start + len(old)
        assert raw[replaced.start : end] == old
        assert raw[: replaced.start] + new.encode("utf-8", "surrogatepass") + raw[end:] == text.encode(
            "utf-8", "surrogatepass"
        )
        assert editable.n_lines == TextIndex(text).n_lines


@given(_TEXTS, st.lists(st.tuples(_PLACES, _PLACES, _TEXTS), max_size=3), _PLACES, _ENCODINGS)
def test_places_are_the_same_bytes_as_in_an_index_of_the_whole_text(
    text: str, edits: list[tuple[Place, Place, str]], place: Place, encoding: Encoding
) -> None:
    editable = EditableText(text, encoding)
    for start, end, new in edits:
        editable.edit(start, end, new)
    line = editable.line_at(place)
    assert line.offset(place) == _reference_offset(editable.text, place, encoding)


@given(_TEXTS, _PLACES, _ENCODINGS)
def test_a_byte_of_the_line_goes_to_the_client_and_back(text: str, place: Place, encoding: Encoding) -> None:
    line = EditableText(text, encoding).line_at(place)
    offset = line.offset(place)
    assert line.offset(line.place(offset)) == offset


@pytest.mark.parametrize(
    ("encoding", "column"),
    [(Encoding.UTF8, 13), (Encoding.UTF16, 9), (Encoding.UTF32, 8)],
    ids=lambda value: str(value),
)
def test_columns_count_what_the_encoding_says(encoding: Encoding, column: int) -> None:
    text = "first\r\ns = '😀é'  # x\r\n"
    line = EditableText(text, encoding).line_at(Place(1, column))
    before = text.encode()[: line.offset(Place(1, column))].decode()
    assert before.endswith("'😀é'") or before.endswith("'😀é' "), before
    assert line.place(line.offset(Place(1, column))) == Place(1, column)


def test_bytes_outside_the_line_go_to_its_ends() -> None:
    line = EditableText("ab\r\ncd\r\nef", Encoding.UTF16).line_at(Place(1, 1))
    assert line.place(ByteOffset(0)) == Place(1, 0)
    assert line.place(ByteOffset(10)) == Place(1, 2)


def test_replacing_everything() -> None:
    editable = EditableText("a\nb", Encoding.UTF16)
    editable.replace_all("c\r\nd\r\n")
    editable.edit(Place(1, 0), Place(1, 1), "e")
    assert editable.text == "c\r\ne\r\n"
