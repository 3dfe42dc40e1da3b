"""Intervals and tests against values worked out elsewhere, and by their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.evaluation.statistics import mean, median, paired, percentile, rate, sign_test


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # Newcombe 1998, table I, Wilson without continuity correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson(hits: int, n: int, low: float, high: float) -> None:
    estimate = rate([True] * hits + [False] * (n - hits))
    assert estimate is not None
    assert estimate.value == pytest.approx(hits / n)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)
    assert estimate.n == n


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_a_rate_lies_in_its_interval(hits: list[bool]) -> None:
    estimate = rate(hits)
    assert estimate is not None
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_nothing_has_no_estimate() -> None:
    assert rate([]) is mean([]) is median([]) is None
    assert percentile([], 0.5) is None
    assert paired([], []) is None


def test_bootstrap_is_seeded_and_about_right() -> None:
    values = list(np.random.default_rng(0).normal(10, 2, size=400))
    estimate = mean(values)
    assert estimate == mean(values)
    assert estimate is not None
    # The interval of a mean of 400 values with deviation 2: 1.96 * 2 / 20 to each side.
    assert estimate.high - estimate.low == pytest.approx(2 * 0.196, rel=0.15)
    middle = median(values)
    assert middle is not None
    assert middle.low <= middle.value <= middle.high


def test_percentile_is_nearest_rank_and_knows_never() -> None:
    assert percentile([3, 1, 2, 4], 0.5) == 2
    assert percentile([3, 1, 2, 4], 0.9) == 4
    assert percentile([1, 2, math.inf, math.inf], 0.5) == 2
    assert percentile([1, 2, math.inf, math.inf], 0.9) == math.inf


@pytest.mark.parametrize(("better", "worse", "p"), [(0, 0, 1.0), (5, 0, 0.0625), (8, 1, 0.0390625), (4, 4, 1.0)])
def test_sign_test(better: int, worse: int, p: float) -> None:
    assert sign_test(better, worse) == pytest.approx(p)
    assert sign_test(worse, better) == pytest.approx(p)


def test_paired_runs() -> None:
    made = paired([1, 1, 1, 0, 1], [0, 1, 0, 1, 0])
    assert made is not None
    assert (made.n_better, made.n_worse) == (3, 1)
    assert made.difference.value == pytest.approx(0.4)
    assert made.p_value == pytest.approx(0.625)
    same = paired([0.5] * 10, [0.5] * 10)
    assert same is not None
    assert (same.difference.low, same.difference.high, same.p_value) == (0, 0, 1)
    with pytest.raises(ValueError, match="same records"):
        paired([1], [1, 2])
