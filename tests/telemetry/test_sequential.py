"""The test may be looked at after every unit and still errs no more often than it says; an ordinary one does not."""

from __future__ import annotations

import math
import random

import pytest

from fimble.telemetry.sequential import ALPHA, Unit, evidence


def _units(rng: random.Random, n_units: int, rate_a: float, rate_b: float, alike: float) -> list[Unit]:
    """Sessions of up to 40 suggestions; each has a rate of its own around its arm's, and a slow drift besides."""
    units: list[Unit] = []
    for i in range(n_units):
        is_b = rng.random() < 0.5
        rate = (rate_b if is_b else rate_a) + 0.1 * math.sin(i / 9)
        own = rng.betavariate(rate * alike, (1 - rate) * alike)
        n = rng.randrange(1, 40)
        units.append(Unit(is_b, sum(rng.random() < own for _ in range(n)), n))
    return units


def _z_test_errs_when_peeked_at(units: list[Unit]) -> bool:
    """The test of two proportions, looked at after every unit from the tenth on."""
    for n_seen in range(10, len(units) + 1):
        arms = [[unit for unit in units[:n_seen] if unit.is_b == is_b] for is_b in (False, True)]
        (hits_a, n_a), (hits_b, n_b) = ((sum(u.n_hits for u in arm), sum(u.n for u in arm)) for arm in arms)
        pooled = (hits_a + hits_b) / max(1, n_a + n_b)
        if n_a and n_b and 0 < pooled < 1:
            z = (hits_a / n_a - hits_b / n_b) / math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
            if abs(z) > 1.96:
                return True
    return False


def test_no_difference_is_seldom_taken_for_one() -> None:
    rng = random.Random(11)
    runs = [_units(rng, 50, 0.3, 0.3, alike=6.0) for _ in range(150)]
    ours = sum(evidence(units).is_decided for units in runs) / len(runs)
    ordinary = sum(_z_test_errs_when_peeked_at(units) for units in runs) / len(runs)
    assert ours <= ALPHA
    assert ordinary > 0.5  # what peeking at completions of like-minded sessions does to an ordinary test


def test_a_clear_difference_is_found_and_named() -> None:
    rng = random.Random(12)
    found = [evidence(_units(rng, 80, 0.25, 0.5, alike=20.0)) for _ in range(25)]
    assert sum(each.is_decided for each in found) >= 23
    assert all(each.direction == 1 for each in found if each.is_decided)


def test_evidence_is_worth_one_on_average_when_arms_are_alike() -> None:
    # Over all ways the lot can fall, with outcomes as they are: exactly what makes it a martingale.
    outcomes = [(3, 10), (0, 4), (9, 12), (5, 5), (1, 20), (7, 15)]
    total = 0.0
    for lot in range(2 ** len(outcomes)):
        units = [Unit(bool(lot >> i & 1), n_hits, n) for i, (n_hits, n) in enumerate(outcomes)]
        total += evidence(units).e_value
    assert total / 2 ** len(outcomes) == pytest.approx(1.0)


def test_looking_again_changes_nothing() -> None:
    units = _units(random.Random(13), 60, 0.2, 0.6, alike=30.0)
    highest = [evidence(units[:n]).highest for n in range(len(units) + 1)]
    assert highest == sorted(highest)
    assert highest[0] == 1.0


def test_arms_are_treated_alike() -> None:
    units = _units(random.Random(14), 60, 0.2, 0.6, alike=30.0)
    swapped = [Unit(not unit.is_b, unit.n_hits, unit.n) for unit in units]
    one, other = evidence(units), evidence(swapped)
    assert one.highest == pytest.approx(other.highest)
    assert one.direction == -other.direction == 1


def test_empty_units_say_nothing() -> None:
    assert evidence([Unit(True, 0, 0)] * 5).e_value == 1.0
    assert evidence([]).direction == 0


def test_overwhelming_evidence_does_not_overflow() -> None:
    units = [Unit(i % 2 == 0, 1000 if i % 2 == 0 else 0, 1000) for i in range(4000)]
    found = evidence(units)
    assert found.is_decided
    assert math.isfinite(found.highest)
    assert 0 < found.p_bound < 1e-9
