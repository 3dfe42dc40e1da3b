"""How many cores' worth of time a CPU quota allows: docker's `--cpus`, a Kubernetes limit, systemd's CPUQuota.

Reads cgroups of both versions. A quota binds everything below it, so the lowest on the way up counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_OWN_CGROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def quota_cores(own_cgroups: Path = _OWN_CGROUPS, mount: Path = _MOUNT) -> float | None:
    """The quota in cores; None where there is none, or none that can be read."""
    return min(_quotas(own_cgroups, mount), default=None)


def _quotas(own_cgroups: Path, mount: Path) -> Iterator[float]:
    for line in _read(own_cgroups).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2
            for folder in _up(mount, path):
                yield from _cores(_read(folder / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            # By convention one is a link to the other.
            for root in {mount / "cpu", mount / controllers}:
                for folder in _up(root, path):
                    figures = (_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
                    yield from _cores([figure.strip() for figure in figures])


def _up(root: Path, path: str) -> Iterator[Path]:
    """The folders of a cgroup and of all above it. In a container only the root may be there: it is the container's."""
    parts = PurePosixPath(path.lstrip("/")).parts
    if ".." in parts:  # outside of what this container sees
        parts = ()
    for n_parts in range(len(parts) + 1):
        yield root.joinpath(*parts[:n_parts])


def _cores(figures: list[str]) -> Iterator[float]:
    """Quota over period; nothing for "max", -1, and what is no quota."""
    try:
        quota_us, period_us = map(int, figures)
    except ValueError:
        return
    if quota_us > 0 and period_us > 0:
        yield quota_us / period_us


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""
