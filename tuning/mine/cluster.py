"""Finds gaps on a Ray cluster with Ray Data; the same function runs here without one.

A cluster's machines need fimble installed, of this version. `local` starts a cluster on this machine, for trying.
Ray's own usage statistics stay off: nothing of fimble reports anything.
"""

# Ray comes with the extra `ray`; without it its types are unknown, and nothing else is let off.
# pyright: reportMissingImports=false

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from fimble.core.errors import FimbleError
from fimble.tuning.mine.gaps import FoundGaps, GapTask, find_gaps

LOCAL = "local"
_REACH_S = 15.0
# In a process of its own: where nothing answers, `ray.init` waits for minutes, and then ends the process it is in.
_TRY = "import sys, ray; ray.init(sys.argv[1], include_dashboard=False, log_to_driver=False)"
FindAll = Callable[[Sequence[GapTask]], list[FoundGaps]]


def find_here(tasks: Sequence[GapTask]) -> list[FoundGaps]:
    """The gaps of each file, found one file after the other."""
    return [find_gaps(task) for task in tasks]


def find_on(address: str) -> FindAll:
    """A function that finds gaps on the cluster at `address`, in the order of the files.

    Raises:
        FimbleError: Ray is not installed, or the cluster cannot be reached.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise FimbleError(
            f"Mining on a cluster needs Ray: {error}.", mend='Install the extra: pip install "fimble[ray]"'
        ) from error

    if address != LOCAL:
        require_cluster(address)

    def find_all(tasks: Sequence[GapTask]) -> list[FoundGaps]:
        try:
            ray.init(None if address == LOCAL else address, include_dashboard=False, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _unreachable(address, str(error)) from error
        try:
            items = [{"number": number, "task": task} for number, task in enumerate(tasks)]
            rows = ray.data.from_items(items).map(_find).take_all()
        finally:
            ray.shutdown()
        by_number: dict[int, FoundGaps] = {row["number"]: row["found"] for row in rows}
        return [by_number[number] for number in range(len(tasks))]

    return find_all


def require_cluster(address: str) -> None:
    """Raise FimbleError where no Ray cluster takes a program at `address` within 15 s."""
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", _TRY, address],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_REACH_S,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreachable(address, f"no answer within {_REACH_S:.0f} s") from error
    if tried.returncode != 0:
        lines = tried.stderr.strip().splitlines()
        raise _unreachable(address, lines[-1] if lines else f"exit status {tried.returncode}")


def _unreachable(address: str, reason: str) -> FimbleError:
    return FimbleError(
        f"The Ray cluster at {address} cannot be reached: {reason}.",
        mend="Check the address and that the cluster runs (`ray status` there), or leave --ray out.",
    )


def _find(row: dict[str, Any]) -> dict[str, Any]:
    return {"number": row["number"], "found": find_gaps(row["task"])}
