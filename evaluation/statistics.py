"""Intervals and tests: how sure a number is, and whether two runs differ. Knows nothing of code or models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float64]

_Z_95 = 1.959963984540054
_N_RESAMPLES = 4000
_SEED = 20261121


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95% interval from n observations."""

    value: float
    low: float
    high: float
    n: int


def rate(hits: Sequence[bool]) -> Estimate | None:
    """Share of True with Wilson's score interval (Wilson 1927), which stays inside 0 to 1 and holds for small n."""
    n = len(hits)
    if n == 0:
        return None
    n_hits = sum(hits)
    share = n_hits / n
    spread = _Z_95**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z_95 * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # The ends are exact where all or none hit; rounding would put them a hair inside.
    return Estimate(share, centre - half if n_hits else 0.0, centre + half if n_hits < n else 1.0, n)


def mean(values: Sequence[float]) -> Estimate | None:
    """Mean with a percentile bootstrap interval (Efron 1979), seeded, so that a report is reproducible."""
    if not values:
        return None
    return _bootstrap(np.asarray(values, dtype=np.float64), lambda sample: sample.mean(axis=1))


def median(values: Sequence[float]) -> Estimate | None:
    """Median with a percentile bootstrap interval."""
    if not values:
        return None
    return _bootstrap(np.asarray(values, dtype=np.float64), lambda sample: np.median(sample, axis=1))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of the values do not exceed (nearest rank); None for no values.

    Nearest rank, not interpolation, so that a value which stands for 'never' (infinity) is handled right.
    """
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """new minus old over the same records.

    `p_value`: two-sided exact McNemar test for rates, sign test for means; both are the binomial test on the records
    that differ. `n_better` and `n_worse` count those.
    """

    difference: Estimate
    n_better: int
    n_worse: int
    p_value: float


def paired(new: Sequence[float], old: Sequence[float]) -> PairedDifference | None:
    """Difference of two runs over the same records, in the same order, with a paired bootstrap interval."""
    if len(new) != len(old):
        raise ValueError(f"paired runs need the same records: {len(new)} and {len(old)}")
    if not new:
        return None
    differences = np.asarray(new, dtype=np.float64) - np.asarray(old, dtype=np.float64)
    n_better = int((differences > 0).sum())
    n_worse = int((differences < 0).sum())
    estimate = _bootstrap(differences, lambda sample: sample.mean(axis=1))
    return PairedDifference(estimate, n_better, n_worse, sign_test(n_better, n_worse))


def sign_test(n_better: int, n_worse: int) -> float:
    """Two-sided exact binomial p-value of `n_better` against `n_worse` under equal chances (McNemar 1947, exact)."""
    n = n_better + n_worse
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(n_better, n_worse) + 1))
    return min(1.0, 2 * tail / 2**n)


def _bootstrap(values: _Array, statistic: Callable[[_Array], _Array]) -> Estimate:
    generator = np.random.default_rng(_SEED)
    n = len(values)
    # Resampling in blocks keeps the index matrix small for sets of thousands.
    n_block = max(1, min(_N_RESAMPLES, 2_000_000 // n))
    resampled: list[_Array] = []
    while sum(len(block) for block in resampled) < _N_RESAMPLES:
        resampled.append(statistic(values[generator.integers(0, n, size=(n_block, n))]))
    low, high = np.percentile(np.concatenate(resampled), [2.5, 97.5])
    return Estimate(float(statistic(values[None, :])[0]), float(low), float(high), n)
