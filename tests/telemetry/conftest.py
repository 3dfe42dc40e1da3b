"""A clock that stands still, and an editor that tells a tracker what is done to its texts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fimble.core.flow import Event, EventKind, RequestId
from fimble.core.position import ByteOffset, CharIndex, TextIndex
from fimble.telemetry.tracker import CompletionTracker


class FakeClock:
    """Clock port, moved by hand. Begins at 2026-11-21 12:00 UTC."""

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.ahead_ms = 0.0

    def monotonic_ms(self) -> float:
        return self.now_ms

    def unix_ms(self) -> float:
        return 1_795_262_400_000.0 + self.now_ms + self.ahead_ms

    def wait(self, seconds: float) -> None:
        self.now_ms += seconds * 1000.0


class EventList:
    """Event sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]

    def kinds(self, request_id: str) -> list[str]:
        return [str(event.kind) for event in self.events if event.request_id == request_id]

    def kept(self, request_id: str) -> dict[int, float]:
        """Persistence by horizon in seconds."""
        return {
            int(event.fields["after_s"] or 0): float(event.fields["kept"] or 0)
            for event in self.of(EventKind.PERSISTED)
            if event.request_id == request_id
        }


class Session:
    """An editor with texts. Positions are given by a `$0` or by the text they stand before."""

    def __init__(self, tracker: CompletionTracker, clock: FakeClock) -> None:
        self.tracker = tracker
        self.clock = clock
        self.texts: dict[str, str] = {}
        self.cursors: dict[str, int] = {}
        self.versions: dict[str, int] = {}

    def open(self, uri: str, marked: str) -> None:
        """Open a text; `$0` marks the cursor."""
        self.cursors[uri] = marked.index("$0")
        self.texts[uri] = marked.replace("$0", "")
        self.versions[uri] = 1
        self.tracker.on_open(uri, 1, self.texts[uri])

    def close(self, uri: str) -> None:
        """Close a text; it is as it was when it is opened again."""
        self.tracker.on_close(uri)

    def reopen(self, uri: str) -> None:
        self.tracker.on_open(uri, 1, self.texts[uri])

    def edit(self, uri: str, first: int, last: int, new: str) -> None:
        """Put `new` in place of the characters `[first, last)`; the cursor goes behind it."""
        text = self.texts[uri]
        start = TextIndex(text).to_byte(CharIndex(first))
        self.texts[uri] = text[:first] + new + text[last:]
        self.cursors[uri] = first + len(new)
        self.versions[uri] += 1
        self.tracker.on_edit(uri, self.versions[uri], start, text[first:last], new)

    def type(self, uri: str, text: str) -> None:
        """Type at the cursor, a key every 50 ms."""
        for char in text:
            self.clock.wait(0.05)
            self.edit(uri, self.cursors[uri], self.cursors[uri], char)

    def insert(self, uri: str, text: str) -> None:
        """Put a text at the cursor in one edit, as accepting or pasting does."""
        self.edit(uri, self.cursors[uri], self.cursors[uri], text)

    def replace(self, uri: str, old: str, new: str) -> None:
        """Replace the only place where `old` stands."""
        assert self.texts[uri].count(old) == 1, self.texts[uri]
        first = self.texts[uri].index(old)
        self.edit(uri, first, first + len(old), new)

    def undo_to(self, uri: str, old: str, new: str) -> None:
        """An editor's undo: the change backwards, in one edit."""
        self.replace(uri, old, new)

    def answer_over_menu(self, uri: str, request_id: str, typed: str, item: str, text: str) -> None:
        """The server answers with the selected item of the editor's menu and `text`, in place of what was typed."""
        last = self.cursors[uri]
        self.answer_at(uri, request_id, last - len(typed), last, [item + text], len(item))

    def answer(self, uri: str, request_id: str, *texts: str, n_replaced: int = 0) -> None:
        """The server answers with items at the cursor; they replace `n_replaced` characters behind it."""
        self.answer_at(uri, request_id, self.cursors[uri], self.cursors[uri] + n_replaced, texts)

    def answer_at(
        self, uri: str, request_id: str, first: int, last: int, texts: Sequence[str], n_menu_chars: int = 0
    ) -> None:
        text = self.texts[uri]
        start: ByteOffset = TextIndex(text).to_byte(CharIndex(first))
        old, version = text[first:last], self.versions[uri]
        self.tracker.on_answered(RequestId(request_id), uri, version, start, old, texts, n_menu_chars)

    def checkout(self, uri: str, text: str) -> None:
        """Another program replaces the text."""
        old, self.texts[uri] = self.texts[uri], text
        self.versions[uri] += 1
        self.tracker.on_external_change(uri, self.versions[uri], old, text)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def events() -> EventList:
    return EventList()


@pytest.fixture
def session(events: EventList, clock: FakeClock) -> Session:
    """An editor that reports nothing itself."""
    return Session(CompletionTracker(events, clock), clock)


@pytest.fixture
def telling_session(events: EventList, clock: FakeClock) -> Session:
    """An editor that reports what it shows and accepts."""
    return Session(CompletionTracker(events, clock, infers_shown=False), clock)
