"""What the tracker makes of acceptance: reported by the client or seen in an edit, whole or in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fimble.core.flow import EventKind, RequestId

if TYPE_CHECKING:
    from tests.telemetry.conftest import EventList, FakeClock, Session

URI = "file:///work/a.py"


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


@pytest.mark.parametrize("keys", [("\n    ", "return 1"), ("\r\n        ", "return 1"), ("()", ":\n    pass")])
def test_what_the_editor_puts_beside_a_key_is_no_part(
    session: Session, events: EventList, keys: tuple[str, str]
) -> None:
    key, rest = keys
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", key.replace("\r\n", "\n") + rest)
    session.insert(URI, key)
    assert events.kinds("r1") == ["shown"]
    session.insert(URI, rest)
    assert events.kinds("r1") == ["shown", "accepted"]
    assert events.of(EventKind.ACCEPTED)[0].fields["n_chars"] == len(rest)


@pytest.mark.parametrize("last", ["\n    ", "()"])
def test_what_the_editor_puts_beside_the_last_key_is_typed(session: Session, events: EventList, last: str) -> None:
    session.open(URI, "x = $0\n")
    session.answer(URI, "r1", "a" + last)
    session.type(URI, "a")
    session.insert(URI, last)
    assert events.kinds("r1") == ["shown", "typed_through"]


def test_a_pair_that_is_all_of_it_may_be_one_key(session: Session, events: EventList) -> None:
    session.open(URI, "x = foo$0\n")
    session.answer(URI, "r1", "()")
    session.insert(URI, "()")
    assert events.kinds("r1") == ["shown", "typed_through"]


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


# Suggestions over the editor's own menu.


def test_the_item_of_the_editors_menu_is_no_part(session: Session, events: EventList) -> None:
    session.open(URI, "foo.b$0\n")
    session.answer_over_menu(URI, "r1", "b", "barbaz", "(first, second)")
    session.replace(URI, "b", "barbaz")
    assert events.kinds("r1") == ["shown"]
    session.answer(URI, "r2", "(first, second)")
    session.insert(URI, "(first, second)")
    assert [event.fields["n_chars"] for event in events.of(EventKind.ACCEPTED)] == [len("(first, second)")]


def test_the_item_is_no_part_where_the_menu_opens_upon_a_suggestion(session: Session, events: EventList) -> None:
    session.open(URI, "foo.$0\n")
    session.answer(URI, "r1", "barbaz(1)")
    session.type(URI, "b")
    session.answer_over_menu(URI, "r2", "b", "barbaz", "(1)")
    session.type(URI, "a")
    session.insert(URI, "rbaz")
    assert events.of(EventKind.PARTLY_ACCEPTED) == []
    assert events.of(EventKind.DISMISSED) == []


@pytest.mark.parametrize(
    ("inserted", "kind"), [("arbaz(first", EventKind.PARTLY_ACCEPTED), ("arbaz(first, second)", EventKind.ACCEPTED)]
)
def test_what_goes_beyond_the_menus_item_is_accepted(
    session: Session, events: EventList, inserted: str, kind: EventKind
) -> None:
    session.open(URI, "foo.b$0\n")
    session.answer_over_menu(URI, "r1", "b", "barbaz", "(first, second)")
    session.insert(URI, inserted)
    assert [event.fields["n_chars"] for event in events.of(kind)] == [len(inserted)]


@pytest.mark.parametrize("is_edit_first", [True, False])
def test_a_reported_part_within_the_menus_item_is_one(
    telling_session: Session, events: EventList, is_edit_first: bool
) -> None:
    telling_session.open(URI, "foo.b$0\n")
    telling_session.answer_over_menu(URI, "r1", "b", "barbaz", "(1)")
    telling_session.tracker.on_shown(RequestId("r1"))
    if is_edit_first:
        telling_session.insert(URI, "arbaz")
    telling_session.tracker.on_partly_accepted(RequestId("r1"), len("barbaz"))
    if not is_edit_first:
        telling_session.insert(URI, "arbaz")
    assert [event.fields["n_chars"] for event in events.of(EventKind.PARTLY_ACCEPTED)] == [len("arbaz")]
