"""Recording while everything goes wrong: events are kept where possible, callers never notice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.telemetry import database, recorder
from fimble.telemetry.database import (
    StoreCorruptError,
    StoreError,
    StoreNewerError,
    StoreUnavailableError,
    connect_writing,
    reading,
)
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.writer import SessionInfo

if TYPE_CHECKING:
    from tests.telemetry.conftest import FakeClock

OPTIONS = TelemetryOptions()
_NOBODY = 65534

# A server of its own: records events one by one, says how many are written, until it is ended.
_SERVER = """
import sys, time
from pathlib import Path
from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.engine.clock import SystemClock
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.writer import SessionInfo

path, name, n_events, n_between = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
clock = SystemClock()
recorder = Recorder(path, SessionInfo(name, int(clock.unix_ms()), "0"), TelemetryOptions(), clock)
for i in range(n_events):
    recorder.record(Event(RequestId(str(i)), EventKind.REQUESTED, clock.unix_ms(), {"language": "python"}))
    if i % n_between == n_between - 1:
        assert recorder.flush(60)
        print(recorder.status.n_written, flush=True)
recorder.close(60)
"""


def _requested(i: int) -> Event:
    return Event(RequestId(str(i)), EventKind.REQUESTED, 1_795_262_400_000.0 + i, {"language": "python"})


def _n_rows(path: Path) -> int:
    with reading(path, 0.0) as db:
        return 0 if db is None else db.execute("SELECT count(*) FROM completions").fetchone()[0]


def _is_sound(path: Path) -> bool:
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "telemetry.db"


@pytest.fixture
def problems() -> list[StoreError]:
    return []


@pytest.fixture
def start(clock: FakeClock, problems: list[StoreError]) -> Iterator[Callable[[Path], Recorder]]:
    """Starts recorders and ends them."""
    started: list[Recorder] = []

    def _start(path: Path) -> Recorder:
        session = SessionInfo(f"session {len(started)}", 0, "0.1.0")
        started.append(Recorder(path, session, OPTIONS, clock, on_problem=problems.append, retry_s=0.05))
        return started[-1]

    yield _start
    for each in started:
        each.close()


def test_events_are_written(path: Path, start: Callable[[Path], Recorder]) -> None:
    recorder = start(path)
    for i in range(10):
        recorder.record(_requested(i))
    assert recorder.flush()
    assert _n_rows(path) == 10
    assert recorder.status == recorder.status.__class__(10, 0, None)


def test_only_this_user_may_read_the_file(path: Path, start: Callable[[Path], Recorder]) -> None:
    recorder = start(path)
    recorder.record(_requested(0))
    assert recorder.flush()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_closing_writes_what_is_there_and_ends_the_session(path: Path, start: Callable[[Path], Recorder]) -> None:
    recorder = start(path)
    recorder.record(_requested(0))
    recorder.close()
    recorder.close()
    recorder.record(_requested(1))  # too late, and no harm
    assert not recorder.flush()
    with reading(path, 0.0) as db:
        assert db is not None
        assert db.execute("SELECT count(*) FROM sessions WHERE ended_ms IS NOT NULL").fetchone()[0] == 1
    assert _n_rows(path) == 1


def test_many_threads_may_record(path: Path, start: Callable[[Path], Recorder]) -> None:
    recorder = start(path)

    def work(first: int) -> None:
        for i in range(first, first + 500):
            recorder.record(_requested(i))

    threads = [threading.Thread(target=work, args=(n * 500,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.flush()
    assert _n_rows(path) == 2000


def test_a_flood_is_dropped_and_counted(
    path: Path, start: Callable[[Path], Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_MAX_WAITING", 100)
    held = threading.Event()
    monkeypatch.setattr(database, "migrate", lambda *_: held.wait(10))
    recording = start(path)
    recording.record(_requested(0))
    while not path.exists():
        time.sleep(0.01)
    for i in range(500):
        recording.record(_requested(i))
    assert recording.status.n_dropped >= 300
    held.set()


def test_two_servers_at_once(path: Path) -> None:
    servers = [
        subprocess.Popen([sys.executable, "-c", _SERVER, str(path), name, "1500", "50"], stdout=subprocess.DEVNULL)
        for name in ("one", "two")
    ]
    assert [server.wait(120) for server in servers] == [0, 0]
    assert _n_rows(path) == 3000
    assert _is_sound(path)
    with reading(path, 0.0) as db:
        assert db is not None
        assert db.execute("SELECT count(*), count(ended_ms) FROM sessions").fetchone()[:] == (2, 2)
        assert db.execute("SELECT count(*) FROM names").fetchone()[0] == 1


def test_killed_in_the_middle_of_writing(path: Path) -> None:
    for round_ in range(3):
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(path), f"run {round_}", "1000000", "20"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        n_written = 0
        for _ in range(3 + 4 * round_):
            n_written = int(server.stdout.readline())
        before = _n_rows(path)
        assert before >= n_written
        server.send_signal(signal.SIGKILL)
        server.wait(30)
        server.stdout.close()
        assert _n_rows(path) >= before
        assert _is_sound(path)


def test_folder_that_is_a_file(tmp_path: Path, start: Callable[[Path], Recorder], problems: list[StoreError]) -> None:
    (tmp_path / "state").write_text("in the way")
    recorder = start(tmp_path / "state" / "telemetry.db")
    for i in range(3):
        recorder.record(_requested(i))
        assert recorder.flush()
    assert [type(problem) for problem in problems] == [StoreUnavailableError]
    assert "telemetry.enabled" in problems[0].mend
    (tmp_path / "state").unlink()
    recorder.record(_requested(3))
    assert recorder.flush()
    assert _n_rows(tmp_path / "state" / "telemetry.db") == 4  # the first ones had been kept
    assert recorder.status.problem is None


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder that the test, which may run as root, can only read."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o555)
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(_NOBODY)
        yield Path(folder)
        if was_root:
            os.seteuid(0)
        os.chmod(folder, 0o755)


def test_read_only_folder(foreign_folder: Path, start: Callable[[Path], Recorder], problems: list[StoreError]) -> None:
    recorder = start(foreign_folder / "state" / "telemetry.db")
    for i in range(3):
        recorder.record(_requested(i))
        assert recorder.flush()
    recorder.close()
    assert [type(problem) for problem in problems] == [StoreUnavailableError]
    assert list(foreign_folder.iterdir()) == []


def test_read_only_folder_can_be_read(path: Path, start: Callable[[Path], Recorder]) -> None:
    recorder = start(path)
    recorder.record(_requested(0))
    recorder.close()
    os.chmod(path.parent, 0o555)
    os.chmod(path, 0o444)
    try:
        assert _n_rows(path) == 1
    finally:
        os.chmod(path.parent, 0o755)


_ON_FULL_DISK = """
import sys, time
from pathlib import Path
from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.engine.clock import SystemClock
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.writer import SessionInfo

