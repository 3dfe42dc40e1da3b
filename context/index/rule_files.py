"""Ignore files in .gitignore's syntax: the patterns of a workspace, and the files they match as these files change."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

_log = logging.getLogger(__name__)

GIT_FILES: Final = (".git/info/exclude", ".gitignore")
_MAX_BYTES: Final = 1_000_000
# Every key asks, about every open file too, and the files may lie on a slow disk.
_LOOK_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Above:
    """Patterns of the folders above a workspace, with the way from there; `leave_out_all` where nothing below could say
    otherwise, as they ignore the workspace itself.
    """

    specs: tuple[tuple[GitIgnoreSpec, str], ...]
    leave_out_all: bool


class Patterns:
    """Of a workspace, read when a folder is first asked about. Paths are relative to it, with slashes."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        """Those of files with these names in `root`, the folders below it, and those above it in its repository.

        In a folder a later name overrules the ones before.
        """
        self._root = root
        self._names = tuple(names)
        self._in_folder: dict[str, Sequence[tuple[GitIgnoreSpec, str]]] = {}
        self._above: _Above | None = None
        self._parsed: dict[Path, tuple[tuple[int, int], GitIgnoreSpec]] = {}

    def look_again(self) -> None:
        """See what has changed since; a file that has not is not parsed again."""
        self._in_folder.clear()
        self._above = None

    def ignore(self, path: str) -> bool:
        """Whether a path is ignored, a folder's with a slash at its end; no folder on the way to it may be.

        As git decides: the last pattern that matches wins, those of inner folders after those of outer ones.
        """
        return self._from_above().leave_out_all or bool(_last_decision(self._seen_from_each_folder(path)))

    def _seen_from_each_folder(self, path: str) -> Iterator[tuple[GitIgnoreSpec, str]]:
        for depth in range(path.rstrip("/").count("/") + 1):
            *folders, rest = path.split("/", depth)
            for spec, way in self._of("/".join(folders)):
                yield spec, way + rest

    def _of(self, folder: str) -> Sequence[tuple[GitIgnoreSpec, str]]:
        """A folder's patterns; the workspace's begin with those from above, with the way from there."""
        if folder not in self._in_folder:
            above = () if folder else self._from_above().specs
            self._in_folder[folder] = [*above, *((spec, "") for _, spec in self._read(self._root / folder))]
        return self._in_folder[folder]

    def _from_above(self) -> _Above:
        """Outermost first; those of git only where they do not ignore the workspace itself: who opens an ignored folder
        wants what is in it.
        """
        if self._above is None:
            above = [(folder, *read) for folder in _folders_above(self._root) for read in self._read(folder)]
            own = [(folder, spec) for folder, name, spec in above if name not in GIT_FILES]
            of_git = [(folder, spec) for folder, name, spec in above if name in GIT_FILES]
            specs = own if self._leaves_out_root(of_git) else [(folder, spec) for folder, _, spec in above]
            on_the_way = tuple((spec, _way(folder, self._root)) for folder, spec in specs)
            self._above = _Above(on_the_way, leave_out_all=self._leaves_out_root(own))
        return self._above

    def _leaves_out_root(self, specs: Sequence[tuple[Path, GitIgnoreSpec]]) -> bool:
        """Whether patterns of folders above the workspace ignore it, or a folder on the way to it."""
        targets = [*_folders_above(self._root)[1:], self._root]
        return any(
            _last_decision((spec, _way(folder, target)) for folder, spec in specs if folder in target.parents)
            for target in targets
        )

    def _read(self, folder: Path) -> Iterator[tuple[str, GitIgnoreSpec]]:
        for name in self._names:
            path = folder / name
            try:
                found = path.stat()
                stamp = (found.st_mtime_ns, found.st_size)
                if path not in self._parsed or self._parsed[path][0] != stamp:
                    self._parsed[path] = (stamp, _parse(path))
            except OSError:
                continue
            yield name, self._parsed[path][1]


class RuleFiles:
    """Which files the ignore files of a workspace match; a change to these is seen within a second."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        """Of the ignore files with these names, where `Patterns` looks for them."""
        self._patterns = Patterns(root, names)
        self._known: dict[str, bool] = {}
        self._looked_at_s = 0.0

    def match(self, path: str) -> bool:
        """Whether a file is ignored, or a folder on the way to it."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s > _LOOK_AGAIN_S:
            self._patterns.look_again()
            self._known.clear()
            self._looked_at_s = now_s
        if path not in self._known:
            ends = [at for at, char in enumerate(path, start=1) if char == "/"]
            self._known[path] = any(self._patterns.ignore(path[:end]) for end in (*ends, len(path)))
        return self._known[path]


def _parse(path: Path) -> GitIgnoreSpec:
    """The patterns of a file. A line that is no pattern is left out: the others stay."""
    text = path.read_bytes()[:_MAX_BYTES].decode("utf-8-sig", "replace")
    patterns: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            _log.warning("%s, line %d is not used: %s", path, number, error)
        else:
            patterns.append(line)
    return GitIgnoreSpec.from_lines(patterns)


def _folders_above(root: Path) -> tuple[Path, ...]:
    """The folders above `root` up to the top of its repository, outermost first.

    None where no repository holds `root`, or it is the top of one.
    """
    if not (root / ".git").exists():
        for n_between, top in enumerate(root.parents):
            if (top / ".git").exists():
                return tuple(reversed(root.parents[: n_between + 1]))
    return ()


def _way(folder: Path, target: Path) -> str:
    """From a folder to one below it, with a slash at its end."""
    return f"{target.relative_to(folder).as_posix()}/"


def _last_decision(specs: Iterable[tuple[GitIgnoreSpec, str]]) -> bool | None:
    """What the last of these patterns says that says anything of its path, a folder's with a slash at its end."""
    last = None
    for spec, path in specs:
        decision = _decision(spec, path)
        last = last if decision is None else decision
    return last


def _decision(spec: GitIgnoreSpec, path: str) -> bool | None:
    """What one ignore file says of a path: the last pattern that matches it, and not only a folder above it.

    pathspec matches all below a folder too; as git sees it an ignored folder is not looked into, and one that is not
    says nothing of what lies in it.
    """
    for pattern in reversed(spec.patterns):
        if pattern.include is not None and pattern.regex and _matches_itself(pattern.regex, path):
            return pattern.include
    return None


def _matches_itself(regex: re.Pattern[str], path: str) -> bool:
    matched = regex.match(path)
    if matched is None:
        return False
    # pathspec's own name for the slash that ends a folder which the pattern names.
    end_of_folder = matched.end("ps_d") if "ps_d" in regex.groupindex else -1
    if end_of_folder >= 0:
        return end_of_folder == len(path)
    return not path.endswith("/") or regex.match(path[:-1]) is not None  # `a/**` is what lies in `a`
