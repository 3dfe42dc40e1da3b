"""A test of "the two arms do not differ" that holds however often one looks, and says by how much it holds.

Arms are drawn by lot for whole units (sessions or days), so under "no difference" a unit's outcome tells nothing about
its arm, whatever else makes units unlike each other: habit, task, time of day, dependence of completions within one.
Bets on each unit's arm, given its outcome and what came before, then win nothing on average: their product is a test
martingale (an e-process), and by Ville's inequality exceeds 1 / alpha at any time with probability alpha at most.

Grünwald, Henzi, Lardy, "Anytime-valid tests of conditional independence under model-X", JASA 119 (2024), 1554-1565
(arXiv 2209.12637). Why peeking at ordinary tests misleads: Johari, Koomen, Pekelis, Walsh, "Always valid inference",
Operations Research 70 (2022), 1806-1821 (arXiv 1512.04922).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ALPHA: Final = 0.05

# What is bet on: differences in log odds, and how alike units of one arm are (parameter of a beta distribution). Wrong
# guesses cost power, never validity. 0.2 is about 5 points at a rate of 1/3, 1.6 about 37.
_EFFECTS: Final = tuple(sign * size for size in (0.1, 0.2, 0.4, 0.8, 1.6) for sign in (1.0, -1.0))
_CONCENTRATIONS: Final = (4.0, 16.0, 64.0, 1024.0)
# More evidence than this need not be told apart.
_MAX_LOG: Final = 600.0


@dataclass(frozen=True, slots=True)
class Unit:
    """One finished session or day: of `n` suggestions shown, `n_hits` were accepted. `is_b`: its arm."""

    is_b: bool
    n_hits: int
    n: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """`e_value` so far, its highest since the beginning, and the arm it speaks for (+1 b, -1 a, 0 neither)."""

    e_value: float
    highest: float
    direction: int

    @property
    def p_bound(self) -> float:
        """At most this share of experiments without any difference would ever show as much."""
        return min(1.0, 1.0 / self.highest)

    @property
    def is_decided(self) -> bool:
        """Whether "no difference" is rejected at ALPHA; once true it stays true."""
        return self.highest >= 1.0 / ALPHA


def evidence(units: Sequence[Unit]) -> Evidence:
    """Weigh the units in the order in which they finished."""
    bets = [(effect, concentration) for effect in _EFFECTS for concentration in _CONCENTRATIONS]
    log_wealth = [0.0] * len(bets)
    n_hits, n = 0, 0
    highest = 1.0
    for unit in units:
        # The rate to expect: of all earlier units, both arms together; beginning at 1/3.
        rate = (n_hits + 1.0) / (n + 3.0)
        for i, (effect, concentration) in enumerate(bets):
            log_wealth[i] += _log_bet(unit, rate, effect, concentration)
        highest = max(highest, _mean_exp(log_wealth))
        n_hits, n = n_hits + unit.n_hits, n + unit.n
    for_b = _mean_exp([log for log, (effect, _) in zip(log_wealth, bets, strict=True) if effect > 0])
    for_a = _mean_exp([log for log, (effect, _) in zip(log_wealth, bets, strict=True) if effect < 0])
    direction = (for_b > for_a) - (for_b < for_a)
    return Evidence(_mean_exp(log_wealth), highest, direction)


def _log_bet(unit: Unit, rate: float, effect: float, concentration: float) -> float:
    """The log of 2 x the probability given to the unit's true arm, were b better by `effect`."""
    if unit.n == 0:
        return 0.0
    middle = math.log(rate / (1.0 - rate))
    log_a = _log_beta_binomial(unit, _sigmoid(middle - effect / 2), concentration)
    log_b = _log_beta_binomial(unit, _sigmoid(middle + effect / 2), concentration)
    log_odds_of_truth = log_b - log_a if unit.is_b else log_a - log_b
    # log(2 sigmoid(x)), without overflow.
    return math.log(2.0) - math.log1p(math.exp(-abs(log_odds_of_truth))) + min(0.0, log_odds_of_truth)


def _log_beta_binomial(unit: Unit, rate: float, concentration: float) -> float:
    """Log probability of the outcome, less what does not depend on the rate."""
    hits, misses = rate * concentration, (1.0 - rate) * concentration
    return (
        math.lgamma(hits + unit.n_hits)
        - math.lgamma(hits)
        + math.lgamma(misses + unit.n - unit.n_hits)
        - math.lgamma(misses)
    )


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def _mean_exp(logs: Sequence[float]) -> float:
    most = min(max(logs), _MAX_LOG)
    return math.exp(most) * sum(math.exp(min(0.0, log - most)) for log in logs) / len(logs)
