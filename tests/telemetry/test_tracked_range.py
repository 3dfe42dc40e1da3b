"""The range of an accepted text after edits, against a slow reference that marks every character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.core.position import ByteOffset
from fimble.telemetry.alignment import TextEdit, minimal_edits, n_bytes, trimmed
from fimble.telemetry.tracked_range import TrackedRange

_PIECES = st.text(alphabet="ab\né😀", max_size=8)


class MarkedText:
    """Every character with a mark: does it belong to the accepted text? One character at a time, no ranges."""

    def __init__(self, before: str, accepted: str, after: str) -> None:
        self.chars = [(c, False) for c in before] + [(c, True) for c in accepted] + [(c, False) for c in after]

    @property
    def text(self) -> str:
        return "".join(c for c, _ in self.chars)

    @property
    def accepted(self) -> str:
        return "".join(c for c, is_ours in self.chars if is_ours)

    def edit(self, first: int, last: int, new: str) -> None:
        small = trimmed(TextEdit(ByteOffset(n_bytes(self.text[:first])), self.text[first:last], new))
        first = len(self.text.encode()[: small.start].decode())
        self._replace(first, first + len(small.old), small.new)

    def _replace(self, first: int, last: int, new: str) -> None:
        ours = [i for i, (_, is_ours) in enumerate(self.chars) if is_ours]
        if not new or first == last:
            is_inside = bool(ours) and ours[0] < first <= ours[-1]
            self.chars[first:last] = [(c, is_inside) for c in new]
            return
        covered = [is_ours for _, is_ours in self.chars[first:last]]
        if all(covered) or not any(covered):
            self.chars[first:last] = [(c, covered[0]) for c in new]
            return
        # Across an end: the smallest edits between the two texts, each character keeping its mark.
        start = n_bytes(self.text[:first])
        old = self.text[first:last]
        for part in minimal_edits(TextEdit(ByteOffset(start), old, new)):
            at = len(self.text.encode()[: part.start].decode())
            if part.old and part.new:
                for i, char in enumerate(part.new):
                    self.chars[at + i] = (char, self.chars[at + i][1])
            else:
                self._replace(at, at + len(part.old), part.new)


@given(_PIECES, _PIECES.filter(bool), _PIECES, st.data())
def test_range_equals_slow_reference(before: str, accepted: str, after: str, data: st.DataObject) -> None:
    reference = MarkedText(before, accepted, after)
    tracked = TrackedRange(ByteOffset(n_bytes(before)), accepted)
    for _ in range(data.draw(st.integers(1, 8), label="edits")):
        text = reference.text
        first = data.draw(st.integers(0, len(text)), label="first")
        last = data.draw(st.integers(first, len(text)), label="last")
        new = data.draw(_PIECES, label="new")
        reference.edit(first, last, new)
        tracked.apply(trimmed(TextEdit(ByteOffset(n_bytes(text[:first])), text[first:last], new)))
        assert tracked.text == reference.accepted
        if tracked.text:
            assert reference.text.encode()[tracked.start : tracked.end].decode() == tracked.text


@pytest.mark.parametrize(
    ("before", "accepted", "after", "first", "last", "new", "left"),
    [
        ("x = ", "foo(bar)", "\n", 0, 0, "# hi\n", "foo(bar)"),  # above
        ("x = ", "foo(bar)", "\n", 12, 12, ".baz", "foo(bar)"),  # typed right behind it
        ("x = ", "foo(bar)", "\n", 4, 4, "await ", "foo(bar)"),  # typed right before it
        ("x = ", "foo(bar)", "\n", 8, 11, "qux", "foo(qux)"),  # within
        ("x = ", "foo(bar)", "\n", 7, 12, "", "foo"),  # the end deleted
        ("x = ", "foo(bar)", "\n", 2, 8, "", "bar)"),  # the beginning deleted, and more
        ("x = ", "foo(bar)", "\n", 0, 13, "", ""),  # all deleted
        ("x = ", "foo(bar)", "\n", 0, 13, "x  =  foo( bar )\n", "foo( bar )"),  # the line formatted
        ("x = ", "foo(bar)", "\n", 0, 13, "x: int = foo(\n    bar\n)\n", "foo(\n    bar\n)"),
        ("é = ", "naïve(😀)", "\n", 6, 9, "ive", "naive(😀)"),
    ],
)
def test_what_belongs_to_it(before: str, accepted: str, after: str, first: int, last: int, new: str, left: str) -> None:
    text = before + accepted + after
    tracked = TrackedRange(ByteOffset(n_bytes(before)), accepted)
    tracked.apply(trimmed(TextEdit(ByteOffset(n_bytes(text[:first])), text[first:last], new)))
    assert tracked.text == left


def test_once_empty_it_stays_empty() -> None:
    tracked = TrackedRange(ByteOffset(4), "foo")
    tracked.apply(TextEdit(ByteOffset(2), "xxfooyy", ""))
    tracked.apply(TextEdit(ByteOffset(2), "", "foo"))
    assert tracked.text == ""


def test_an_edit_that_cuts_a_character_in_two_does_not_raise() -> None:
    tracked = TrackedRange(ByteOffset(0), "a😀b")
    tracked.apply(TextEdit(ByteOffset(2), "x", ""))  # a client out of step with its own text
    assert tracked.text.startswith("a")
    assert tracked.text.endswith("b")


@given(
    st.integers(0, 8),
    st.text("aé漢😀", min_size=1, max_size=4),
    st.integers(0, 8),
    st.text("aé漢😀", max_size=4),
    st.text("aé漢😀", max_size=4),
)
def test_no_edit_is_followed_for_ever(at: int, text: str, start: int, old: str, new: str) -> None:
    followed = TrackedRange(ByteOffset(at), text)
    followed.apply(TextEdit(ByteOffset(start), old, new))
    assert followed.end - followed.start == n_bytes(followed.text) or "\ufffd" in followed.text
