"""What the tracker makes of answers, notifications and edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fimble.core.flow import Event, EventKind, RequestId

if TYPE_CHECKING:
    from tests.telemetry.conftest import EventList, FakeClock, Session

URI = "file:///work/a.py"


# Shown, seen, and how it ends.


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


# Clients that report.


def test_a_reporting_client_is_believed(telling_session: Session, events: EventList, clock: FakeClock) -> None:
    telling_session.open(URI, "x = $0\n")
    telling_session.answer(URI, "r1", "foo(bar)")
    clock.wait(2)
    assert events.events == []  # answered, not shown
    telling_session.tracker.on_shown(RequestId("r1"))
    clock.wait(1)
    telling_session.tracker.on_dismissed(RequestId("r1"))
    assert events.kinds("r1") == ["shown", "seen", "dismissed"]
    assert all(event.fields["exact"] for event in events.events)
    assert events.events[-1].fields["visible_ms"] == 1000.0


def test_after_the_first_report_nothing_is_inferred(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.tracker.on_shown(RequestId("r1"))
    assert [event.fields["exact"] for event in events.of(EventKind.SHOWN)] == [False, True]
    session.answer(URI, "r2", "other()")
    assert events.kinds("r2") == []


def test_typed_what_was_never_shown_is_no_acceptance(telling_session: Session, events: EventList) -> None:
    telling_session.open(URI, "x = $0\n")
    telling_session.answer(URI, "r1", "foo")
    telling_session.type(URI, "foo")
    assert events.events == []


@pytest.mark.parametrize("is_edit_first", [True, False])
def test_accept_command_before_or_after_its_edit(session: Session, events: EventList, is_edit_first: bool) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    if is_edit_first:
        session.insert(URI, "foo(bar)")
    session.tracker.on_accepted(RequestId("r1"))
    if not is_edit_first:
        session.insert(URI, "foo(bar)")
    accepted = events.of(EventKind.ACCEPTED)
    assert [event.fields["exact"] for event in accepted] == ([False, True] if is_edit_first else [True])
    assert all(event.fields["n_chars"] == 8 for event in accepted)
    session.clock.wait(30)
    session.tracker.tick()
    assert events.kept("r1") == {30: 1.0}


def test_accepted_twice_counts_once(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    for _ in range(2):
        session.tracker.on_accepted(RequestId("r1"))
    assert len(events.of(EventKind.ACCEPTED)) == 1


@pytest.mark.parametrize("is_edit_first", [True, False])
def test_inserted_in_another_shape(session: Session, events: EventList, is_edit_first: bool) -> None:
    session.open(URI, "    $0\n")
    session.answer(URI, "r1", "if x:\n    y()")
    if is_edit_first:
        session.insert(URI, "if x:\n        y()")  # the editor indented it
    session.tracker.on_accepted(RequestId("r1"))
    if not is_edit_first:
        session.insert(URI, "if x:\n        y()")
    session.replace(URI, "y()", "z()")
    session.clock.wait(30)
    session.tracker.tick()
    assert events.kept("r1") == {30: pytest.approx(1 - 1 / 17)}


def test_accept_whose_edit_never_comes(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.tracker.on_accepted(RequestId("r1"))
    session.clock.wait(6)
    session.insert(URI, "foo(bar)")
    session.clock.wait(600)
    session.tracker.tick()
    assert events.kinds("r1") == ["shown", "accepted"]


def test_an_import_added_before_the_accepted_text(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo(bar)")
    session.tracker.on_accepted(RequestId("r1"))
    session.edit(URI, 0, 0, "import foo\n")
    session.edit(URI, 15, 15, "foo(bar)")
    session.clock.wait(30)
    session.tracker.tick()
    assert events.kept("r1") == {30: 1.0}


def test_line_ends_of_the_editor(session: Session, events: EventList) -> None:
    session.open(URI, "x = 1\r\n$0")
    session.answer(URI, "r1", "if x:\n    y()")
    session.insert(URI, "if x:\r\n    y()")
    session.clock.wait(30)
    session.tracker.tick()
    assert events.kinds("r1")[:2] == ["shown", "accepted"]
    assert events.kept("r1") == {30: 1.0}


def test_other_candidates_can_be_accepted(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo()", "bar(1)")
    session.insert(URI, "bar(1)")
    assert events.of(EventKind.ACCEPTED)[0].fields["n_chars"] == 6


def test_a_candidate_chosen_by_the_client_can_be_typed(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "foo()", "bar")
    session.tracker.on_shown(RequestId("r1"), 1)
    session.type(URI, "bar")
    assert events.kinds("r1")[-1] == "typed_through"


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


# Parts.


def test_accepted_word_by_word(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "compute(first, second)")
    session.insert(URI, "compute(")
    session.insert(URI, "first, ")
    session.insert(URI, "second)")
    assert events.kinds("r1") == ["shown", "partly_accepted", "partly_accepted", "accepted"]
    assert [event.fields.get("n_chars") for event in events.events] == [None, 8, 15, 22]
    session.replace(URI, "second", "third")
    session.clock.wait(30)
    session.tracker.tick()
    distance = 5  # second -> third
    assert events.kept("r1") == {30: pytest.approx(1 - distance / 22)}


def test_part_reported_before_its_edit(telling_session: Session, events: EventList) -> None:
    session = telling_session
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "ab cd ef")
    session.tracker.on_shown(RequestId("r1"))
    session.tracker.on_partly_accepted(RequestId("r1"), 3)
    session.insert(URI, "ab ")  # too short to be known for an acceptance by itself
    assert events.kinds("r1") == ["shown", "partly_accepted"]
    assert events.events[-1].fields == {"exact": True, "n_chars": 3}


def test_part_reported_after_its_edit(telling_session: Session, events: EventList) -> None:
    session = telling_session
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "ab cd ef")
    session.tracker.on_shown(RequestId("r1"))
    session.insert(URI, "ab ")
    session.tracker.on_partly_accepted(RequestId("r1"), 3)
    session.insert(URI, "cd ")
    session.tracker.on_partly_accepted(RequestId("r1"), 6)
    assert [event.fields["n_chars"] for event in events.of(EventKind.PARTLY_ACCEPTED)] == [3, 6]
    session.clock.wait(30)
    session.type(URI, "x")
    assert events.kept("r1") == {30: 1.0}


def test_typing_between_parts_belongs_to_the_text(session: Session, events: EventList) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "compute(first)")
    session.insert(URI, "compute")
    session.type(URI, "(")
    session.insert(URI, "first)")
    assert events.of(EventKind.ACCEPTED)[0].fields["n_chars"] == 13  # what fimble wrote
    session.clock.wait(30)
    session.tracker.tick()
    assert events.of(EventKind.PERSISTED)[0].fields["n_kept_chars"] == 13
    assert events.kept("r1") == {30: 1.0}


def test_parts_of_an_item_that_continues_another(telling_session: Session, events: EventList) -> None:
    session = telling_session
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "ab cd ef")
    session.tracker.on_shown(RequestId("r1"))
    session.type(URI, "ab ")
    session.answer(URI, "r2", "cd ef")
    session.tracker.on_shown(RequestId("r2"))
    session.tracker.on_partly_accepted(RequestId("r2"), 3)
    session.insert(URI, "cd ")
    assert events.of(EventKind.PARTLY_ACCEPTED)[0].fields == {"exact": True, "n_chars": 3}
    assert events.of(EventKind.PARTLY_ACCEPTED)[0].request_id == "r1"


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
