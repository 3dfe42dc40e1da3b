"""Token healing: the cut bytes come first, whatever the vocabulary, and are never written twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.backend.decode.heal import Healer, PieceIndex
from fimble.backend.decode.sampler import candidates

PIECE = st.binary(min_size=0, max_size=4).map(lambda raw: bytes(b % 3 + 97 for b in raw))
VOCABULARY = st.lists(PIECE, max_size=30)
WANTED = PIECE.filter(bool)


@given(VOCABULARY, WANTED)
def test_the_index_agrees_with_looking_at_every_piece(pieces: list[bytes], wanted: bytes) -> None:
    found = set(PieceIndex(pieces).beginning(wanted).tolist())
    expected = {i for i, piece in enumerate(pieces) if piece and (piece.startswith(wanted) or wanted.startswith(piece))}
    assert found == expected


@given(VOCABULARY, WANTED, st.randoms(use_true_random=False))
def test_whatever_is_chosen_the_owed_bytes_come_first(pieces: list[bytes], wanted: bytes, random: object) -> None:
    pieces = [*pieces, b"a", b"b", b"c"]  # single bytes: there is always a way
    healer, written, new = Healer(wanted, PieceIndex(pieces)), b"", b""
    for _ in range(len(wanted) + 1):
        allowed = healer.allowed()
        if allowed is None:
            break
        token = random.choice(allowed.tolist())  # type: ignore[attr-defined]
        written += pieces[token]
        new += healer.take(pieces[token])
    assert written == wanted + new
    assert healer.allowed() is None


@given(VOCABULARY, WANTED, st.sets(st.integers(0, 255), min_size=1, max_size=4))
def test_what_may_follow_the_owed_bytes_narrows_the_choice(
    pieces: list[bytes], owed: bytes, following: set[int]
) -> None:
    healer = Healer(owed, PieceIndex(pieces))
    allowed = healer.allowed(sorted(following))
    assert allowed is not None
    ways = [owed + bytes((byte,)) for byte in following]
    expected = {i for i, one in enumerate(pieces) if one and any(one.startswith(w) or w.startswith(one) for w in ways)}
    assert allowed.tolist() == sorted(expected)


def test_bytes_of_ones_have_no_successor() -> None:
    assert PieceIndex([b"\xff\xff", b"a"]).beginning(b"\xff").tolist() == [0]


def test_candidates_come_by_probability_and_only_what_is_allowed() -> None:
    logits = np.array([1.0, 5.0, 3.0, 3.0], dtype=np.float32)
    assert [choice.token for choice in candidates(logits.copy())] == [1, 2, 3, 0], "the lowest id wins a tie"
    assert [choice.token for choice in candidates(logits.copy(), np.array([3, 0]))] == [3, 0]
    assert sum(np.exp(choice.logprob) for choice in candidates(logits.copy())) == pytest.approx(1.0)
    among_all = {choice.token: choice.logprob for choice in candidates(logits.copy())}
    wanted = list(candidates(logits.copy(), None, np.array([3, 0])))
    assert {choice.token: choice.logprob for choice in wanted} == {token: among_all[token] for token in (3, 0)}
