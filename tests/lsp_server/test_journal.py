"""What is told of items, once each, and nothing of the code in them."""

from __future__ import annotations

from typing import Any

import pytest

from fimble.core.flow import Event, EventKind, RequestId
from fimble.engine.clock import SystemClock
from fimble.lsp_server.journal import ItemId, Journal

ITEM = ItemId(RequestId("r1"))


class _Sink:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def sink() -> Any:
    return _Sink()


@pytest.fixture
def journal(sink: Any) -> Journal:
    journal = Journal(sink, SystemClock())
    journal.offer(RequestId("r1"), "python", ["secret😀\nx", "other"])
    return journal


def test_each_step_is_told_once(journal: Journal, sink: Any) -> None:
    for _ in range(2):
        assert journal.shown(ITEM)
        assert journal.accepted(ITEM)
        assert journal.dismissed(ITEM)
    assert [event.kind for event in sink.events] == [EventKind.SHOWN, EventKind.ACCEPTED, EventKind.DISMISSED]
    assert sink.events[1].fields == {
        "candidate": 0,
        "language": "python",
        "n_utf16_units": 10,
        "n_utf16_units_accepted": 10,
        "n_lines": 2,
        "exact": True,
    }


def test_parts_are_told_as_they_grow(journal: Journal, sink: Any) -> None:
    for n_units in (2, 2, 1, 6, 99):
        journal.partly_accepted(ITEM, n_units)
    assert [event.fields["n_utf16_units_accepted"] for event in sink.events] == [2, 6, 10]


def test_unknown_items_are_no_error(journal: Journal, sink: Any) -> None:
    unknown = ItemId(RequestId("r1"), 7)
    assert not journal.shown(unknown)
    assert not journal.partly_accepted(unknown, 1)
    assert sink.events == []


def test_old_items_are_forgotten(journal: Journal) -> None:
    for i in range(300):
        journal.offer(RequestId(f"later{i}"), "python", ["x"])
    assert not journal.shown(ITEM)


def test_no_code_is_told(journal: Journal, sink: Any) -> None:
    journal.shown(ITEM)
    journal.partly_accepted(ITEM, 3)
    assert "secret" not in repr(sink.events)
