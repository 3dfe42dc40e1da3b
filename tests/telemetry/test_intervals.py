"""Intervals against worked examples and against what they promise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.telemetry.intervals import mean, percentile, share


@pytest.mark.parametrize(
    ("n_hits", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3 (score without continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(n_hits: int, n: int, low: float, high: float) -> None:
    found = share(n_hits, n)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_nothing_observed() -> None:
    assert share(0, 0) is None
    assert mean(0.0, 0.0, 0) is None
    assert percentile([], 0.5) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_mean_lies_in_its_interval(values: list[float]) -> None:
    found = mean(sum(values), sum(v * v for v in values), len(values))
    assert found is not None
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    if len(values) == 1:
        assert (found.low, found.high) == (0.0, 1.0)


def test_the_interval_of_the_mean_holds_as_often_as_it_says() -> None:
    rng = random.Random(3)
    n_held = 0
    for _ in range(2000):
        values = [rng.random() for _ in range(40)]
        found = mean(sum(values), sum(v * v for v in values), len(values))
        assert found is not None
        n_held += found.low <= 0.5 <= found.high
    assert 0.93 < n_held / 2000 < 0.97


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=60), st.floats(0.01, 1))
def test_percentile_is_the_smallest_that_covers_enough(values: list[float], q: float) -> None:
    values.sort()
    found = percentile(values, q)
    assert found is not None
    assert sum(value <= found for value in values) >= q * len(values) - 1e-9
    assert sum(value < found for value in values) < q * len(values) + 1e-9