folder, clock, problems = Path(sys.argv[1]), SystemClock(), []
recorder = Recorder(
    folder / "telemetry.db", SessionInfo("s", 0, "0"), TelemetryOptions(), clock,
    on_problem=problems.append, retry_s=0.05,
)
def send(first, last):
    for i in range(first, last):
        name = f"language number {i} " * 8
        recorder.record(Event(RequestId(str(i)), EventKind.REQUESTED, clock.unix_ms(), {"language": name}))
    assert recorder.flush(60)
send(0, 50)
assert recorder.status.problem is None and recorder.status.n_written == 50, problems
filler = folder / "filler"
try:
    filler.write_bytes(b"x" * 4_000_000)
except OSError:
    pass
n = 50
while recorder.status.problem is None and n < 20000:
    send(n, n + 200)
    n += 200
send(n, n + 200)
n += 200
assert [type(problem).__name__ for problem in problems] == ["StoreUnavailableError"], problems
print(problems[0])
filler.unlink()
time.sleep(0.1)
send(n, n + 1)
assert recorder.status.problem is None, recorder.status
print(recorder.status.n_written, n + 1)
"""


def test_full_disk(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted by root")
    command = f'mount -t tmpfs -o size=1500k tmpfs "{tmp_path}" && exec "{sys.executable}" -c "$0" "{tmp_path}"'
    probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True)
    if probe.returncode:
        pytest.skip("no small disk can be mounted here")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, _ON_FULL_DISK], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    *message, counts = done.stdout.strip().splitlines()
    assert "No room on the disk" in message[0]
    n_written, n_sent = counts.split()
    assert n_written == n_sent  # nothing was lost, the disk being full only for a while


def test_failing_writes_leave_the_callers_alone(path: Path) -> None:
    """The same without root: the system refuses to let the file grow."""
    script = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))\n" + _SERVER
    )
    command = [sys.executable, "-c", script, str(path), "small", "300", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("counting completions") == 1
    assert _is_sound(path)


def test_file_of_a_newer_fimble(path: Path, start: Callable[[Path], Recorder], problems: list[StoreError]) -> None:
    db = connect_writing(path, 0.0)
    db.execute("INSERT INTO migrations VALUES ('m999_of_the_future', 0)")
    db.close()
    before = path.read_bytes()
    recorder = start(path)
    for i in range(3):
        recorder.record(_requested(i))
        assert recorder.flush()
    assert [type(problem) for problem in problems] == [StoreNewerError]
    assert "m999_of_the_future" in problems[0].message
    assert recorder.status.n_dropped == 3
    recorder.close()
    assert path.read_bytes() == before
    with pytest.raises(StoreNewerError), reading(path, 0.0):
        pass


def test_file_that_is_no_database(path: Path, start: Callable[[Path], Recorder], problems: list[StoreError]) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was a database once\n" * 100)
    with pytest.raises(StoreCorruptError), reading(path, 0.0):
        pass
    recorder = start(path)
    recorder.record(_requested(0))
    assert recorder.flush()
    assert [type(problem) for problem in problems] == [StoreCorruptError]
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_bytes().startswith(b"this was a database")
    assert str(aside) in problems[0].message
    assert _n_rows(path) == 1


def test_file_damaged_while_in_use(path: Path, start: Callable[[Path], Recorder], problems: list[StoreError]) -> None:
    recorder, other = start(path), start(path)
    for i in range(2000):
        recorder.record(_requested(i))
    assert recorder.flush()
    other.record(_requested(0))
    assert other.flush()
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    for i in range(3000, 3010):
        recorder.record(_requested(i))
        other.record(_requested(i))
    assert recorder.flush()
    assert other.flush()
    damaged = [file for file in path.parent.glob("*.damaged-*") if file.name.count("-") == 1]
    assert len(damaged) == 1, "both saw the damage, one moved the file"
    assert len(problems) == 1
    assert _is_sound(path)
    assert _n_rows(path) == 20


def test_file_deleted_while_in_use(path: Path, start: Callable[[Path], Recorder]) -> None:
    recorder = start(path)
    recorder.record(_requested(0))
    assert recorder.flush()
    for file in path.parent.iterdir():
        file.unlink()
    recorder.record(_requested(1))
    assert recorder.flush()
    assert _n_rows(path) == 1


def test_locked_for_long(path: Path, start: Callable[[Path], Recorder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_S", 0.05)
    recorder = start(path)
    recorder.record(_requested(0))
    assert recorder.flush()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    recorder.record(_requested(1))
    assert recorder.flush()
    assert isinstance(recorder.status.problem, StoreUnavailableError)
    db.execute("ROLLBACK")
    db.close()
    recorder.record(_requested(2))
    assert recorder.flush()
    assert _n_rows(path) == 3


def test_a_broken_listener_does_no_harm(path: Path, clock: FakeClock) -> None:
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 100)

    def fail(problem: StoreError) -> None:
        raise RuntimeError("the editor is gone")

    recorder = Recorder(path, SessionInfo("s", 0, "0"), OPTIONS, clock, on_problem=fail)
    recorder.record(_requested(0))
    assert recorder.flush()
    recorder.close()
    assert _n_rows(path) == 1
