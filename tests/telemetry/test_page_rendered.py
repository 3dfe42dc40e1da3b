"""The report page in a real browser: drawn, and nothing refused by its own policy."""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fimble.core.config import TelemetryOptions
from fimble.core.flow import Event, EventKind, RequestId
from fimble.telemetry.database import reading
from fimble.telemetry.page import page
from fimble.telemetry.recorder import Recorder
from fimble.telemetry.writer import SessionInfo

if TYPE_CHECKING:
    from tests.telemetry.conftest import FakeClock

pytestmark = pytest.mark.e2e


@pytest.fixture
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium here")
    return found


def test_drawn(browser: str, tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "telemetry.db"
    recorder = Recorder(path, SessionInfo("s", 0, "0"), TelemetryOptions(), clock)
    for i in range(40):
        at_ms = clock.unix_ms() - (i % 8) * 86_400_000
        request = RequestId(str(i))
        recorder.record(Event(request, EventKind.REQUESTED, at_ms, {"language": "python", "model": "m"}))
        recorder.record(Event(request, EventKind.ANSWERED, at_ms, {"source": "model", "total_ms": 100.0 + i}))
        recorder.record(Event(request, EventKind.SHOWN, at_ms, {"exact": True}))
        recorder.record(Event(request, EventKind.ACCEPTED, at_ms, {"exact": True, "n_chars": 10}))
    recorder.close()
    with reading(path, 0.0) as db:
        (tmp_path / "stats.html").write_text(page(db, 0.0, clock.unix_ms() + 1.0), "utf-8")
    image = tmp_path / "stats.png"
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={image}",
            "--window-size=800,1000",
            (tmp_path / "stats.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not re.search(r"Refused|Content Security Policy|CONSOLE", done.stderr)
    # The plots' blue and the cards' grey are on the picture; a page without its style sheet has neither.
    pixels = _pixels(image.read_bytes())
    assert b"\x24\x63\xc5" in pixels
    assert b"\xf7\xf8\xfa" in pixels


def _pixels(png: bytes) -> bytes:
    """RGB of the whole picture: undoes PNG's row filters (RFC 2083, section 6)."""
    data, at = b"", 8
    width = int.from_bytes(png[16:20])
    n_channels = {2: 3, 6: 4}[png[25]]
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += 12 + size
    raw, stride = zlib.decompress(data), width * n_channels
    above = bytearray(stride)
    found = bytearray()
    for start in range(0, len(raw), stride + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for i in range(stride):
            left = row[i - n_channels] if i >= n_channels else 0
            corner = above[i - n_channels] if i >= n_channels else 0
            row[i] = (row[i] + _predicted(kind, left, above[i], corner)) & 0xFF
        above = row
        for i in range(0, stride, n_channels):
            found += row[i : i + 3]
    return bytes(found)


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    match kind:
        case 0:
            return 0
        case 1:
            return left
        case 2:
            return up
        case 3:
            return (left + up) // 2
        case _:
            guess = left + up - corner
            return min((left, up, corner), key=lambda value: abs(guess - value))
