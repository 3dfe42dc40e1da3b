"""A scripted session from answers and edits to the rates in the report, through a real file, with known results.

Every number below can be worked out by hand from the script: the clock stands still unless told to go on.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.telemetry.database import reading
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.report import By, Report, report
from fimble.telemetry.tracker import CompletionTracker
from fimble.telemetry.writer import SessionInfo

if TYPE_CHECKING:
    from tests.telemetry.conftest import FakeClock, Session

A, B, C = "file:///work/a.py", "file:///work/b.rs", "file:///work/c.py"
_MODEL = "qwen2.5-coder-0.5b"


class Script:
    """An editor, a server and a recorder. A request is answered at once; the server tells the tracker what it sends."""

    def __init__(self, session: Session, recorder: Recorder, tracker: CompletionTracker) -> None:
        self.session = session
        self.recorder = recorder
        self.tracker = tracker

    def ask(self, uri: str, request_id: str, *texts: str, **fields: str) -> None:
        """A request and its answer; no texts is a rejection."""
        language = "rust" if uri.endswith(".rs") else "python"
        asked = {"language": language, "client": "test 1.0", "trigger": "automatic", **fields}
        self._record(request_id, EventKind.REQUESTED, asked)
        cost = {"model": _MODEL, "n_prompt_tokens": 100, "n_reused_tokens": 80, "total_ms": 200.0}
        if not texts:
            self._record(request_id, EventKind.REJECTED, {**cost, "reason": "empty"})
            self.tracker.on_withdrawn(uri)
            return
        source = {"source": fields.get("source", "model"), "n_chars": len(texts[0]), "confidence": 0.5}
        self._record(request_id, EventKind.ANSWERED, {**cost, **source})
        self.session.answer(uri, request_id, *texts)

    def tell(self, request_id: str, kind: EventKind, **fields: int) -> None:
        """A notification of the client, as the server passes it on."""
        self._record(request_id, kind, {"candidate": 0, "exact": True, **fields})

    def _record(self, request_id: str, kind: EventKind, fields: dict[str, object]) -> None:
        self.tracker.record(Event(RequestId(request_id), kind, self.session.clock.unix_ms(), fields))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "telemetry.db"


@pytest.fixture
def script(store: Path, session: Session, clock: FakeClock) -> Script:
    recorder = Recorder(store, SessionInfo("s1", int(clock.unix_ms()), "0.1.0"), TelemetryOptions(), clock)
    tracker = CompletionTracker(recorder, clock)
    session.tracker = tracker
    return Script(session, recorder, tracker)


def play(script: Script) -> None:
    """About 16 minutes of work in three documents. Results stand in `test_the_known_rates`."""
    session, wait = script.session, script.session.clock.wait
    session.open(A, "import os\n\n\ndef area(w, h):\n    $0\n")
    session.open(B, "fn main() {\n    $0\n}\n")

    # 1: seen, accepted by command, kept for 2 min, then 4 of its 12 characters changed. Exact.
    script.ask(A, "a1", "return w * h", node_kind="block")
    script.tell("a1", EventKind.SHOWN)
    wait(1)
    session.insert(A, "return w * h")
    script.tell("a1", EventKind.ACCEPTED)
    a1_at_s = session.clock.now_ms / 1000

    # 2: shown for 0.4 s only: not counted as shown. Typed something else.
    session.type(A, "\n")
    script.ask(A, "a2", "print(area)")
    script.tell("a2", EventKind.SHOWN)
    wait(0.35)
    session.type(A, "\n")

    # 3: a rejection.
    script.ask(A, "a3")

    # 4: in the other document: two words of four taken, then typed on. Partial, 8 characters.
    script.ask(B, "b1", "let x = 1 + compute();", node_kind="block")
    script.tell("b1", EventKind.SHOWN)
    wait(2)
    session.insert(B, "let x = ")
    script.tell("b1", EventKind.PARTLY_ACCEPTED, n_utf16_units_accepted=8)
    b1_at_s = session.clock.now_ms / 1000
    session.type(B, "9;")

    # 5: accepted and undone within 5 s: shown, rejected.
    session.cursors[A] = len(session.texts[A])
    script.ask(A, "a4", "area(1, 2)", node_kind="call")
    script.tell("a4", EventKind.SHOWN)
    wait(1)
    session.insert(A, "area(1, 2)")
    script.tell("a4", EventKind.ACCEPTED)
    wait(3)
    session.undo_to(A, "area(1, 2)", "")

    # 6: typed through, over two requests that continue one suggestion.
    script.ask(A, "a5", "pass", node_kind="block")
    script.tell("a5", EventKind.SHOWN)
    session.type(A, "pa")
    script.ask(A, "a6", "ss", source="type_through")
    script.tell("a6", EventKind.SHOWN)
    session.type(A, "ss")

    # 7: seen and dismissed.
    session.type(A, "\n")
    script.ask(A, "a7", "area(3, 4)", node_kind="call")
    script.tell("a7", EventKind.SHOWN)
    wait(1)
    script.tell("a7", EventKind.DISMISSED)

    # 8: in a third document, accepted, the document renamed and then closed after 1 min with half of it deleted.
    session.open(C, "$0\n")
    script.ask(C, "c1", "abcdefghij", node_kind="module")
    script.tell("c1", EventKind.SHOWN)
    session.insert(C, "abcdefghij")
    script.tell("c1", EventKind.ACCEPTED)
    c1_at_s = session.clock.now_ms / 1000
    renamed = "file:///work/d.py"
    session.close(C)
    session.open(renamed, "$0" + session.texts[C])
    session.tracker.on_rename(C, renamed)
    wait(c1_at_s + 60 - session.clock.now_ms / 1000)
    session.replace(renamed, "fghij", "")
    session.close(renamed)

    # 9: a checkout replaces the second document: its accepted text moves, and its last character changes.
    wait(b1_at_s + 100 - session.clock.now_ms / 1000)
    session.checkout(B, "// new\nfn main() {\n    let x =!9;\n}\n")

    # 10: what a1 wrote is edited after 2 min, and all of it removed after 5 min.
    wait(a1_at_s + 121 - session.clock.now_ms / 1000)
    session.replace(A, "w * h", "4 * a")
    wait(a1_at_s + 400 - session.clock.now_ms / 1000)
    session.replace(A, "    return 4 * a\n", "")
    wait(600)
    session.tracker.tick()
    session.tracker.close()
    assert script.recorder.flush()
    script.recorder.close()


def _report(store: Path, by: By | None = None) -> Report:
    with reading(store, 0.0) as db:
        return report(db, 0.0, 4e12, by)


def test_the_known_rates(script: Script, store: Path) -> None:
    play(script)
    found = _report(store)
    tally = found.total.tally
    assert tally.n_requested == 9
    assert tally.n_answered == 8
    assert tally.n_answered_by_model == 7
    assert tally.n_rejected == 1
    assert found.reasons == {"empty": 1}
    assert found.sources == {"model": 7, "type_through": 1}

    # On a screen: a1 a2 b1 a4 a5 a7 c1 (a6 continues a5). Counted as shown: all but a2.
    assert (tally.n_on_screen, tally.n_shown) == (7, 6)
    # Accepted: a1 (whole), b1 (part), a5 (typed), c1 (whole). a4 was undone.
    assert (tally.n_accepted, tally.n_whole, tally.n_part, tally.n_typed, tally.n_undone) == (4, 2, 1, 1, 1)
    assert tally.car is not None
    assert tally.car.value == 4 / 6
    assert tally.n_accepted_chars == 12 + 8 + 10

    # a1: 12 characters; after 121 s 2 of them changed (w -> 4, h -> a), after 400 s nothing left.
    # b1: 8 characters, the last changed at 100 s. c1: 5 of 10 left from 60 s on, carried from there.
    after_30, after_120, after_300, after_600 = found.total.kept
    assert [kept.n for kept in found.total.kept] == [3, 3, 3, 3]
    assert after_30.cpr is not None
    assert after_30.cpr.value == 1.0
    assert after_30.n_unmodified == 3
    assert after_120.cpr is not None
    assert after_120.cpr.value == pytest.approx((1 + 7 / 8 + 5 / 10) / 3)
    assert after_120.n_unmodified == 1
    assert after_300.cpr is not None
    assert after_300.cpr.value == pytest.approx((10 / 12 + 7 / 8 + 5 / 10) / 3)
    assert after_300.n_unmodified == 0
    assert after_600.cpr is not None
    assert after_600.cpr.value == pytest.approx((0 + 7 / 8 + 5 / 10) / 3)
    assert [kept.n_kept_chars for kept in found.total.kept] == [30, 12 + 7 + 5, 10 + 7 + 5, 7 + 5]
    assert [kept.n_carried for kept in found.total.kept] == [0, 1, 1, 1]
    assert found.total.kept_chars_per_shown == 12 / 6
    assert found.total.latency is not None
    assert found.total.latency.p50_ms == 200.0


def test_the_known_rates_by_group(script: Script, store: Path) -> None:
    play(script)
    by_language = {group.label: group for group in _report(store, By.LANGUAGE).groups}
    assert {label: (g.tally.n_accepted, g.tally.n_shown) for label, g in by_language.items()} == {
        "python": (3, 5),
        "rust": (1, 1),
    }
    assert by_language["rust"].kept[1].kept == 7 / 8
    by_node = {group.label: group.tally for group in _report(store, By.NODE).groups}
    assert {label: (tally.n_accepted, tally.n_shown) for label, tally in by_node.items()} == {
        "block": (3, 3),
        "call": (0, 2),
        "module": (1, 1),
        "(unknown)": (0, 0),
    }
    assert [group.label for group in _report(store, By.MODEL).groups] == [_MODEL]
    assert sum(group.tally.n_requested for group in _report(store, By.DAY).groups) == 9


def test_exact_and_inferred_are_kept_apart(script: Script, store: Path) -> None:
    session, wait = script.session, script.session.clock.wait
    session.open(A, "$0")
    script.ask(A, "r1", "first()")
    wait(1)
    session.insert(A, "first()")  # inferred shown, inferred accepted
    script.ask(A, "r2", "second()")
    wait(1)
    session.type(A, "x")  # inferred shown
    script.ask(A, "r3", "third()")
    script.tell("r3", EventKind.SHOWN)  # from here on the client tells
    wait(1)
    session.insert(A, "third()")
    script.tell("r3", EventKind.ACCEPTED)
    script.ask(A, "r4", "fourth()")
    wait(1)  # answered, not shown
    session.type(A, "y")
    assert script.recorder.flush()
    tally = _report(store).total.tally
    assert tally.car_exact is not None
    assert tally.car_inferred is not None
    assert (tally.car_exact.value, tally.car_exact.n) == (1.0, 1)
    assert (tally.car_inferred.value, tally.car_inferred.n) == (0.5, 2)
    assert tally.n_accept_told == 1
    script.recorder.close()


def test_nothing_leaves(script: Script, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("telemetry opened a socket")

    for name in ("socket", "create_connection", "getaddrinfo", "socketpair"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr("_socket.socket", refuse)
    play(script)
    assert _report(store, By.LANGUAGE).total.tally.n_shown == 6
