"""The name at the cursor: known ones are preferred, and nothing is forced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.backend.decode.heal import PieceIndex
from fimble.backend.decode.names import KnownNames, leads

PIECES = [b"get", b"getJ", b"Job", b"(", b"list", b".get", b".", b"getJob(", b"getJobs", b"set"]
PIECE = st.text("ab_(", max_size=4).map(str.encode)


def chosen(
    names: list[str], written: bytes = b"", owed: bytes = b"", allowed: list[int] | None = None, **likely: float
) -> list[bytes] | None:
    """What is left to choose from when the pieces are as likely as said, all others much less."""
    logits = np.full(len(PIECES), -100.0, dtype=np.float32)
    for piece, log in likely.items():
        logits[PIECES.index(piece.replace("DOT", ".").replace("CALL", "(").encode())] = log
    among = None if allowed is None else np.array(allowed)
    found = KnownNames(names, PieceIndex(PIECES)).narrow(logits, among, written, owed)
    return None if found is None else sorted(PIECES[token] for token in found.tolist())


def test_a_name_that_is_known_is_preferred_to_a_likelier_one_that_is_not() -> None:
    assert chosen(["getJob"], list=0.0, get=-3.0) == [b"get", b"getJ", b"getJob("]


def test_a_known_name_that_the_model_finds_impossible_is_not_forced() -> None:
    assert chosen(["getJob"], list=0.0, get=-9.0) is None


def test_where_the_model_knows_it_is_left_alone() -> None:
    assert chosen(["getJob"], get=0.0, list=-1.0) is None


def test_a_name_may_not_end_before_it_is_whole() -> None:
    assert chosen(["getJob"], b"get", CALL=0.0, Job=-2.0) == [b"Job"]
    assert chosen(["get", "getJob"], b"get", CALL=0.0, Job=-2.0) is None


def test_a_name_may_not_go_on_beyond_a_known_one() -> None:
    assert chosen(["getJob", "list"], getJobs=0.0, list=-1.0) == [b"get", b"getJ", b"getJob(", b"list"]


def test_behind_the_name_nothing_is_narrowed() -> None:
    assert chosen(["getJob"], b"getJob(", list=0.0, get=-1.0) is None


def test_the_bytes_that_healing_owes_come_before_the_name() -> None:
    assert chosen(["getJob"], b"", b".", allowed=[5, 6], DOT=0.0, **{"DOTget": -1.0}) is None
    assert chosen(["list"], b"", b".", allowed=[5, 6], **{"DOTget": 0.0, "DOT": -1.0}) == [b"."]


def test_without_names_nothing_is_known() -> None:
    assert chosen([], list=0.0) is None


@pytest.mark.parametrize(
    ("new", "rests", "is_known"),
    [
        (b"a", [b"ab"], True),
        (b"a(", [b"ab"], False),
        (b"ab(c", [b"ab"], True),
        (b"abc", [b"ab"], False),
        (b"(", [b""], True),
    ],
)
def test_what_leads_to_a_known_name(new: bytes, rests: list[bytes], is_known: bool) -> None:
    assert leads(new, rests) is is_known


@given(st.lists(PIECE, max_size=20), st.lists(PIECE.filter(lambda name: name and b"(" not in name), max_size=4))
def test_the_index_finds_just_the_tokens_that_lead_to_a_name(pieces: list[bytes], names: list[bytes]) -> None:
    found = PieceIndex(pieces).naming(names).tolist()
    assert found == [i for i, piece in enumerate(pieces) if piece and leads(piece, names)]
