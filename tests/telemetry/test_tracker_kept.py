"""What the tracker makes of accepted text later on: undone, changed, moved, closed, carried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fimble.core.flow import EventKind

if TYPE_CHECKING:
    from tests.telemetry.conftest import EventList, FakeClock, Session

URI = "file:///work/a.py"


# Undone.


@pytest.mark.parametrize(("wait_s", "is_undone"), [(1, True), (5, True), (5.001, False)])
def test_undo_within_five_seconds(session: Session, events: EventList, wait_s: float, is_undone: bool) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.insert(URI, "foo(bar)")
    session.clock.wait(wait_s)
    session.undo_to(URI, "foo(bar)", "")
    session.clock.wait(600)
    session.tracker.tick()
    assert ("undone" in events.kinds("r1")) == is_undone
    assert events.kept("r1") == ({} if is_undone else {30: 0.0, 120: 0.0, 300: 0.0, 600: 0.0})


def test_undo_of_a_replacement(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0fo\n")
    session.answer(URI, "r1", "bar", n_replaced=2)
    session.edit(URI, 4, 6, "bar")
    session.undo_to(URI, "bar", "fo")
    assert events.kinds("r1") == ["shown", "accepted", "undone"]


def test_a_checkout_undoes_nothing(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.insert(URI, "foo(bar)")
    session.checkout(URI, "y = 1\n")
    session.clock.wait(30)
    session.tracker.tick()
    assert events.kinds("r1") == ["shown", "accepted", "persisted"]
    assert events.kept("r1") == {30: 0.0}


# Later.


def test_values_are_those_of_the_due_time(session: Session, events: EventList, clock: FakeClock) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    accepted_at_ms = clock.unix_ms()
    session.insert(URI, "foo(bar)")
    clock.wait(100)  # no tick in between
    session.replace(URI, "bar", "qux")
    clock.wait(20)
    session.tracker.tick()
    measures = events.of(EventKind.PERSISTED)
    assert [(event.fields["after_s"], event.at_ms) for event in measures] == [
        (30, accepted_at_ms + 30_000),
        (120, accepted_at_ms + 120_000),
    ]
    assert events.kept("r1") == {30: 1.0, 120: pytest.approx(1 - 3 / 8)}
    assert [event.fields["unmodified"] for event in measures] == [True, False]
    assert [event.fields["n_kept_chars"] for event in measures] == [8, 5]


def test_closed_documents_carry_their_last_value(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.insert(URI, "foo(bar)")
    session.clock.wait(60)
    session.replace(URI, "bar", "qux")
    session.close(URI)
    session.clock.wait(600)
    session.tracker.tick()
    measures = events.of(EventKind.PERSISTED)
    assert [event.fields["carried"] for event in measures] == [False, True, True, True]
    assert [event.fields["kept"] for event in measures] == [1.0, 0.625, 0.625, 0.625]


def test_opened_again_it_is_followed_on(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.insert(URI, "foo(bar)")
    session.close(URI)
    session.clock.wait(60)
    session.reopen(URI)
    session.replace(URI, "bar", "qux")
    session.clock.wait(60)
    session.tracker.tick()
    assert [event.fields["carried"] for event in events.of(EventKind.PERSISTED)] == [True, False]
    assert events.kept("r1")[120] == 0.625


def test_opened_again_with_another_text_it_stays_carried(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.insert(URI, "foo(bar)")
    session.close(URI)
    session.texts[URI] = "something else\n"
    session.reopen(URI)
    session.clock.wait(30)
    session.tracker.tick()
    assert events.of(EventKind.PERSISTED)[0].fields["carried"] is True


@pytest.mark.parametrize("order", ["rename first", "rename last"])
@pytest.mark.parametrize(
    ("old", "new", "old_path", "new_path"),
    [
        (URI, "file:///work/b.py", URI, "file:///work/b.py"),
        (URI, "file:///play/a.py", "file:///work", "file:///play"),  # its folder
    ],
)
def test_renamed(
    session: Session, events: EventList, order: str, old: str, new: str, old_path: str, new_path: str
) -> None:
    session.open(old, "x = $0\n")
    session.answer(old, "r1", "foo(bar)")
    session.insert(old, "foo(bar)")
    if order == "rename first":
        session.tracker.on_rename(old_path, new_path)
    session.close(old)
    session.open(new, session.texts[old] + "$0")
    if order == "rename last":
        session.tracker.on_rename(old_path, new_path)
    session.replace(new, "bar", "qux")
    session.clock.wait(30)
    session.tracker.tick()
    assert events.kept("r1") == {30: 0.625}
    assert events.of(EventKind.PERSISTED)[0].fields["carried"] is False


def test_a_checkout_that_moves_it(session: Session, events: EventList) -> None:
    session.open(URI, "def f():\n    x = $0\n    return x\n")
    session.answer(URI, "r1", "foo(bar)")
    session.insert(URI, "foo(bar)")
    session.checkout(URI, "import os\n\n\ndef f():\n    x = foo(baz)\n    return x\n")
    session.clock.wait(30)
    session.tracker.tick()
    assert events.kept("r1") == {30: pytest.approx(7 / 8)}


def test_at_the_end_of_the_session_everything_is_carried(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.insert(URI, "foo(bar)")
    session.clock.wait(31)
    session.tracker.close()
    assert [event.fields["carried"] for event in events.of(EventKind.PERSISTED)] == [False, True, True, True]
    session.clock.wait(600)
    session.tracker.tick()
    assert len(events.of(EventKind.PERSISTED)) == 4


def test_two_accepted_texts_in_one_document(session: Session, events: EventList) -> None:
    session.open(URI, "$0\n")
    session.answer(URI, "r1", "one = first()\n")
    session.insert(URI, "one = first()\n")
    session.clock.wait(1)
    session.answer(URI, "r2", "two = second()\n")
    session.insert(URI, "two = second()\n")
    session.replace(URI, "first", "FIRST")
    session.clock.wait(29)
    session.tracker.tick()
    assert events.kept("r1") == {30: pytest.approx(1 - 5 / 14)}
    assert events.kept("r2") == {}
    session.clock.wait(1)
    session.tracker.tick()
    assert events.kept("r2") == {30: 1.0}
