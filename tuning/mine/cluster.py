"""Finds gaps on a Ray cluster with Ray Data; the same function runs here without one.

A cluster's machines need fimble installed, of this version. `local` starts a cluster on this machine, for trying.
Ray's own usage statistics stay off: nothing of fimble reports anything.
"""

# Ray comes with the extra `ray`; without it its types are unknown, and nothing else is let off.
# pyright: reportMissingImports=false

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from fimble.core.errors import FimbleError
from fimble.tuning.mine.gaps import FoundGaps, GapTask, find_gaps

LOCAL = "local"
FindAll = Callable[[Sequence[GapTask]], list[FoundGaps]]


def find_here(tasks: Sequence[GapTask]) -> list[FoundGaps]:
    """The gaps of each file, found one file after the other."""
    return [find_gaps(task) for task in tasks]


def find_on(address: str) -> FindAll:
    """A function that finds gaps on the cluster at `address`, in the order of the files.

    Raises:
        FimbleError: Ray is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise FimbleError(
            f"Mining on a cluster needs Ray: {error}.", mend='Install the extra: pip install "fimble[ray]"'
        ) from error

    def find_all(tasks: Sequence[GapTask]) -> list[FoundGaps]:
        try:
            ray.init(None if address == LOCAL else address, include_dashboard=False, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise FimbleError(
                f"The Ray cluster at {address} cannot be reached: {error}",
                mend="Check it, or leave --ray out.",
            ) from error
        try:
            items = [{"number": number, "task": task} for number, task in enumerate(tasks)]
            rows = ray.data.from_items(items).map(_find).take_all()
        finally:
            ray.shutdown()
        by_number: dict[int, FoundGaps] = {row["number"]: row["found"] for row in rows}
        return [by_number[number] for number in range(len(tasks))]

    return find_all


def _find(row: dict[str, Any]) -> dict[str, Any]:
    return {"number": row["number"], "found": find_gaps(row["task"])}
