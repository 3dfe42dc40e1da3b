"""An unfinished download on disk: the bytes so far, what is known of them, and whether the rest has room.

One folder per source, next to the finished models, so that finishing is a rename within one file system.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from fimble.core.errors import DownloadError

# What a download must leave free on the disk, so that the user's editor can still save files.
_SPARE_BYTES = 256 << 20


class DiskFullError(DownloadError):
    """There is no room; another source would not help."""


class Partial:
    """The bytes of one source so far (`data`), a small JSON state beside them, and a folder for scratch files."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        self._state = folder / "state.json"

    def size_bytes(self) -> int:
        """Bytes on disk."""
        try:
            return self.data.stat().st_size
        except FileNotFoundError:
            return 0

    def truncate(self, size_bytes: int) -> None:
        """Keep the first bytes only."""
        if self.size_bytes() > size_bytes:
            os.truncate(self.data, size_bytes)

    def read_state(self) -> Mapping[str, object]:
        """What was written last; empty where there is nothing readable."""
        try:
            state = json.loads(self._state.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return cast("dict[str, object]", state) if isinstance(state, dict) else {}

    def write_state(self, state: Mapping[str, object]) -> None:
        """Keep `state`, whole or not at all."""
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(state), "utf-8")
        fresh.replace(self._state)

    def clear(self) -> None:
        """Forget everything; the next byte is the first."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)


def free_bytes(folder: Path) -> int:
    """Room on the folder's disk."""
    return shutil.disk_usage(folder).free


def require_room(folder: Path, needed_bytes: int) -> None:
    """Refuse to begin what cannot end.

    Raises:
        DiskFullError: less than `needed_bytes` and a reserve are free.
    """
    free = free_bytes(folder)
    if free < needed_bytes + _SPARE_BYTES:
        raise DiskFullError(
            f"Not enough disk space in {folder}: {needed_bytes / 1e9:.2f} GB are still to be written, "
            f"{free / 1e9:.2f} GB are free, and {_SPARE_BYTES / 1e9:.2f} GB should stay free.",
            mend="Free some space, or set FIMBLE_HOME to a folder on another disk. What was fetched so far is kept.",
        )
