"""What the tracker makes of answers and of typing beside them: shown, seen, typed through, dismissed, told on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fimble.core.flow import Event, EventKind, RequestId

if TYPE_CHECKING:
    from tests.telemetry.conftest import EventList, FakeClock, Session

URI = "file:///work/a.py"


def test_an_answer_counts_as_shown_and_seen_after_750_ms(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.clock.wait(0.749)
    session.tracker.tick()
    assert events.kinds("r1") == ["shown"]
    session.clock.wait(0.001)
    session.tracker.tick()
    assert events.kinds("r1") == ["shown", "seen"]
    assert [event.fields["exact"] for event in events.events] == [False, False]


def test_seen_is_dated_to_when_it_happened(session: Session, events: EventList, clock: FakeClock) -> None:
    session.open(URI, "x = $0\n")
    shown_at_ms = clock.unix_ms()
    session.answer(URI, "r1", "foo(bar)")
    session.clock.wait(60)
    session.type(URI, "z")
    assert events.of(EventKind.SEEN)[0].at_ms == shown_at_ms + 750


def test_typed_away_before_that_is_not_seen(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.clock.wait(0.3)
    session.type(URI, "q")
    session.clock.wait(5)
    session.tracker.tick()
    assert events.kinds("r1") == ["shown", "dismissed"]
    assert events.events[-1].fields == {"exact": False, "visible_ms": 350.0}


def test_another_answer_replaces_it(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.clock.wait(1)
    session.answer(URI, "r2", "other()")
    assert events.kinds("r1") == ["shown", "seen", "replaced"]
    assert events.kinds("r2") == ["shown"]


def test_no_answer_takes_it_off_the_screen(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.tracker.on_withdrawn(URI)
    session.clock.wait(2)
    session.tracker.tick()
    assert events.kinds("r1") == ["shown", "dismissed"]


def test_closing_takes_it_off_the_screen(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.close(URI)
    assert events.kinds("r1") == ["shown", "dismissed"]


def test_edits_of_other_texts_leave_it_alone(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.open("file:///b.py", "$0")
    session.answer(URI, "r1", "foo(bar)")
    session.type("file:///b.py", "hello")
    session.insert(URI, "foo(bar)")
    assert events.kinds("r1") == ["shown", "accepted"]


def test_answers_for_an_older_text_are_not_followed(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.type(URI, "y")
    session.versions[URI] -= 1
    session.answer(URI, "r1", "foo(bar)")
    assert events.events == []


def test_an_answer_that_changes_nothing_is_not_followed(session: Session, events: EventList) -> None:
    session.open(URI, "f($0)\n")
    session.answer(URI, "r1", ")", n_replaced=1)
    assert events.events == []


# Typing what is suggested.


def test_typed_through(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo()")
    session.type(URI, "foo()")
    assert events.kinds("r1") == ["shown", "typed_through"]
    session.clock.wait(700)
    session.tracker.tick()
    assert events.of(EventKind.PERSISTED) == []  # the user wrote it, not fimble


def test_typing_keeps_it_valid_across_requests(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "total")
    session.clock.wait(0.4)
    session.type(URI, "to")
    session.answer(URI, "r2", "tal")  # the same suggestion, answered again
    session.clock.wait(0.4)
    session.insert(URI, "tal")
    assert events.kinds("r1") == ["shown", "seen", "typed_through"]
    assert events.kinds("r2") == ["shown"]
    assert events.of(EventKind.SHOWN)[1].fields["continues"] == "r1"


def test_accepted_after_typing_some_of_it(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "total_sum()")
    session.type(URI, "to")
    session.answer(URI, "r2", "tal_sum()")
    session.insert(URI, "tal_sum()")
    session.tracker.on_accepted(RequestId("r2"))
    assert events.kinds("r1") == ["shown", "accepted", "accepted"]
    assert events.events[-1].fields == {"exact": True, "n_chars": 9}


def test_closers_the_editor_puts_in(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.type(URI, "foo")
    session.edit(URI, 7, 7, "()")
    session.cursors[URI] = 8
    session.answer(URI, "r2", "bar)", n_replaced=1)
    session.insert(URI, "bar")
    assert session.texts[URI] == "x = foo(bar)\n"
    assert events.kinds("r1") == ["shown", "typed_through"]


def test_other_text_is_no_typing_through(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo()")
    session.type(URI, "fox")
    assert events.kinds("r1") == ["shown", "dismissed"]


# As an event sink.


def test_the_servers_notifications_pass_through_it(telling_session: Session, events: EventList) -> None:
    def tell(kind: EventKind, **fields: int) -> None:
        tracker.record(Event(RequestId("r1"), kind, 0.0, {"candidate": 0, "exact": True, **fields}))

    session, tracker = telling_session, telling_session.tracker
    session.open(URI, "x = $0\n")
    tell(EventKind.REQUESTED)
    tell(EventKind.ANSWERED)
    session.answer(URI, "r1", "a😀b cd")
    tell(EventKind.SHOWN)
    tell(EventKind.PARTLY_ACCEPTED, n_utf16_units_accepted=5)
    session.insert(URI, "a😀b ")
    tell(EventKind.ACCEPTED)
    assert events.kinds("r1") == ["requested", "answered", "shown", "partly_accepted", "accepted"]
    assert events.of(EventKind.PARTLY_ACCEPTED)[0].fields["n_chars"] == 4


def test_notifications_about_unknown_items_pass(session: Session, events: EventList) -> None:
    session.tracker.record(Event(RequestId("gone"), EventKind.DISMISSED, 0.0, {"exact": True}))
    session.tracker.on_accepted(RequestId("gone"))
    assert events.kinds("gone") == ["dismissed", "accepted"]


def test_events_hold_no_code(session: Session, events: EventList) -> None:
    secret = "hunter2_is_my_password"
    session.open(URI, f"x = $0 # {secret}\n")
    session.answer(URI, "r1", f"{secret}()")
    session.insert(URI, f"{secret}()")
    session.replace(URI, f"{secret}()", f"{secret}[0]")
    session.clock.wait(700)
    session.tracker.close()
    assert len(events.of(EventKind.PERSISTED)) == 4
    assert secret not in repr(events.events)
