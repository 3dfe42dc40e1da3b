"""What a starting server gets, and the tables' history."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.core.ports import CodeSink, CompletionWatcher
from fimble.core.position import ByteOffset
from fimble.telemetry import migrations
from fimble.telemetry.database import StoreError, connect_writing, reading
from fimble.telemetry.experiments import Per, start, stop
from fimble.telemetry.start import start_telemetry

if TYPE_CHECKING:
    from tests.telemetry.conftest import FakeClock


def test_switched_off_nothing_is_made(tmp_path: Path, clock: FakeClock) -> None:
    assert start_telemetry(TelemetryOptions(enabled=False), tmp_path / "state", clock, "0") is None
    assert list(tmp_path.iterdir()) == []


def test_a_session(tmp_path: Path, clock: FakeClock) -> None:
    telemetry = start_telemetry(TelemetryOptions(), tmp_path, clock, "0.1.0")
    assert telemetry is not None
    watcher: CompletionWatcher = telemetry.watcher
    assert telemetry.arm_layer is None
    request = RequestId("r")
    watcher.record(Event(request, EventKind.REQUESTED, clock.unix_ms(), {"language": "python"}))
    watcher.on_open("file:///a", 1, "")
    watcher.on_answered(request, "file:///a", 1, ByteOffset(0), "", ["x = 1"])
    watcher.on_edit("file:///a", 2, ByteOffset(0), "", "x = 1")
    telemetry.close()
    with reading(tmp_path / "telemetry.db", 0.0) as db:
        assert db is not None
        assert db.execute("SELECT version, ended_ms FROM sessions").fetchone()[:] == ("0.1.0", int(clock.unix_ms()))
        assert db.execute("SELECT accepted_how FROM completions").fetchone()[0] == "whole"
        assert db.execute("SELECT count(*), sum(is_carried) FROM persistence").fetchone()[:] == (4, 4)
        assert db.execute("SELECT count(*) FROM code").fetchone()[0] == 0


def test_a_session_with_code(tmp_path: Path, clock: FakeClock) -> None:
    telemetry = start_telemetry(TelemetryOptions(store_code=True), tmp_path, clock, "0.1.0")
    assert telemetry is not None
    sink: CodeSink = telemetry.recorder
    request = RequestId("r")
    telemetry.watcher.record(Event(request, EventKind.REQUESTED, clock.unix_ms(), {}))
    sink.record_code(request, "prefix", "def f():\n    ")
    telemetry.watcher.on_answered(request, "file:///a", 1, ByteOffset(0), "", ["token = 'abcd1234'"])
    telemetry.watcher.on_edit("file:///a", 2, ByteOffset(0), "", "token = 'abcd1234'")
    telemetry.watcher.on_edit("file:///a", 3, ByteOffset(0), "token", "key")
    telemetry.close()
    with reading(tmp_path / "telemetry.db", 0.0) as db:
        assert db is not None
        code = dict(db.execute("SELECT part, text FROM code").fetchall())
    assert code == {
        "prefix": "def f():\n    ",
        "accepted": "token = '<redacted:assigned>'",
        "kept": "key = 'abcd1234'",
    }


def test_a_session_takes_its_arm(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "telemetry.db"
    db = connect_writing(path, 0.0)
    start(db, "lines", Per.SESSION, {"completion.lines": "single"}, {"completion.lines": "multi"}, clock.unix_ms())
    labels: set[str] = set()
    for _ in range(30):
        telemetry = start_telemetry(TelemetryOptions(), tmp_path, clock, "0")
        assert telemetry is not None
        assert telemetry.arm_layer is not None
        labels.add(telemetry.arm_layer.source)
        telemetry.watcher.record(Event(RequestId("r"), EventKind.REQUESTED, clock.unix_ms(), {}))
        telemetry.close()
    assert labels == {"experiment lines, arm a", "experiment lines, arm b"}
    rows = db.execute("SELECT DISTINCT text FROM completions JOIN names ON names.id = completions.arm").fetchall()
    assert sorted(text for (text,) in rows) == ["lines:a", "lines:b"]
    stop(db, clock.unix_ms())
    db.close()
    telemetry = start_telemetry(TelemetryOptions(), tmp_path, clock, "0")
    assert telemetry is not None
    assert telemetry.arm_layer is None
    telemetry.close()


def test_a_damaged_file_stops_no_server(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "telemetry.db").write_bytes(b"garbage" * 1000)
    problems: list[StoreError] = []
    told = threading.Event()
    telemetry = start_telemetry(
        TelemetryOptions(), tmp_path, clock, "0", on_problem=lambda problem: (problems.append(problem), told.set())
    )
    assert telemetry is not None
    telemetry.watcher.record(Event(RequestId("r"), EventKind.REQUESTED, clock.unix_ms(), {}))
    assert told.wait(10)
    telemetry.close()
    assert len(problems) == 1


# The tables' history.


def test_older_files_are_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "telemetry.db"
    all_of_them = migrations.MIGRATIONS
    monkeypatch.setattr(migrations, "MIGRATIONS", all_of_them[:2])
    db = connect_writing(path, 1.0)
    db.execute("INSERT INTO sessions (uid, started_ms, version) VALUES ('old', 5, '0')")
    db.close()
    monkeypatch.setattr(migrations, "MIGRATIONS", all_of_them)
    with reading(path, 2.0) as db_reading:  # reading is enough
        assert db_reading is not None
        assert migrations.applied(db_reading) == tuple(each.__name__ for each in all_of_them)
        assert db_reading.execute("SELECT uid, arm FROM sessions").fetchone()[:] == ("old", None)


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def m900_broken(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (a)")
        db.execute("this is no SQL")

    path = tmp_path / "telemetry.db"
    connect_writing(path, 1.0).close()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, m900_broken))
    with pytest.raises(StoreError):
        connect_writing(path, 2.0)
    monkeypatch.undo()
    db = connect_writing(path, 3.0)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()[0] == 0
    db.close()


def test_names_of_steps_count_up() -> None:
    names = [each.__name__ for each in migrations.MIGRATIONS]
    assert [name[:4] for name in names] == [f"m{i:03}" for i in range(1, len(names) + 1)]


def test_two_servers_may_make_the_file_at_once(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            failures.append(error)

    for i in range(10):
        path = tmp_path / str(i) / "telemetry.db"
        gate = threading.Barrier(4)

        def make(path: Path = path, gate: threading.Barrier = gate) -> None:
            gate.wait()
            connect_writing(path, 1.0).close()

        threads = [threading.Thread(target=guarded, args=(make,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
