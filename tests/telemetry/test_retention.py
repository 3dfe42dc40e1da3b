"""What is deleted, and that it is gone from the file."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.telemetry.database import StoreNewerError, connect_writing, reading
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.retention import Purged, expire, purge
from fimble.telemetry.writer import SessionInfo, Writer

if TYPE_CHECKING:
    from tests.telemetry.conftest import FakeClock

_DAY_MS = 86_400_000.0


def _fill(path: Path, clock: FakeClock, days_ago: list[float]) -> Recorder:
    recorder = Recorder(path, SessionInfo("s", 0, "0"), TelemetryOptions(store_code=True, retention_days=9999), clock)
    for i, days in enumerate(days_ago):
        at_ms = clock.unix_ms() - days * _DAY_MS
        recorder.record(Event(RequestId(str(i)), EventKind.REQUESTED, at_ms, {"language": "python"}))
        recorder.record(Event(RequestId(str(i)), EventKind.ACCEPTED, at_ms, {"exact": True, "n_chars": 3}))
        measure = {"after_s": 30, "kept": 1.0, "n_kept_chars": 3, "unmodified": True, "carried": False}
        recorder.record(Event(RequestId(str(i)), EventKind.PERSISTED, at_ms, measure))
        recorder.record_code(RequestId(str(i)), "accepted", f"distinctive_text_{i}()")
    assert recorder.flush()
    return recorder


def _record_one(path: Path, clock: FakeClock, options: TelemetryOptions) -> Recorder:
    recorder = Recorder(path, SessionInfo("t", int(clock.unix_ms()), "0"), options, clock)
    recorder.record(Event(RequestId("new"), EventKind.REQUESTED, clock.unix_ms()))
    assert recorder.flush()
    return recorder


def _counts(path: Path) -> tuple[int, int, int]:
    with reading(path, 0.0) as db:
        assert db is not None
        tables = ("completions", "persistence", "code")
        one, two, three = (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
        return one, two, three


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.db"


def test_code_expires_before_counts(path: Path, clock: FakeClock) -> None:
    _fill(path, clock, [400, 100, 1]).close()
    clock.wait(40 * 86_400)
    db = connect_writing(path, clock.unix_ms())
    gone = expire(db, clock.unix_ms(), retention_days=365, code_retention_days=30)
    db.close()
    assert gone == Purged(1, 3)
    assert _counts(path) == (2, 2, 0)


def test_the_recorder_expires_by_itself(path: Path, clock: FakeClock) -> None:
    _fill(path, clock, [100, 2]).close()
    _record_one(path, clock, TelemetryOptions(retention_days=30)).close()
    assert _counts(path) == (2, 1, 1)


def test_a_clock_that_is_ahead_once_deletes_nothing(path: Path, clock: FakeClock) -> None:
    _fill(path, clock, [2, 1]).close()
    clock.ahead_ms = 400 * _DAY_MS
    recorder = _record_one(path, clock, TelemetryOptions())
    assert _counts(path) == (3, 2, 2)
    # Set right, it is believed with the next day, though the server was not started again.
    clock.ahead_ms = 0.0
    clock.wait(35 * 86_400)
    recorder.record(Event(RequestId("later"), EventKind.REQUESTED, clock.unix_ms()))
    assert recorder.flush()
    recorder.close()
    assert _counts(path) == (4, 2, 0)


def test_after_a_long_pause_a_day_of_use_is_waited_for(path: Path, clock: FakeClock) -> None:
    _fill(path, clock, [1]).close()
    clock.wait(400 * 86_400)
    recorder = _record_one(path, clock, TelemetryOptions())
    assert _counts(path) == (2, 1, 1)
    clock.wait(1.5 * 86_400)
    recorder.record(Event(RequestId("next day"), EventKind.REQUESTED, clock.unix_ms()))
    assert recorder.flush()
    recorder.close()
    assert _counts(path) == (2, 0, 0)


def test_damaged_files_expire_as_code_does(path: Path, clock: FakeClock) -> None:
    for name, days_ago in (("old", 31), ("old-wal", 31), ("new", 29)):
        file = path.with_name(f"telemetry.db.damaged-{name}")
        file.write_bytes(b"there may be code in it")
        at_s = (clock.unix_ms() - days_ago * _DAY_MS) / 1000.0
        os.utime(file, (at_s, at_s))
    _record_one(path, clock, TelemetryOptions(code_retention_days=30)).close()
    assert [file.name for file in path.parent.glob("*damaged*")] == ["telemetry.db.damaged-new"]


def test_purge_leaves_nothing_in_the_files(path: Path, clock: FakeClock) -> None:
    _fill(path, clock, [1, 2]).close()
    (path.parent / "telemetry.db.damaged-20260101T000000").write_bytes(b"old")
    assert b"distinctive_text" in b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert purge(path, clock.unix_ms()) == Purged(2, 2, 1)
    assert b"distinctive_text" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert _counts(path) == (0, 0, 0)


def test_purge_while_a_server_is_running(path: Path, clock: FakeClock) -> None:
    recorder = _fill(path, clock, [1, 2])
    purge(path, clock.unix_ms())
    recorder.record(Event(RequestId("0"), EventKind.DISMISSED, clock.unix_ms(), {"exact": True}))  # of a purged one
    recorder.record(Event(RequestId("new"), EventKind.REQUESTED, clock.unix_ms(), {"language": "python"}))
    assert recorder.flush()
    recorder.close()
    assert recorder.status.n_dropped == 0
    with reading(path, 0.0) as db:
        assert db is not None
        row = db.execute(
            "SELECT uid, text FROM completions"
            " JOIN sessions ON sessions.id = session_id JOIN names ON names.id = language"
        ).fetchall()
    assert [tuple(each) for each in row] == [("s", "python")]


def test_purge_of_the_older_part_or_of_code(path: Path, clock: FakeClock) -> None:
    session = SessionInfo("long over", int(clock.unix_ms() - 100 * _DAY_MS), "0")
    with closing(connect_writing(path, clock.unix_ms())) as db:
        Writer(db, session).write([])
    _fill(path, clock, [100, 1]).close()
    assert purge(path, clock.unix_ms(), before_ms=clock.unix_ms() - 30 * _DAY_MS) == Purged(1, 1)
    assert _counts(path) == (1, 1, 1)
    with reading(path, 0.0) as db:
        assert db is not None
        assert [uid for (uid,) in db.execute("SELECT uid FROM sessions")] == ["s"]
    assert purge(path, clock.unix_ms(), only_code=True) == Purged(0, 1)
    assert _counts(path) == (1, 1, 0)


def test_purge_without_a_file(path: Path, clock: FakeClock) -> None:
    assert purge(path, clock.unix_ms()) == Purged(0, 0)
    assert not path.exists()


def test_purge_of_what_cannot_be_read(path: Path, clock: FakeClock) -> None:
    path.write_bytes(b"garbage" * 100)
    assert purge(path, clock.unix_ms()) == Purged(0, 0, 1)
    db = connect_writing(path, 0.0)
    db.execute("INSERT INTO migrations VALUES ('m999_of_the_future', 0)")
    db.close()
    with pytest.raises(StoreNewerError):
        purge(path, clock.unix_ms(), only_code=True)
    assert purge(path, clock.unix_ms()).n_files >= 1
    assert not path.exists()


def test_code_is_kept_only_when_allowed_and_redacted(path: Path, clock: FakeClock) -> None:
    for name, options in (("off", TelemetryOptions()), ("on", TelemetryOptions(store_code=True))):
        recorder = Recorder(path, SessionInfo(name, 0, "0"), options, clock)
        recorder.record(Event(RequestId("r"), EventKind.REQUESTED, clock.unix_ms()))
        recorder.record_code(RequestId("r"), "accepted", f"login('{name}', password='hunter2hunter2')")
        assert recorder.flush()
        recorder.close()
    with reading(path, 0.0) as db:
        assert db is not None
        texts = [text for (text,) in db.execute("SELECT text FROM code")]
    assert texts == ["login('on', password='<redacted:assigned>')"]


def test_unknown_fields_and_long_texts_are_not_kept(path: Path, clock: FakeClock) -> None:
    recorder = Recorder(path, SessionInfo("s", 0, "0"), TelemetryOptions(), clock)
    fields = {"text": "secret_code()", "language": "python", "reason": "x" * 5000, "n_chars": "secret_code()"}
    recorder.record(Event(RequestId("r"), EventKind.REJECTED, clock.unix_ms(), fields))
    assert recorder.flush()
    recorder.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"python" in content
    assert b"secret_code" not in content
    assert b"x" * 201 not in content
