"""A million events through the recorder, then `stats`: how long they take and how large the file gets.

Run by hand: nice -n 10 python tests/telemetry/bench_events.py [N_EVENTS]. No test: times depend on the machine.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.engine.clock import SystemClock
from fimble.telemetry.database import reading
from fimble.telemetry.persistence import HORIZONS_S
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.report import By, report
from fimble.telemetry.writer import SessionInfo

_DAY_MS = 86_400_000.0
_N_DAYS = 90
_LANGUAGES = ("python", "typescript", "rust", "go", "c", "java")
_NODES = ("call", "block", "assignment", "argument_list", "import_statement", "string", "comment", "if_statement")


def life(rng: random.Random, i: int, at_ms: float) -> Iterator[Event]:
    """All events of one request: half of them cancelled by the next key, a fifth of the shown ones accepted."""
    request = RequestId(f"0123abcd-{i}")
    asked = {
        "language": rng.choice(_LANGUAGES), "node_kind": rng.choice(_NODES), "model": "qwen2.5-coder-0.5b",
        "client": "vscode 1.140", "trigger": "automatic", "context_sources": "open_files,symbols",
    }  # fmt: skip
    yield Event(request, EventKind.REQUESTED, at_ms, asked)
    cost = {
        "n_prompt_tokens": rng.randrange(200, 1500), "n_reused_tokens": rng.randrange(0, 200),
        "n_generated_tokens": rng.randrange(1, 60), "queue_ms": rng.random() * 5, "prompt_ms": rng.random() * 200,
        "first_token_ms": rng.random() * 300, "total_ms": rng.lognormvariate(5.5, 0.6),
    }  # fmt: skip
    if rng.random() < 0.5:
        yield Event(request, EventKind.REJECTED, at_ms, {**cost, "reason": rng.choice(("cancelled", "empty", "blank"))})
        return
    n_chars = rng.randrange(3, 120)
    yield Event(
        request,
        EventKind.ANSWERED,
        at_ms,
        {**cost, "source": rng.choice(("model", "model", "cache", "type_through")), "confidence": rng.random(),
         "n_chars": n_chars, "n_lines": 1 + n_chars // 40, "stop_reason": "end_of_middle"},
    )  # fmt: skip
    if rng.random() < 0.4:
        return
    yield Event(request, EventKind.SHOWN, at_ms + 250, {"exact": True})
    if rng.random() < 0.4:
        yield Event(request, EventKind.DISMISSED, at_ms + 500, {"exact": False, "visible_ms": 250.0})
        return
    yield Event(request, EventKind.SEEN, at_ms + 1000, {"exact": True})
    if rng.random() < 0.6:
        yield Event(request, EventKind.REPLACED, at_ms + 2000, {"exact": False, "visible_ms": 1750.0})
        return
    yield Event(request, EventKind.ACCEPTED, at_ms + 1500, {"exact": True, "n_chars": n_chars})
    kept = 1.0
    for after_s in HORIZONS_S:
        kept *= rng.choice((1.0, 1.0, 0.9, 0.5))
        yield Event(
            request,
            EventKind.PERSISTED,
            at_ms + after_s * 1000,
            {"after_s": after_s, "kept": kept, "n_kept_chars": int(kept * n_chars), "unmodified": kept == 1.0,
             "carried": False},
        )  # fmt: skip


def main() -> None:
    """Print what it cost."""
    n_events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rng = random.Random(1)
    clock = SystemClock()
    first_ms = clock.unix_ms() - _N_DAYS * _DAY_MS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "telemetry.db"
        recorder = Recorder(path, SessionInfo("bench", int(first_ms), "0"), TelemetryOptions(), clock)
        record_us: list[float] = []
        write_s, n_done, i = 0.0, 0, 0
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = usage.ru_utime + usage.ru_stime
        while n_done < n_events:
            batch: list[Event] = []
            while len(batch) < 5000:
                batch.extend(life(rng, i, first_ms + n_done / n_events * _N_DAYS * _DAY_MS))
                i += 1
            for event in batch:
                began = time.perf_counter_ns()
                recorder.record(event)
                record_us.append((time.perf_counter_ns() - began) / 1000.0)
            began_s = time.perf_counter()
            assert recorder.flush(120)
            write_s += time.perf_counter() - began_s
            n_done += len(batch)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        assert recorder.status.n_dropped == 0
        recorder.close(60)
        record_us.sort()
        print(f"events              {n_done:,} of {i:,} requests")
        for q in (0.5, 0.99, 0.999):
            print(f"record() p{q * 100:<10g} {record_us[int(q * len(record_us))]:.1f} us")
        print(f"record() longest    {record_us[-1] / 1000:.2f} ms")
        print(f"writing, off-thread {write_s / n_done * 1e6:.1f} us an event, {n_done / write_s:,.0f} events/s")
        print(f"CPU with making     {(usage.ru_utime + usage.ru_stime - cpu_s) / n_done * 1e6:.1f} us an event")
        size = path.stat().st_size
        print(f"file                {size / 1e6:.1f} MB, {size / n_done:.0f} bytes an event, {size / i:.0f} a request")
        for by in (None, *By):
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            with reading(path, clock.unix_ms()) as db:
                found = report(db, 0.0, clock.unix_ms() + _DAY_MS, by)
            wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
            print(f"stats {by or '':13} {wall_s:.2f} s, CPU {cpu_s:.2f} s, {len(found.groups)} groups")
        car, cpr = found.total.tally.car, found.total.kept[0].cpr
        assert car is not None
        assert cpr is not None
        print(f"CAR {car.value:.3f}, CPR after 30 s {cpr.value:.3f}")


if __name__ == "__main__":
    main()
