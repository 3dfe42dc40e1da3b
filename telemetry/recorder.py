"""Takes events at once and writes them later, on a thread of its own: typing never waits for the disk.

Whatever is wrong with the file, `record` neither blocks nor raises; the user is told once what is wrong.
"""

from __future__ import annotations

import atexit
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fimble.core.config import TelemetryOptions
from fimble.core.errors import invariant_broken
from fimble.core.flow import Event, RequestId
from fimble.core.ports import Clock
from fimble.telemetry.database import (
    StoreCorruptError,
    StoreError,
    StoreNewerError,
    StoreUnavailableError,
    connect_writing,
    explain,
    inode_of,
    move_aside,
)
from fimble.telemetry.retention import expire, expire_damaged
from fimble.telemetry.writer import CodePart, SessionInfo, Writer

_log = logging.getLogger(__name__)

# Some seconds of the fastest use; about 20 MB. Beyond that events are dropped, and counted.
_MAX_WAITING: Final = 20_000
_BATCH_S: Final = 0.25
_RETRY_S: Final = 30.0
# Trying these again would fail again.
_OUR_BUGS: Final = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
_EXPIRE_EVERY_MS: Final = 86_400_000.0


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How recording goes. `problem` is what is wrong now, if anything."""

    n_written: int
    n_dropped: int
    problem: StoreError | None


class _Flush:
    """Put among the events: everything before it is to be written now."""

    def __init__(self, *, is_last: bool = False) -> None:
        self.done = threading.Event()
        self.is_last = is_last


class Recorder:
    """The EventSink and CodeSink ports over a file. `record` may be called from any thread."""

    def __init__(
        self,
        path: Path,
        session: SessionInfo,
        options: TelemetryOptions,
        clock: Clock,
        *,
        on_problem: Callable[[StoreError], None] | None = None,
        retry_s: float = _RETRY_S,
    ) -> None:
        """Begin to take events. `on_problem` is called on the writing thread, once for each kind of problem."""
        self._path = path
        self._session = session
        self._options = options
        self._clock = clock
        self._on_problem = on_problem
        self._retry_s = retry_s
        self._queue: queue.SimpleQueue[Event | CodePart | _Flush] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._is_closed = False
        self._n_written = 0
        self._n_dropped = 0
        self._problem: StoreError | None = None
        self._told: set[type[StoreError]] = set()
        # Of the writing thread alone.
        self._writer: Writer | None = None
        self._db: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._retry_at_s = 0.0
        self._expire_at_ms = 0.0
        self._thread = threading.Thread(target=self._run, name="fimble-telemetry", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def record(self, event: Event) -> None:
        """Take an event; never blocks, never raises."""
        self._put(event)

    def record_code(self, request_id: RequestId, part: str, text: str) -> None:
        """Keep a piece of the user's code, where they turned that on."""
        if self._options.store_code:
            self._put(CodePart(request_id, part, text, self._clock.unix_ms()))

    @property
    def status(self) -> RecorderStatus:
        """For doctor and tests."""
        return RecorderStatus(self._n_written, self._n_dropped, self._problem)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything taken so far was written, or could not be; False where that took too long."""
        if not self._thread.is_alive():
            return False
        mark = _Flush()
        self._queue.put(mark)
        self._hurry.set()
        return mark.done.wait(timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what is there and end the session. Does nothing the second time."""
        if self._is_closed:
            return
        self._is_closed = True
        atexit.unregister(self.close)
        mark = _Flush(is_last=True)
        self._queue.put(mark)
        self._hurry.set()
        self._thread.join(timeout_s)

    def _put(self, item: Event | CodePart) -> None:
        if self._is_closed or isinstance(self._problem, StoreNewerError) or self._queue.qsize() >= _MAX_WAITING:
            self._n_dropped += 1
            return
        self._queue.put(item)

    # The writing thread.

    def _run(self) -> None:
        waiting: list[Event | CodePart] = []
        while True:
            marks = self._take(waiting)
            is_last = any(mark.is_last for mark in marks)
            if len(waiting) > _MAX_WAITING:
                self._n_dropped += len(waiting) - _MAX_WAITING
                del waiting[:-_MAX_WAITING]
            try:
                self._write(waiting, is_forced=bool(marks))
                if is_last:
                    self._end()
            except Exception as error:  # a bug of ours must not end the thread, or nothing would be counted any more
                self._n_dropped += len(waiting)
                waiting.clear()
                with suppress(AssertionError):
                    invariant_broken(f"telemetry recorder: {error!r}")
            for mark in marks:
                mark.done.set()
            if is_last:
                return

    def _take(self, waiting: list[Event | CodePart]) -> list[_Flush]:
        """Move what is there to `waiting`. Sleeps until something comes, then a little, so that more comes along."""
        marks: list[_Flush] = []
        timeout_s = max(0.0, self._retry_at_s - time.monotonic()) if waiting else None
        with suppress(queue.Empty):
            self._sort_in(self._queue.get(timeout=timeout_s), waiting, marks)
        if not marks:
            self._hurry.wait(_BATCH_S)
        self._hurry.clear()
        with suppress(queue.Empty):
            while len(waiting) <= _MAX_WAITING:
                self._sort_in(self._queue.get_nowait(), waiting, marks)
        return marks

    @staticmethod
    def _sort_in(item: Event | CodePart | _Flush, waiting: list[Event | CodePart], marks: list[_Flush]) -> None:
        if isinstance(item, _Flush):
            marks.append(item)
        else:
            waiting.append(item)

    def _write(self, waiting: list[Event | CodePart], *, is_forced: bool) -> None:
        """Empty `waiting` into the file. What cannot be written now stays, to be tried again."""
        if not waiting or (time.monotonic() < self._retry_at_s and not is_forced):
            return
        for _ in range(2):  # once more after a damaged file was moved aside
            try:
                self._open().write(waiting)
            except StoreCorruptError as error:
                self._begin_anew(error)
                continue
            except StoreNewerError as error:
                self._tell(error)
                break
            except StoreError as error:
                self._tell(error)
                self._retry_at_s = time.monotonic() + self._retry_s
                return
            except sqlite3.DatabaseError as error:
                if isinstance(error, _OUR_BUGS):
                    raise
                self._close_file()
                explained = explain(error, self._path)
                if isinstance(explained, StoreCorruptError):
                    self._begin_anew(explained)
                    continue
                self._tell(explained)
                self._retry_at_s = time.monotonic() + self._retry_s
                return
            self._n_written += len(waiting)
            waiting.clear()
            self._recover()
            self._expire()
            return
        self._n_dropped += len(waiting)
        waiting.clear()

    def _open(self) -> Writer:
        # The file may have been deleted or moved aside by another process: what we held open is nobody's then.
        if self._writer is not None and inode_of(self._path) != self._inode:
            self._close_file()
        if self._writer is None:
            self._inode = inode_of(self._path)
            db = connect_writing(self._path, self._clock.unix_ms())
            self._inode = inode_of(self._path)
            self._db = db
            self._writer = Writer(db, self._session)
        return self._writer

    def _begin_anew(self, error: StoreCorruptError) -> None:
        self._close_file()
        try:
            moved = move_aside(self._path, self._inode, self._clock.unix_ms())
        except (OSError, TimeoutError) as failure:
            self._tell(
                StoreUnavailableError(f"{error.message} It could not be moved aside: {failure}.", mend=error.mend)
            )
            return
        if moved is not None:
            self._tell(
                StoreCorruptError(
                    f"The telemetry file was damaged; it is {moved} now, and counting begins anew.",
                    mend="Nothing to do. `fimble telemetry purge` deletes the damaged file.",
                )
            )

    def _expire(self) -> None:
        monotonic_ms = self._clock.monotonic_ms()  # the clock on the wall may be set back
        if monotonic_ms < self._expire_at_ms or self._db is None:
            return
        self._expire_at_ms = monotonic_ms + _EXPIRE_EVERY_MS
        now_ms = self._clock.unix_ms()
        options = self._options
        with suppress(sqlite3.Error):  # tomorrow is another day
            expire(
                self._db,
                now_ms,
                retention_days=options.retention_days,
                code_retention_days=options.code_retention_days,
            )
        expire_damaged(self._path, now_ms, code_retention_days=options.code_retention_days)

    def _end(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.end_session(self._clock.unix_ms())
        self._close_file()

    def _close_file(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.close()
        self._writer = self._db = None

    def _tell(self, problem: StoreError) -> None:
        self._problem = problem
        if type(problem) in self._told:
            return
        self._told.add(type(problem))
        _log.warning("counting completions: %s", problem)
        if self._on_problem is not None:
            try:
                self._on_problem(problem)
            except Exception:
                _log.exception("the telemetry problem could not be shown")

    def _recover(self) -> None:
        self._retry_at_s = 0.0
        if isinstance(self._problem, StoreUnavailableError):
            _log.info("counting completions works again")
        self._problem = None
