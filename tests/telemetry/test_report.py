"""Queries: what they count by, that they use the indexes, and that an empty store is a report too."""

from __future__ import annotations

import random
import re
import runpy
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fimble.core.config import TelemetryOptions
from fimble.core.errors import InputError
from fimble.core.flow import Event, EventKind, RequestId
from fimble.telemetry.database import connect_writing, reading
from fimble.telemetry.period import moment
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.report import (
    By,
    Choice,
    first_id_query,
    kept_query,
    local_day,
    report,
    request_query,
    suggestion_query,
)
from fimble.telemetry.serialize import flat_data, report_data
from fimble.telemetry.writer import SessionInfo

if TYPE_CHECKING:
    from tests.telemetry.conftest import FakeClock

_DAY_MS = 86_400_000.0


@pytest.fixture
def filled(tmp_path: Path, clock: FakeClock) -> Path:
    """Some thousand events as the benchmark makes them, over ten days."""
    path = tmp_path / "telemetry.db"
    life: Any = runpy.run_path(str(Path(__file__).with_name("bench_events.py")))["life"]
    recorder = Recorder(path, SessionInfo("s", 0, "0"), TelemetryOptions(), clock)
    rng = random.Random(2)
    for i in range(2000):
        for event in life(rng, i, clock.unix_ms() - 10 * _DAY_MS + i / 2000 * 10 * _DAY_MS):
            recorder.record(event)
    assert recorder.flush()
    recorder.close()
    return path


def _plan(db: sqlite3.Connection, query: str, parameters: object) -> str:
    return "\n".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + query, parameters))  # type: ignore[call-overload]


@pytest.mark.parametrize("by", [None, *By])
def test_queries_read_from_the_first_row_in_time(filled: Path, clock: FakeClock, by: By | None) -> None:
    choice = Choice(clock.unix_ms() - _DAY_MS, clock.unix_ms())
    parameters = {"since_ms": choice.since_ms, "until_ms": choice.until_ms, "first_id": 1, "model_source": 1}
    with reading(filled, 0.0) as db:
        assert db is not None
        for query in (request_query, suggestion_query, kept_query):
            plan = _plan(db, query(choice, by), parameters)
            assert "SEARCH completions USING INTEGER PRIMARY KEY (rowid>?)" in plan
            assert "SCAN" not in plan
        assert "SEARCH persistence USING PRIMARY KEY" in _plan(db, kept_query(choice, by), parameters)
        assert "USING COVERING INDEX completions_by_time" in _plan(db, first_id_query(), (0,))


def test_events_find_their_row_by_index(filled: Path) -> None:
    db = connect_writing(filled, 0.0)
    for query in ("UPDATE completions SET seen_ms = 1 WHERE key = 5", "DELETE FROM completions WHERE requested_ms < 5"):
        assert re.search(r"SEARCH completions USING (COVERING )?INDEX completions_by_", _plan(db, query, ()))
    db.close()


def test_every_grouping_adds_up(filled: Path, clock: FakeClock) -> None:
    until_ms = clock.unix_ms() + _DAY_MS
    with reading(filled, 0.0) as db:
        assert db is not None
        total = report(db, 0.0, until_ms).total
        assert total.tally.n_requested == 2000
        assert total.tally.n_answered + total.tally.n_rejected == 2000
        assert total.kept[0].n == total.tally.n_accepted > 50
        for by in By:
            found = report(db, 0.0, until_ms, by)
            assert (found.total.tally, found.total.latency) == (total.tally, total.latency)
            assert [kept.kept for kept in found.total.kept] == pytest.approx([kept.kept for kept in total.kept])
            assert sum(group.tally.n_shown for group in found.groups) == total.tally.n_shown
            assert sum(group.kept[3].n_kept_chars for group in found.groups) == total.n_kept_chars
        assert len(report(db, 0.0, until_ms, By.LANGUAGE).groups) == 6
        assert [group.label for group in report(db, 0.0, until_ms, By.CLIENT).groups] == ["vscode 1.140"]


