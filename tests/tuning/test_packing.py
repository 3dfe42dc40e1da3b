"""Packing: what each position learns, what it may see, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.tuning.prepare.dataset import About, Prepared
from fimble.tuning.training.packing import NO_TARGET, horizons, may_see, pack, training_order

ABOUT = About("m", "w", "f", 9, 0, 0, 0, 0, "hash", {})


def prepared(sequences: list[tuple[list[int], int]], stages: list[int] | None = None) -> Prepared:
    return Prepared(
        ABOUT,
        tokens=np.array([token for tokens, _ in sequences for token in tokens], dtype=np.int32),
        offsets=np.cumsum([0, *(len(tokens) for tokens, _ in sequences)]),
        n_given=np.array([n_given for _, n_given in sequences], dtype=np.int32),
        stages=np.array(stages or [0] * len(sequences), dtype=np.int8),
        held_out=np.zeros(len(sequences), dtype=np.bool_),
    )


def test_the_loss_covers_the_middle_and_the_end_marker_only() -> None:
    (row,) = pack(prepared([([1, 2, 3, 4, 9], 3), ([5, 6, 7, 9], 1)]), [0, 1], 12)
    assert row.tokens.tolist() == [1, 2, 3, 4, 9, 5, 6, 7, 9]
    assert row.positions.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert row.sequences.tolist() == [0] * 5 + [1] * 4
    no = NO_TARGET
    # Position 2 holds the prompt's last token and predicts the middle's first.
    assert row.targets.tolist() == [no, no, 4, 9, no, 6, 7, 9, no]
    assert (row.n_learned, row.n_tokens) == (5, 9)


def test_the_horizon_is_what_is_left_with_the_end_marker() -> None:
    assert horizons(4).tolist() == [1.0, 0.75, 0.5, 0.25]
    (row,) = pack(prepared([([1, 2, 3, 4, 9], 3), ([5, 6, 7, 9], 1)]), [0, 1], 9)
    assert row.horizons.tolist() == pytest.approx([0, 0, 1, 1 / 2, 0, 1, 2 / 3, 1 / 3, 0])


def test_no_position_sees_another_sequence_or_what_comes_later() -> None:
    seen = may_see(np.array([0, 0, 1, 1]))
    assert seen.astype(int).tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 1],
    ]


@given(st.lists(st.integers(2, 12), min_size=1, max_size=30), st.integers(4, 24))
def test_every_sequence_that_fits_is_there_once_and_in_order(lengths: list[int], row_tokens: int) -> None:
    data = prepared([([100 * i + k for k in range(length)], length // 2) for i, length in enumerate(lengths)])
    rows = pack(data, range(len(lengths)), row_tokens)
    found = [token for row in rows for token in row.tokens.tolist()]
    assert found == [100 * i + k for i, length in enumerate(lengths) if length <= row_tokens for k in range(length)]
    n_learned = sum(length - length // 2 for length in lengths if length <= row_tokens)
    assert sum(row.n_learned for row in rows) == n_learned
    for row in rows:
        assert row.n_tokens <= row_tokens
        assert (row.positions[1:] - row.positions[:-1] <= 1).all()


def test_a_curriculum_goes_from_easy_to_hard_and_random_does_not() -> None:
    stages = [2, 0, 1] * 20
    data = prepared([([1, 2, 9], 1)] * 60, stages)
    ordered = [stages[i] for i in training_order(data, "curriculum", 0)]
    assert ordered == sorted(stages)
    shuffled = [stages[i] for i in training_order(data, "random", 0)]
    assert shuffled != sorted(stages)
    assert sorted(training_order(data, "random", 0)) == list(range(60))
    assert training_order(data, "curriculum", 0).tolist() != training_order(data, "curriculum", 1).tolist()


def test_what_is_held_out_is_never_trained_on() -> None:
    data = prepared([([1, 2, 9], 1)] * 10)
    data.held_out[3:5] = True
    assert set(training_order(data, "curriculum", 0).tolist()) == set(range(10)) - {3, 4}
