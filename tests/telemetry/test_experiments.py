"""Experiments: lots, what counts, what is said of it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fimble.core.config import TelemetryOptions, resolve
from fimble.core.errors import InputError
from fimble.core.flow import Event, EventKind, RequestId
from fimble.telemetry.database import connect_writing, reading
from fimble.telemetry.experiments import (
    Experiment,
    Per,
    Result,
    assign,
    conclusion,
    find,
    latest,
    result,
    running,
    start,
    stop,
)
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.report import By, report
from fimble.telemetry.writer import SessionInfo

if TYPE_CHECKING:
    from tests.telemetry.conftest import FakeClock

_DAY_MS = 86_400_000.0
_A, _B = {"completion.lines": "single"}, {"completion.lines": "multi", "prompt.chunk_tokens": "128"}


@pytest.fixture(autouse=True)
def _same_lots_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "seed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect_writing(path, 0.0)
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def _work(
    path: Path, clock: FakeClock, experiment: Experiment, name: str, n_shown: int, n_accepted: int, *, ends: bool = True
) -> str:
    """One session: its arm."""
    part = assign(experiment, name, clock.unix_ms())
    session = SessionInfo(name, int(clock.unix_ms()), "0", part.participation, part.arm_label)
    recorder = Recorder(path, session, TelemetryOptions(), clock)
    for i in range(n_shown):
        clock.wait(1)
        request = RequestId(str(i))
        recorder.record(Event(request, EventKind.REQUESTED, clock.unix_ms(), {"language": "python"}))
        recorder.record(Event(request, EventKind.SHOWN, clock.unix_ms(), {"exact": True}))
        recorder.record(Event(request, EventKind.SEEN, clock.unix_ms(), {"exact": True}))
        if i < n_accepted:
            recorder.record(Event(request, EventKind.ACCEPTED, clock.unix_ms(), {"exact": True, "n_chars": 5}))
    assert recorder.flush()
    clock.wait(1)
    if ends:
        recorder.close()
    else:
        # As after kill -9: nothing says that it ended.
        recorder._is_closed = True
    return part.participation.arm


def _result(path: Path, experiment: Experiment, clock: FakeClock) -> Result:
    with reading(path, 0.0) as db:
        assert db is not None
        return result(db, experiment, clock.unix_ms())


def test_start_and_stop(db: sqlite3.Connection) -> None:
    assert running(db) is None
    begun = start(db, "lines", Per.SESSION, _A, _B, 5.0)
    assert begun.arms == {
        "a": {"completion.lines": "single"},
        "b": {"completion.lines": "multi", "prompt.chunk_tokens": 128},
    }
    assert running(db) == find(db, "lines") == latest(db) == begun
    with pytest.raises(InputError, match="is running"):
        start(db, "other", Per.DAY, _A, _B, 6.0)
    assert stop(db, 7.0).stopped_ms == 7
    with pytest.raises(InputError, match="No experiment is running"):
        stop(db, 8.0)
    with pytest.raises(InputError, match="already"):
        start(db, "lines", Per.SESSION, _A, _B, 9.0)
    assert start(db, "more", Per.DAY, {}, _B, 10.0).id != begun.id
    latest_one = latest(db)
    assert latest_one is not None
    assert latest_one.name == "more"


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ({"no.such": "1"}, {}, "no such option"),
        ({"completion.lines": "five"}, {}, "must be one of"),
        ({"model.n_ctx": "many"}, {}, "must be a number"),
        ({}, {}, "same settings"),
        ({"model.n_ctx": "2048"}, {"model.n_ctx": "2048.0"}, "same settings"),
        ({"telemetry.enabled": "false"}, {}, "cannot be part"),
    ],
)
def test_arms_that_make_no_sense(db: sqlite3.Connection, a: dict[str, str], b: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        start(db, "x", Per.SESSION, a, b, 0.0)
    assert latest(db) is None


def test_at_most_one_runs_even_if_two_are_written(db: sqlite3.Connection) -> None:
    start(db, "one", Per.SESSION, _A, _B, 0.0)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO experiments (name, per, seed, arms, started_ms) VALUES ('two', 'session', '', '{}', 0)")


def test_lots_are_fair_and_repeatable(db: sqlite3.Connection) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, 0.0)
    arms = [assign(experiment, f"session {i}", 0.0).participation.arm for i in range(1000)]
    assert 430 < Counter(arms)["a"] < 570
    assert arms == [assign(experiment, f"session {i}", 0.0).participation.arm for i in range(1000)]


def test_sessions_of_one_day_agree(db: sqlite3.Connection, clock: FakeClock) -> None:
    experiment = start(db, "lines", Per.DAY, _A, _B, 0.0)
    days = [
        {assign(experiment, f"{day} {i}", clock.unix_ms() + day * _DAY_MS).participation for i in range(5)}
        for day in range(40)
    ]
    assert all(len(day) == 1 for day in days)
    assert {part.arm for day in days for part in day} == {"a", "b"}
    (part,) = days[0]
    assert part.unit_ends_ms > clock.unix_ms()
    assert part.unit_ends_ms <= clock.unix_ms() + _DAY_MS


def test_the_arms_settings_are_a_layer(db: sqlite3.Connection) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, 0.0)
    seen: set[str] = set()
    for i in range(20):
        given = assign(experiment, str(i), 0.0)
        config, problems = resolve([given.layer])
        assert problems == ()
        assert config.completion.lines == {"a": "single", "b": "multi"}[given.participation.arm]
        seen.add(given.arm_label)
    assert seen == {"lines:a", "lines:b"}


def test_only_finished_sessions_are_weighed(path: Path, db: sqlite3.Connection, clock: FakeClock) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    arms = [_work(path, clock, experiment, f"done {i}", 10, 3) for i in range(8)]
    crashed = _work(path, clock, experiment, "crashed", 10, 10, ends=False)
    found = _result(path, experiment, clock)
    assert found.n_finished == 8
    assert [arm.n_finished for arm in found.arms] == [arms.count("a"), arms.count("b")]
    assert sum(arm.n_units for arm in found.arms) == 9
    mine = next(arm for arm in found.arms if arm.arm == crashed)
    assert mine.group.tally.n_shown == 10 * (mine.n_finished + 1)
    before = found.evidence
    clock.wait(86_401)
    after = _result(path, experiment, clock)
    assert after.n_finished == 9
    assert after.evidence != before


def test_what_comes_after_the_units_end_belongs_to_none(path: Path, db: sqlite3.Connection, clock: FakeClock) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    part = assign(experiment, "long", clock.unix_ms())
    session = SessionInfo("long", int(clock.unix_ms()), "0", part.participation, part.arm_label)
    recorder = Recorder(path, session, TelemetryOptions(), clock)
    for i in range(2):
        recorder.record(Event(RequestId(str(i)), EventKind.REQUESTED, clock.unix_ms(), {}))
        recorder.record(Event(RequestId(str(i)), EventKind.SHOWN, clock.unix_ms(), {"exact": True}))
        recorder.record(Event(RequestId(str(i)), EventKind.SEEN, clock.unix_ms(), {"exact": True}))
        clock.wait(86_500)
    assert recorder.flush()
    recorder.close()
    found = _result(path, experiment, clock)
    assert sum(arm.group.tally.n_shown for arm in found.arms) == 1
    assert found.n_finished == 1


def test_a_unit_cut_off_by_the_stop_is_not_weighed(path: Path, db: sqlite3.Connection, clock: FakeClock) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    _work(path, clock, experiment, "done", 10, 3)
    _work(path, clock, experiment, "cut", 10, 10, ends=False)
    stopped = stop(db, clock.unix_ms())
    clock.wait(3 * 86_400)
    assert _result(path, stopped, clock).n_finished == 1


def test_work_outside_of_the_experiment_does_not_count(path: Path, db: sqlite3.Connection, clock: FakeClock) -> None:
    recorder = Recorder(path, SessionInfo("before", 0, "0"), TelemetryOptions(), clock)
    recorder.record(Event(RequestId("r"), EventKind.REQUESTED, clock.unix_ms(), {}))
    recorder.record(Event(RequestId("r"), EventKind.SHOWN, clock.unix_ms(), {"exact": True}))
    recorder.record(Event(RequestId("r"), EventKind.SEEN, clock.unix_ms(), {"exact": True}))
    assert recorder.flush()
    experiment = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    recorder.record(Event(RequestId("s"), EventKind.REQUESTED, clock.unix_ms(), {}))
    recorder.record(Event(RequestId("s"), EventKind.SHOWN, clock.unix_ms(), {"exact": True}))
    recorder.record(Event(RequestId("s"), EventKind.SEEN, clock.unix_ms(), {"exact": True}))
    recorder.close()
    clock.wait(1)
    assert sum(arm.group.tally.n_shown for arm in _result(path, experiment, clock).arms) == 0


def test_conclusions(path: Path, db: sqlite3.Connection, clock: FakeClock) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    assert conclusion(_result(path, experiment, clock)).startswith("Nothing can be concluded yet")

    def one_more(i: int) -> None:
        name = f"s{i}"
        is_b = assign(experiment, name, clock.unix_ms()).participation.arm == "b"
        _work(path, clock, experiment, name, 12, 9 if is_b else 2)

    for i in range(4):
        one_more(i)
    text = conclusion(_result(path, experiment, clock))
    assert "No difference can be concluded yet" in text
    assert "not a sign that the arms are alike" in text
    for i in range(4, 30):
        one_more(i)
    found = _result(path, experiment, clock)
    text = conclusion(found)
    assert found.evidence.is_decided
    assert text.startswith("The arms differ: b is accepted more often than a (a 17 % of")
    assert "b 75 % of" in text
    assert "however often one looked" in text


def test_arms_are_a_grouping_of_stats(path: Path, db: sqlite3.Connection, clock: FakeClock) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    arms = [_work(path, clock, experiment, f"s{i}", 2, 1) for i in range(6)]
    with reading(path, 0.0) as db_reading:
        groups = report(db_reading, 0.0, clock.unix_ms() + 1, By.ARM).groups
    assert {group.label: group.tally.n_shown for group in groups} == {
        f"lines:{arm}": 2 * arms.count(arm) for arm in set(arms)
    }


def test_a_purged_experiment_does_not_stop_its_sessions(path: Path, db: sqlite3.Connection, clock: FakeClock) -> None:
    experiment = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    db.execute("DELETE FROM experiments")
    _work(path, clock, experiment, "s", 2, 1)
    assert db.execute("SELECT count(*), count(experiment_id) FROM sessions").fetchone()[:] == (1, 0)


def test_a_session_of_a_purged_experiment_takes_no_part_in_the_next_one(
    path: Path, db: sqlite3.Connection, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    purged = start(db, "lines", Per.SESSION, _A, _B, clock.unix_ms())
    db.execute("DELETE FROM experiments")
    monkeypatch.setattr("secrets.token_hex", lambda _: "another seed")
    begun = start(db, "more", Per.SESSION, {}, _B, clock.unix_ms())
    assert begun.id == purged.id
    _work(path, clock, purged, "s", 2, 1)
    assert [arm.n_units for arm in _result(path, begun, clock).arms] == [0, 0]