def test_counts_agree_with_the_plainest_query(filled: Path, clock: FakeClock) -> None:
    since_ms, until_ms = clock.unix_ms() - 3 * _DAY_MS, clock.unix_ms() - _DAY_MS
    with reading(filled, 0.0) as db:
        assert db is not None
        found = report(db, since_ms, until_ms).total
        rows = db.execute(
            "SELECT *, (SELECT text FROM names WHERE names.id = source) AS source_name FROM completions"
        ).fetchall()
    rows = [row for row in rows if since_ms <= row["requested_ms"] < until_ms]
    assert found.tally.n_requested == len(rows) == 400
    shown = [row for row in rows if row["seen_ms"] is not None or row["accepted_ms"] is not None]
    assert found.tally.n_shown == len(shown)
    assert found.tally.n_accepted == sum(row["accepted_ms"] is not None for row in rows)
    times = sorted(row["total_ms"] for row in rows if row["source_name"] == "model")
    assert found.latency is not None
    assert found.latency.p50_ms == times[(len(times) + 1) // 2 - 1]


def test_days_are_the_machines_own(filled: Path, clock: FakeClock) -> None:
    with reading(filled, 0.0) as db:
        assert db is not None
        found = report(db, 0.0, clock.unix_ms() + _DAY_MS, By.DAY)
        (first_ms,) = db.execute("SELECT min(requested_ms) FROM completions").fetchone()
    labels = [group.label for group in found.groups]
    assert labels == sorted(labels)
    assert labels[0] == local_day(first_ms)
    assert len(labels) in (10, 11)


def test_late_rows_of_an_earlier_time_are_found(tmp_path: Path, clock: FakeClock) -> None:
    """A server whose disk was full writes old events after another's newer ones."""
    path = tmp_path / "telemetry.db"
    recorder = Recorder(path, SessionInfo("s", 0, "0"), TelemetryOptions(), clock)
    for i, days_ago in enumerate((1, 9, 2)):
        recorder.record(Event(RequestId(str(i)), EventKind.REQUESTED, clock.unix_ms() - days_ago * _DAY_MS))
    assert recorder.flush()
    recorder.close()
    with reading(path, 0.0) as db:
        for since_days, n in ((3, 2), (10, 3), (1.5, 1)):
            found = report(db, clock.unix_ms() - since_days * _DAY_MS, clock.unix_ms())
            assert found.total.tally.n_requested == n


def test_an_empty_store_is_a_report_too(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    for exists in (False, True):
        if exists:
            connect_writing(path, 0.0).close()
        with reading(path, 0.0) as db:
            assert (db is not None) == exists
            found = report(db, 0.0, 4e12, By.LANGUAGE)
        assert found.total.tally.car is None
        assert found.groups == ()
        assert report_data(found)["total"]["shown"] == 0


def test_rows_of_a_table_have_the_same_columns(filled: Path, clock: FakeClock) -> None:
    with reading(filled, 0.0) as db:
        found = report(db, 0.0, clock.unix_ms() + _DAY_MS, By.NODE)
    with reading(filled.parent / "none.db", 0.0) as db:
        empty = report(db, 0.0, 1.0)
    columns = [list(flat_data(group)) for group in (*found.groups, found.total, empty.total)]
    assert all(each == columns[0] for each in columns)
    assert "persistence.300.cpr.value" in columns[0]


@pytest.mark.parametrize(
    ("text", "ms_ago"),
    [("7d", 7 * _DAY_MS), ("24h", _DAY_MS), ("90m", 5_400_000.0), ("2w", 14 * _DAY_MS), (" 1D ", _DAY_MS)],
)
def test_periods(text: str, ms_ago: float) -> None:
    assert moment(text, 1e12) == 1e12 - ms_ago


def test_days_and_all() -> None:
    assert moment("all", 1e12) == 0.0
    assert local_day(moment("2026-11-01", 1e12)) == "2026-11-01"
    assert moment("999999d", 1e12) == 0.0


@pytest.mark.parametrize("text", ["", "7", "yesterday", "2026-13-01", "-3d", "3y"])
def test_no_periods(text: str) -> None:
    with pytest.raises(InputError, match="no stretch of time"):
        moment(text, 1e12)
