"""How sure a share or a mean is: 95 % intervals. Each completion counts as independent of the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

# The standard normal's 97.5 % point.
_Z: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval, and how many observations it rests on."""

    value: float
    low: float
    high: float
    n: int


def share(n_hits: int, n: int) -> Estimate | None:
    """A proportion with Wilson's interval (Wilson 1927, JASA 22:209-212); None without observations."""
    if n == 0:
        return None
    p = n_hits / n
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half), n)


def mean(total: float, total_of_squares: float, n: int) -> Estimate | None:
    """A mean of values in [0, 1] with the normal interval; the widest possible for a single one, None for none."""
    if n == 0:
        return None
    value = total / n
    if n == 1:
        return Estimate(value, 0.0, 1.0, 1)
    variance = max(0.0, (total_of_squares - n * value**2) / (n - 1))
    half = _Z * math.sqrt(variance / n)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n)


def percentile(sorted_values: list[float], q: float) -> float | None:
    """The smallest value that at least the share `q` of all do not exceed; None without values."""
    if not sorted_values:
        return None
    return sorted_values[max(0, math.ceil(q * len(sorted_values)) - 1)]
