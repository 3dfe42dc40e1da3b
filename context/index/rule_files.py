"""Ignore files in .gitignore's syntax: one file's patterns, and those of a workspace, read anew when they change."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

_log = logging.getLogger(__name__)

GIT_FILES: Final = (".git/info/exclude", ".gitignore")
_MAX_BYTES: Final = 1_000_000


def read_rules(path: Path) -> GitIgnoreSpec | None:
    """The patterns of a file; None where there is none. A line that is no pattern is left out: the others stay."""
    try:
        text = path.read_bytes()[:_MAX_BYTES].decode("utf-8-sig", "replace")
    except OSError:
        return None
    patterns: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            _log.warning("%s, line %d is not used: %s", path, number, error)
        else:
            patterns.append(line)
    return GitIgnoreSpec.from_lines(patterns)


def folders_above(root: Path) -> tuple[tuple[Path, str], ...]:
    """The folders above `root` up to the top of its repository, outermost first, and the way from each to `root`.

    A way ends with a slash. None where no repository holds `root`, or it is the top of one.
    """
    if not (root / ".git").exists():
        for n_between, top in enumerate(root.parents):
            if (top / ".git").exists():
                between = reversed(root.parents[: n_between + 1])
                return tuple((folder, f"{root.relative_to(folder).as_posix()}/") for folder in between)
    return ()


def last_decision(specs: Iterable[tuple[GitIgnoreSpec, str]]) -> bool | None:
    """What the last of these patterns says that says anything of its path, a folder's with a slash at its end."""
    last = None
    for spec, path in specs:
        decision = spec.check_file(path).include
        last = last if decision is None else decision
    return last


@dataclass(frozen=True, slots=True)
class _Read:
    """An ignore file as it was at that time."""

    stamp: tuple[int, int]
    spec: GitIgnoreSpec | None


class RuleFiles:
    """The ignore files of these names in a workspace's folders. Paths are relative to it, with slashes."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        """Files of `root`, the folders below it, and those above it in its repository.

        In a folder a later name overrules the ones before.
        """
        self._root = root
        self._names = tuple(names)
        self._read: dict[Path, _Read] = {}

    def match(self, path: str) -> bool:
        """As git decides: the last pattern that matches wins, those of inner folders after those of outer ones."""
        names = path.split("/")
        is_matched = False
        for spec, way, depth in self._specs(names):
            # A folder that is matched takes what is in it along.
            for end in range(depth + 1, len(names) + 1):
                tail = way + "/".join(names[depth:end]) + ("" if end == len(names) else "/")
                decision = spec.check_file(tail).include
                if decision is not None:
                    is_matched = decision
                    if decision and end < len(names):
                        return True
        return is_matched

    def _specs(self, names: Sequence[str]) -> Iterator[tuple[GitIgnoreSpec, str, int]]:
        """Patterns, outermost first, the way from their folder to the workspace, and how many of `names` lead to it."""
        above = [(name, spec, way) for folder, way in self._folders_above for name, spec in self._specs_of(folder)]
        if last_decision((spec, way) for name, spec, way in above if name in GIT_FILES):
            above = [of for of in above if of[0] not in GIT_FILES]  # who opens an ignored folder wants what is in it
        yield from ((spec, way, 0) for _, spec, way in above)
        for depth in range(len(names)):
            for _, spec in self._specs_of(self._root.joinpath(*names[:depth])):
                yield spec, "", depth

    @cached_property
    def _folders_above(self) -> tuple[tuple[Path, str], ...]:
        return folders_above(self._root)

    def _specs_of(self, folder: Path) -> Iterator[tuple[str, GitIgnoreSpec]]:
        for name in self._names:
            path = folder / name
            try:
                found = path.stat()
            except OSError:
                self._read.pop(path, None)
                continue
            stamp = (found.st_mtime_ns, found.st_size)
            known = self._read.get(path)
            if known is None or known.stamp != stamp:
                known = self._read[path] = _Read(stamp, read_rules(path))
            if known.spec is not None:
                yield name, known.spec
