"""Circles of tokens: found when they are long enough, wherever they begin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fimble.backend.decode.loops import n_before_circle
from fimble.core.flow import TokenId


def tokens(*ids: int) -> list[TokenId]:
    return [TokenId(one) for one in ids]


@given(
    head=st.lists(st.integers(100, 200), max_size=20),
    round_=st.lists(st.integers(0, 99), min_size=1, max_size=24, unique=True),
)
def test_a_circle_is_left_after_its_first_round(head: list[int], round_: list[int]) -> None:
    n_copies = max(3, -(-32 // len(round_)))
    assert n_before_circle(tokens(*head, *round_ * n_copies)) == len(head) + len(round_)
    # Wherever in its round it stands.
    assert n_before_circle(tokens(*head, *round_ * n_copies, round_[0])) == len(head) + len(round_)


@given(st.lists(st.integers(0, 3), max_size=31))
def test_a_short_text_is_no_circle(ids: list[int]) -> None:
    assert n_before_circle(tokens(*ids)) is None


def test_a_table_of_zeros_is_no_circle() -> None:
    assert n_before_circle(tokens(7, *[1, 0] * 12, 8)) is None
    assert n_before_circle(tokens(*range(500))) is None
