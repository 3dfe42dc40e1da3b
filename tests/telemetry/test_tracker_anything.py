"""Whatever a client does, in whatever order, sense or nonsense: no exception, and each life of a suggestion adds up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fimble.core.flow import EventKind, RequestId
from fimble.core.position import ByteOffset

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.telemetry.conftest import EventList, Session

_URIS = ("file:///w/a.py", "file:///w/b.py")
_TEXTS = st.text(alphabet="ab (){}\n\ré😀", max_size=6)
_KINDS = (
    "answer", "type", "take", "take some", "delete", "replace", "shown", "accepted", "part", "dismissed", "withdraw",
    "close", "open", "rename", "checkout", "wait", "tick", "nonsense",
)  # fmt: skip
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(_KINDS),
        st.sampled_from(_URIS),
        _TEXTS,
        st.integers(0, 12),
    ),
    max_size=30,
)


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Callable[[], tuple[Session, EventList]]:
    """Makes a session for each example of a property."""
    from fimble.telemetry.tracker import CompletionTracker

    session_type, events_type = type(request.getfixturevalue("session")), type(request.getfixturevalue("events"))
    clock_type = type(request.getfixturevalue("clock"))

    def make() -> tuple[Session, EventList]:
        clock, events = clock_type(), events_type()
        return session_type(CompletionTracker(events, clock), clock), events

    return make


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_anything(fresh: Callable[[], tuple[Session, EventList]], steps: list[tuple[str, str, str, int]]) -> None:
    session, events = fresh()
    answers: list[tuple[str, str]] = []
    for uri in _URIS:
        session.open(uri, "abc$0 def\n")
    for n, (step, uri, text, number) in enumerate(steps):
        _do(session, answers, n, step, uri, text, number)
    session.clock.wait(700)
    session.tracker.close()
    _check(events)


def _do(session: Session, answers: list[tuple[str, str]], n: int, step: str, uri: str, text: str, number: int) -> None:
    tracker, length = session.tracker, len(session.texts[uri])
    request = RequestId(answers[max(-len(answers), -1 - number % 5)][0] if answers else "never answered")
    match step:
        case "answer":
            session.answer(uri, f"r{n}", text, text + "b", n_replaced=min(number % 3, length - session.cursors[uri]))
            answers.append((f"r{n}", text))
        case "type":
            session.type(uri, text[:2])
        case "take" | "take some" if answers:
            whole = answers[-1][1]
            session.insert(uri, whole if step == "take" else whole[: number % 5])
        case "delete":
            first = min(number, length)
            session.edit(uri, first, min(first + len(text), length), "")
        case "replace":
            first = min(number, length)
            session.edit(uri, first, min(first + 5, length), text)
        case "shown":
            tracker.on_shown(request, number % 3)
        case "accepted":
            tracker.on_accepted(request, number % 3)
        case "part":
            tracker.on_partly_accepted(request, number)
        case "dismissed":
            tracker.on_dismissed(request)
        case "withdraw":
            tracker.on_withdrawn(uri)
        case "close":
            session.close(uri)
        case "open":
            session.reopen(uri)
        case "rename":
            tracker.on_rename("file:///w", "file:///v") if number % 2 else tracker.on_rename(uri, uri + "x")
        case "checkout":
            session.checkout(uri, text * number)
            session.cursors[uri] = 0
        case "wait":
            session.clock.wait(number * number)
        case "nonsense":
            tracker.on_edit(uri, number, ByteOffset(number * 7), text, text[::-1] * 2)
        case _:
            tracker.tick()


def _check(events: EventList) -> None:
    kinds = Counter((event.request_id, event.kind) for event in events.events)
    for (request, kind), n in kinds.items():
        if request == "never answered":
            continue  # what is said of unknown requests is passed on as it is
        if kind in (EventKind.SEEN, EventKind.UNDONE, EventKind.TYPED_THROUGH):
            assert n == 1, kind
        if kind in (EventKind.SHOWN, EventKind.DISMISSED):
            assert n <= 2, kind  # inferred, then told
    measures = [(event.request_id, event.fields["after_s"]) for event in events.of(EventKind.PERSISTED)]
    assert len(measures) == len(set(measures))
    for event in events.of(EventKind.PERSISTED):
        assert kinds[event.request_id, EventKind.ACCEPTED] + kinds[event.request_id, EventKind.PARTLY_ACCEPTED]
        assert 0.0 <= float(event.fields["kept"] or 0) <= 1.0
        assert event.fields["unmodified"] is not True or event.fields["kept"] == 1.0
    by_request = Counter(request for request, _ in measures)
    assert set(by_request.values()) <= {4}
    for event in events.of(EventKind.UNDONE):
        assert by_request[event.request_id] == 0
