"""Files that a workspace keeps completions out of: `.fimbleignore`, in any of its folders, in .gitignore's syntax.

Files that git ignores do get completions; they are only never shown to the model beside others (context.index.ignore).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

_log = logging.getLogger(__name__)

FILE_NAME: Final = ".fimbleignore"
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Read:
    """An ignore file as it was at that time."""

    stamp: tuple[int, int]
    spec: GitIgnoreSpec


class Exclusions:
    """One workspace folder's rules, read anew when their files change."""

    def __init__(self, root: Path) -> None:
        """Rules of `root` and the folders below it."""
        self._root = root
        self._read: dict[Path, _Read] = {}

    def excludes(self, path: Path) -> bool:
        """As git decides: the last pattern that matches wins, those of inner folders after those of outer ones."""
        if not path.is_relative_to(self._root):
            return False
        names = path.relative_to(self._root).parts
        is_excluded = False
        for depth in range(len(names)):
            spec = self._spec_of(self._root.joinpath(*names[:depth]))
            if spec is None:
                continue
            # A folder that is excluded takes what is in it along.
            for end in range(depth + 1, len(names) + 1):
                tail = "/".join(names[depth:end]) + ("" if end == len(names) else "/")
                decision = spec.check_file(tail).include
                if decision is not None:
                    is_excluded = decision
                    if decision and end < len(names):
                        return True
        return is_excluded

    def _spec_of(self, folder: Path) -> GitIgnoreSpec | None:
        path = folder / FILE_NAME
        try:
            found = path.stat()
        except OSError:
            self._read.pop(folder, None)
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        known = self._read.get(folder)
        if known is None or known.stamp != stamp:
            known = self._read[folder] = _Read(stamp, _parse(path))
        return known.spec


def _parse(path: Path) -> GitIgnoreSpec:
    try:
        text = path.read_bytes()[:_MAX_BYTES].decode("utf-8", "replace")
        return GitIgnoreSpec.from_lines(text.splitlines())
    except (OSError, ValueError) as error:
        _log.warning("%s is not used: %s", path, error)
        return GitIgnoreSpec.from_lines([])
