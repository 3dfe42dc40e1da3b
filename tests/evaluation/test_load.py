"""Other programs' work: it takes the processor while it lasts, and is gone afterwards."""

from __future__ import annotations

import time

import psutil

from fimble.evaluation.load import busy_cores


def test_it_computes_and_ends_with_the_block() -> None:
    before = _children()
    with busy_cores(2) as cpu_s:
        started = _children() - before
        assert len(started) == 2
        while cpu_s() < 0.05:  # pytest-timeout ends this where nothing computes
            time.sleep(0.01)
    assert not _children() & started


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_none_is_none() -> None:
    with busy_cores(0) as cpu_s:
        assert cpu_s() == 0.0
