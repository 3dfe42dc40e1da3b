"""The KV plan against a simulated cache and the best that any single choice could reuse."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fimble.backend.llama.kvplan import Held, common_prefix, plan, room_for
from fimble.core.flow import TokenId

TOKENS = st.lists(st.integers(0, 2).map(TokenId), max_size=12).map(tuple)


@given(TOKENS, TOKENS)
def test_common_prefix_agrees_with_walking(left: tuple[TokenId, ...], right: tuple[TokenId, ...]) -> None:
    n = 0
    while n < min(len(left), len(right)) and left[n] == right[n]:
        n += 1
    assert common_prefix(left, right) == n


@given(st.lists(TOKENS, min_size=1, max_size=4), TOKENS.filter(bool))
def test_reuses_the_most_that_any_sequence_offers(
    sequences: list[tuple[TokenId, ...]], wanted: tuple[TokenId, ...]
) -> None:
    held = [Held(tokens, i) for i, tokens in enumerate(sequences)]
    chosen = plan(held, wanted, n_cells=10_000, n_room=0)
    best = max(min(common_prefix(tokens, wanted), len(wanted) - 1) for tokens in sequences)
    assert chosen.n_reused == best
    source = held[chosen.target if chosen.copy_from is None else chosen.copy_from].tokens
    assert source[: chosen.n_reused] == wanted[: chosen.n_reused]
    assert chosen.drop == ()


@given(st.lists(TOKENS, min_size=1, max_size=4), TOKENS.filter(bool), st.integers(12, 40))
def test_what_stays_fits_the_cache(
    sequences: list[tuple[TokenId, ...]], wanted: tuple[TokenId, ...], n_cells: int
) -> None:
    held = [Held(tokens, i) for i, tokens in enumerate(sequences)]
    chosen = plan(held, wanted, n_cells=n_cells, n_room=0)
    assert chosen.copy_from not in chosen.drop
    assert chosen.target not in chosen.drop
    stay = sum(len(one.tokens) for i, one in enumerate(held) if i != chosen.target and i not in chosen.drop)
    assert stay + len(wanted) <= n_cells or stay == 0


def test_what_stays_fits_where_the_place_left_cannot_stay() -> None:
    def place(first: int, n_tokens: int) -> tuple[TokenId, ...]:
        return tuple(TokenId(first + i) for i in range(n_tokens))

    held = [Held(place(0, 1000), 50), Held(place(5000, 700), 1), *(Held(place(9000 + i, 1), 10 + i) for i in range(10))]
    wanted = place(0, 300) + place(20_000, 1236)
    chosen = plan(held, wanted, n_cells=2048, n_room=256)
    assert (chosen.target, chosen.copy_from, chosen.n_reused, chosen.drop) == (0, None, 300, (1,))


def test_a_jump_keeps_the_place_left() -> None:
    head = tuple(TokenId(i) for i in range(100))
    first_place = head + tuple(TokenId(i) for i in range(1000, 1600))
    held = [Held(first_place, 1), Held((), 0)]
    wanted = head + tuple(TokenId(i) for i in range(2000, 2300))
    chosen = plan(held, wanted, n_cells=8192, n_room=64)
    assert (chosen.target, chosen.copy_from, chosen.n_reused) == (1, 0, 100)


def test_typing_extends_in_place() -> None:
    held = [Held(tuple(TokenId(i) for i in range(500)), 1), Held((), 0)]
    wanted = (*(TokenId(i) for i in range(480)), TokenId(9999))
    chosen = plan(held, wanted, n_cells=8192, n_room=64)
    assert (chosen.target, chosen.copy_from, chosen.n_reused, chosen.drop) == (0, None, 480, ())


@given(st.lists(TOKENS, min_size=1, max_size=4), st.integers(1, 40), st.integers(40, 60))
def test_room_for_a_state_is_made_by_dropping_no_more_than_need_be(
    sequences: list[tuple[TokenId, ...]], n_tokens: int, n_cells: int
) -> None:
    held = [Held(tokens, i) for i, tokens in enumerate(sequences)]
    target, drop = room_for(held, n_tokens, n_cells=n_cells)
    empty = [i for i, one in enumerate(held) if not one.tokens]
    assert target == (empty or [0])[0]
    n_kept = sum(len(one.tokens) for i, one in enumerate(held) if i != target and i not in drop)
    assert n_kept + n_tokens <= n_cells
    if drop:
        assert n_kept + n_tokens + len(held[drop[-1]].tokens) > n_cells
        assert max(drop) < min((i for i, one in enumerate(held) if one.tokens and i not in (*drop, target)), default=99)
