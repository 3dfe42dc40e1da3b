"""Starting the model process, or finding the one that already serves this user."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import filelock

from fimble.backend.host.protocol import PROTOCOL_VERSION
from fimble.core.config import HostOptions
from fimble.core.errors import BackendError
from fimble.core.paths import Paths

# sockaddr_un.sun_path is 104 bytes on macOS, 108 on Linux.
_MAX_SOCKET_PATH_BYTES = 100
_START_TIMEOUT_S = 30.0
_POLL_S = 0.02
_LOG_TAIL_LINES = 3
_MAX_LOG_BYTES = 1024 * 1024

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class HostPlaces:
    """Where one user's model process listens, logs and keeps what it has read."""

    socket: Path
    lock: Path
    log: Path
    kv_states: Path


def places(paths: Paths) -> HostPlaces:
    """The places under `paths`; a socket path too long for the system moves to the temporary folder.

    Another release has another socket: what it writes with is not the code that was started before an upgrade.
    """
    name = f"host-{PROTOCOL_VERSION}-{version('fimble')}"
    socket = paths.runtime / f"{name}.sock"
    if len(os.fsencode(socket)) > _MAX_SOCKET_PATH_BYTES:
        digest = hashlib.sha256(os.fsencode(paths.runtime)).hexdigest()[:16]
        socket = Path(tempfile.gettempdir()) / f"fimble-{os.getuid()}-{digest}" / f"{name}.sock"
    return HostPlaces(socket, socket.with_suffix(".lock"), paths.state / "host.log", paths.cache / "kv")


async def connect(
    where: HostPlaces, options: HostOptions
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, subprocess.Popen[bytes] | None]:
    """A connection to the running model process, or to one started now (then with its handle).

    Cancelled, it leaves nothing behind that it has started.

    Raises:
        BackendError: it does not start, or its folder is another user's or cannot be used.
    """
    try:
        return await _find_or_start(where, options)
    except OSError as error:  # a folder that cannot be made or written, a full disk, no memory for a process
        raise BackendError(
            f"The model process could not be started or reached through {where.socket}: {error}",
            mend=f"The folders of that socket and of {where.log} must be yours to write, and the disk not full. "
            "FIMBLE_HOME moves both.",
        ) from error


def log_tail(where: HostPlaces) -> str:
    """The last lines of the model process's log, for error messages."""
    try:
        with where.log.open("r", encoding="utf-8", errors="replace") as log:
            return " | ".join(line.strip() for line in deque(log, maxlen=_LOG_TAIL_LINES) if line.strip())
    except OSError:
        return ""


async def _find_or_start(
    where: HostPlaces, options: HostOptions
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, subprocess.Popen[bytes] | None]:
    _make_private(where.socket.parent)
    if streams := await _reach(where):
        return *streams, None
    lock = filelock.FileLock(where.lock, timeout=0, thread_local=False)
    process: subprocess.Popen[bytes] | None = None
    waited_s = 0.0
    try:
        while waited_s < _START_TIMEOUT_S:
            if process is None and _try_acquire(lock):
                # Whoever holds the lock and finds nobody listening is the one to start; a stale socket goes.
                if streams := await _reach(where):
                    return *streams, None
                where.socket.unlink(missing_ok=True)
                process = _start(where, options)
            if streams := await _reach(where):
                started, process = process, None
                return *streams, started
            if process is not None and process.poll() is not None:
                break
            await asyncio.sleep(_POLL_S)
            waited_s += _POLL_S
    finally:
        # Before the lock goes: the next to take it starts another, and two would hold the weights.
        if process is not None:
            process.kill()
        if lock.is_locked:
            lock.release()
    raise BackendError(
        f"The model process did not start. {log_tail(where)}".rstrip(),
        mend=f"Its log is {where.log}; `fimble doctor` checks the installation.",
    )


async def _reach(where: HostPlaces) -> _Streams | None:
    """A connection to whoever listens; None where nobody does."""
    try:
        return await asyncio.open_unix_connection(where.socket)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def _try_acquire(lock: filelock.FileLock) -> bool:
    try:
        lock.acquire()
    except filelock.Timeout:
        return False
    return True


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    facts = folder.stat()
    if facts.st_uid != os.getuid():
        raise BackendError(
            f"{folder} belongs to another user, so the model process's socket cannot be trusted there.",
            mend="Remove the folder, or set FIMBLE_HOME to one of yours.",
        )
    if stat.S_IMODE(facts.st_mode) & 0o077:
        folder.chmod(0o700)


def _start(where: HostPlaces, options: HostOptions) -> subprocess.Popen[bytes]:
    where.log.parent.mkdir(parents=True, exist_ok=True)
    if where.log.exists() and where.log.stat().st_size > _MAX_LOG_BYTES:
        where.log.replace(where.log.with_suffix(".log.1"))
    wire = {
        "linger_s": options.linger_s,
        "idle_unload_s": options.idle_unload_s,
        "memory_limit_mb": options.memory_limit_mb,
        "niceness": options.niceness,
        "kv_folder": str(where.kv_states),
        "kv_disk_mb": options.kv_disk_mb,
    }
    command = [sys.executable, "-P", "-m", "fimble.backend.host.worker"]
    command += ["--socket", str(where.socket), "--options", json.dumps(wire)]
    with where.log.open("ab") as log:
        # Its own session: the terminal's Ctrl-C and the editor's end must not take it from other editors.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
