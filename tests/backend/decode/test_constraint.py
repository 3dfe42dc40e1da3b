"""Judging pieces as they come, and late where there was no time. `$0` marks the cursor; the test holds the clock."""

from __future__ import annotations

from fimble.backend.decode.constraint import LeftConstraint, Refusal
from fimble.core.flow import Constraint
from fimble.syntax.parse import TreeCache


class Clock:
    """Goes on by `step_ms` with every look."""

    def __init__(self, step_ms: float) -> None:
        self.now_ms = 0.0
        self.step_ms = step_ms

    def __call__(self) -> float:
        self.now_ms += self.step_ms
        return self.now_ms


def started(source: str, language: str = "python", share: float = 1.0, clock: Clock | None = None) -> LeftConstraint:
    prefix, suffix = source.split("$0")
    made = LeftConstraint(Constraint(language, prefix, suffix, share), TreeCache(), clock_ms=clock or Clock(0.0))
    made.start()
    return made


def test_a_wrong_piece_is_refused_and_another_one_taken() -> None:
    constraint = started("x = foo($0\n")
    assert constraint.push(b"a") is None
    assert constraint.push(b" ]") == Refusal(0, b" ]")
    assert constraint.push(b")") is None
    assert (constraint.n_checked, constraint.n_rejected) == (3, 1)


def test_without_time_pieces_are_taken_and_the_wrong_one_is_found_later() -> None:
    clock = Clock(0.0)
    constraint = started("x = foo($0\n", share=0.5, clock=clock)
    constraint.spent_ms = 1_000.0
    clock.now_ms = 10.0
    for piece in (b"a", b" ]", b" + ", b"b"):
        assert constraint.push(piece) is None
    assert constraint.n_checked == 0
    clock.now_ms = 10_000.0
    assert constraint.push(b"\n") == Refusal(3, b" ]")
    constraint.take_back(3)
    assert constraint.push(b",") is None
    assert constraint.push(b" ]") == Refusal(0, b" ]")


def test_what_was_taken_back_may_be_followed_by_something_else() -> None:
    constraint = started("x = $0\n")
    for piece in (b"foo", b"(", b"1"):
        assert constraint.push(piece) is None
    constraint.take_back(2)
    assert constraint.push(b")") == Refusal(0, b")")
    assert constraint.push(b" + 1") is None


def test_judging_costs_no_more_than_its_share() -> None:
    clock = Clock(1.0)
    constraint = started("x = $0\n", share=0.05, clock=clock)
    began_ms = clock.now_ms
    for i in range(200):
        clock.now_ms += 10.0
        assert constraint.push(b" + a" if i else b"a") is None
    assert 0 < constraint.n_checked < 200
    one_check_ms = 2.0
    assert constraint.spent_ms <= 0.05 * (clock.now_ms - began_ms) + one_check_ms


def test_off_means_that_nothing_is_looked_at() -> None:
    for constraint in (started("x = foo($0\n", share=0.0), started("x = foo($0\n", "cobol")):
        assert not constraint.is_on
        assert constraint.push(b" ] ]") is None
        assert (constraint.n_checked, constraint.n_rejected) == (0, 0)


def test_a_file_broken_before_the_cursor_and_a_huge_one_are_left_alone() -> None:
    assert not started("def f(:\n  )]$0\n").is_on
    assert not started("x = 1\n" * 80_000 + "y = $0\n").is_on
