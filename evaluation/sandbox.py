"""Runs untrusted programs confined, or not at all: our side of evaluation.confine.

Linux only, with unprivileged user namespaces or as root. Where the confinement cannot be built nothing is run;
`problem()` says why.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fimble.core.errors import FimbleError

_CONFINE = Path(__file__).with_name("confine.py")
_MIB = 1024 * 1024
# The dynamic loader, shared libraries and the programs themselves. No home folder, no /etc/passwd, no /sys.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache")
_GRACE_S = 20.0  # building and tearing down on a busy machine


class SandboxUnavailableError(FimbleError):
    """This machine cannot confine a program, so none is run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one step may use. Breaking one kills the step and all it started.

    `memory_bytes` counts what is touched, shared or not, of all its processes; `address_bytes`, if any, bounds what one
    of them may reserve.
    """

    wall_s: float = 10.0
    cpu_s: int = 10
    memory_bytes: int = 512 * _MIB
    file_bytes: int = 16 * _MIB
    folder_bytes: int = 64 * _MIB
    output_bytes: int = _MIB
    processes: int = 64
    address_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One program start. `argv[0]` is absolute. The steps after a failed `must_succeed` one are not run."""

    argv: tuple[str, ...]
    stdin: str = ""
    must_succeed: bool = False
    env: Mapping[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/bin:/bin", "HOME": "/sandbox", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    )


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended. `limit` names the limit it broke: time, memory, processes or output."""

    exit_code: int
    stdout: str
    stderr: str
    limit: str | None
    wall_ms: float


def run(
    files: Mapping[str, str], steps: Sequence[Step], limits: Limits, *, visible: Sequence[str] = ()
) -> tuple[StepResult, ...]:
    """Run `steps` one after another in one fresh `/sandbox` that holds `files`.

    `visible` are further folders of this machine that may be read (a language's runtime).

    Raises:
        SandboxUnavailableError: the confinement could not be built; nothing was run.
    """
    if platform.system() != "Linux":
        raise SandboxUnavailableError(
            "Programs under test can be confined on Linux only, so they are not run.",
            mend="Run the evaluation on Linux to get pass@1; all other numbers are there.",
        )
    with tempfile.TemporaryDirectory(prefix="fimble-sandbox-") as root:
        job = {
            "root": root,
            "visible": _existing((*_SYSTEM, *visible)),
            "files": dict(files),
            "limits": asdict(limits),
            "steps": [
                {"argv": step.argv, "stdin": step.stdin, "must_succeed": step.must_succeed, "env": dict(step.env)}
                for step in steps
            ],
        }
        report = _launch(json.dumps(job).encode("utf-8", "surrogatepass"), limits.wall_s * len(steps) + _GRACE_S)
    try:
        value = json.loads(report)
        return tuple(StepResult(**result) for result in value["results"])
    except (ValueError, KeyError) as error:
        reason = _setup_error(report)
        raise SandboxUnavailableError(
            f"Programs under test cannot be confined here, so they are not run: {reason}",
            mend="Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or "
            "kernel.apparmor_restrict_unprivileged_userns=0), or run the evaluation in a container that has them.",
        ) from error


@functools.cache
def problem() -> str | None:
    """Why this machine cannot run programs confined, or None. Tries once, with a program of our own."""
    shell = "/bin/sh"
    try:
        (result,) = run({}, [Step((shell, "-c", "echo confined"))], Limits())
    except SandboxUnavailableError as error:
        return error.message
    if result.stdout != "confined\n":
        return f"a trial program did not run: exit code {result.exit_code}, {result.stderr.strip()}"
    return None


def _launch(job: bytes, timeout_s: float) -> bytes:
    """Start the confinement, hand it the job over a pipe in memory, return what it reports."""
    spec_fd = os.memfd_create("fimble-job")
    try:
        os.write(spec_fd, job)
        os.lseek(spec_fd, 0, os.SEEK_SET)
        result_r, result_w = os.pipe()
        with open(result_r, "rb") as reader:
            try:
                process = subprocess.Popen(
                    [_interpreter(), "-I", "-S", str(_CONFINE), str(spec_fd), str(result_w)],
                    pass_fds=(spec_fd, result_w),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            finally:
                os.close(result_w)
            try:
                return _read_until_end(reader.fileno(), timeout_s)
            finally:
                _end(process)
    finally:
        os.close(spec_fd)


def _read_until_end(fd: int, timeout_s: float) -> bytes:
    deadline = time.monotonic() + timeout_s
    report = bytearray()
    while True:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return json.dumps({"setup_error": f"no answer within {timeout_s:.0f} s"}).encode()
        piece = os.read(fd, 1 << 16)
        if not piece:
            return bytes(report)
        report += piece


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill launcher, builder and init; with init gone the kernel kills all that ran inside."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _setup_error(report: bytes) -> str:
    try:
        return str(json.loads(report)["setup_error"])
    except (ValueError, KeyError):
        return "the confinement ended without a word"


def _interpreter() -> str:
    # The venv's own python would need the venv's folder inside; the base interpreter needs nothing.
    return os.path.realpath(sys.executable)


def _existing(paths: Sequence[str]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if os.path.lexists(path)]
