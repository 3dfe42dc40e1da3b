"""Everything that a starting server needs of telemetry, put together."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fimble.core.config import Layer, TelemetryOptions
from fimble.core.ports import Clock
from fimble.telemetry.database import FILE_NAME, StoreError, reading
from fimble.telemetry.experiments import Assignment, assign, running
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.tracker import CompletionTracker
from fimble.telemetry.writer import SessionInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One session's counting. `watcher` is the sink for all events, and is told of edits; close it, then `recorder`."""

    watcher: CompletionTracker
    recorder: Recorder
    arm_layer: Layer | None  # settings of the experiment's arm, to be laid over all others

    def close(self) -> None:
        """The session ends."""
        self.watcher.close()
        self.recorder.close()


def start_telemetry(
    options: TelemetryOptions,
    state: Path,
    clock: Clock,
    version: str,
    *,
    infers_shown: bool = True,
    on_problem: Callable[[StoreError], None] | None = None,
) -> Telemetry | None:
    """Begin a session; None where the user switched counting off: no file is made or touched then.

    Nothing here raises for what is wrong with the file: `on_problem` is told once, on another thread.
    """
    if not options.enabled:
        return None
    path = state / FILE_NAME
    uid = uuid.uuid4().hex
    now_ms = clock.unix_ms()
    part = _assignment(path, uid, now_ms)
    session = SessionInfo(uid, int(now_ms), version, part and part.participation, part and part.arm_label)
    recorder = Recorder(path, session, options, clock, on_problem=on_problem)
    code_sink = recorder if options.store_code else None
    tracker = CompletionTracker(recorder, clock, infers_shown=infers_shown, code_sink=code_sink)
    return Telemetry(tracker, recorder, part and part.layer)


def _assignment(path: Path, uid: str, now_ms: float) -> Assignment | None:
    try:
        with reading(path, now_ms) as db:
            experiment = running(db) if db is not None else None
    except StoreError as error:
        _log.info("no experiment: %s", error.message)  # the recorder will tell the user what is wrong
        return None
    return assign(experiment, uid, now_ms) if experiment is not None else None
