"""Where and with what a run was made: processor, memory, versions, code. A number without this means nothing."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = ("fimble", "llama-cpp-python", "xllamacpp", "tree-sitter", "llguidance", "rapidfuzz", "numpy")
_GRAMMARS = "tree-sitter-"
# What runs tests, and what says whether a file compiles: scores that need one are left out where it is not.
_PROGRAMS = ("g++", "gofmt", "java", "javac", "node", "rustfmt")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, system, package versions and commit."""
    return {
        "cpu": _cpu_name(),
        "n_cores": os.cpu_count(),
        "n_cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
        "versions": versions(),
        "commit": commit(),
    }


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the packages that can change a number; the ones installed."""
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    names = {(one.name or "").lower().replace("_", "-"): one.version for one in metadata.distributions()}
    return found | {name: names[name] for name in sorted(names) if name.startswith(_GRAMMARS)}


def programs() -> list[str]:
    """The compilers and runtimes that scoring uses and that are here."""
    return [name for name in _PROGRAMS if shutil.which(name)]


@functools.cache
def commit() -> str:
    """The commit of the checkout this code runs from, `+changed` where files differ from it; empty outside one."""
    here = Path(__file__).resolve().parent
    try:
        head = _git(here, "rev-parse", "--short=12", "HEAD")
        return f"{head}+changed" if _git(here, "status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.SubprocessError):
        return ""


@functools.cache
def source_digest(*rooms: str) -> str:
    """Short name of the program text under some rooms of this checkout (`backend`, `evaluation/peers`, ...).

    Two commits with the same digest complete, or drive the peer, in the same way: a run may go on over both.
    """
    top = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for room in rooms:
        place = top / room
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"{path.relative_to(top).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True, timeout=20
    )
    return done.stdout.strip()


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
