"""Keeps evaluation out of training: repositories behind our sets by name, and any file that shares runs with a set.

The names stand in excluded.toml beside this module; the sets are read where they lie, only their hashes are kept.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import numpy as np

from fimble.evaluation.records import read_set
from fimble.tuning.mine.shingles import Hashes, shingles

_RUN_WORDS = 20
# So many distinct runs of 20 words in common are no accident; a licence header is (it is cut off before).
_MAX_SHARED_RUNS = 8
# A set's file has thousands of runs, a task of a few lines has few: there a share decides.
_MAX_SHARED_SHARE = 0.5
_MANIFESTS = ("PKG-INFO", "package.json", "Cargo.toml", "go.mod", "pyproject.toml", ".git/config", "setup.cfg")
_LEADING_COMMENTS = re.compile(r"\A(?:\s*(?:(?:#|//|--)[^\n]*\n|/\*.*?\*/|\"\"\".*?\"\"\"))+", re.DOTALL)
_HEAD_BYTES = 30_000


def excluded_repositories() -> tuple[str, ...]:
    """`owner/name` of every repository that evaluation sets were made from."""
    text = files("fimble.tuning.mine").joinpath("excluded.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["repositories"])


def excluded_as(name: str, root: Path) -> str | None:
    """The excluded repository that the one at `root` is, by its name or by the home its manifest gives."""
    known = excluded_repositories()
    for repository in known:
        if _as_on_disk(name) == _as_on_disk(repository.partition("/")[2]):
            return repository
    for manifest in _MANIFESTS:
        homes = _homes(root / manifest)
        for repository in known:
            if repository.lower() in homes:
                return repository
    return None


def _as_on_disk(name: str) -> str:
    """Package archives write a name's hyphens as underscores."""
    return name.lower().replace("-", "_")


class EvaluationTexts:
    """Hashes of the runs of words in evaluation sets."""

    def __init__(self, sets: Iterable[Path]) -> None:
        """Read the sets: JSON lines as `fimble eval` reads them.

        Raises:
            InputError: a file is not a set.
        """
        self.n_records = 0
        found: list[Hashes] = []
        small: list[Hashes] = []
        for path in sets:
            for record in read_set(path).records:
                self.n_records += 1
                runs = shingles(_without_header(record.prefix + record.middle + record.suffix), _RUN_WORDS)
                found.append(runs)
                if 0 < len(runs) <= 2 * _MAX_SHARED_RUNS:
                    small.append(runs)
        self._runs: Hashes = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.uint64)
        self._small = small
        self._of_small: Hashes = np.unique(np.concatenate(small)) if small else np.empty(0, dtype=np.uint64)

    def is_in(self, text: str) -> bool:
        """Whether a text shares so much with an evaluation set that it must not be learned from."""
        runs = shingles(_without_header(text), _RUN_WORDS)
        if _n_shared(runs, self._runs) > _MAX_SHARED_RUNS:
            return True
        if not _n_shared(runs, self._of_small):
            return False
        return any(_n_shared(task, runs) > _MAX_SHARED_SHARE * len(task) for task in self._small)


def _n_shared(few: Hashes, many: Hashes) -> int:
    """How many of `few` are among `many`; both sorted. Looked up, not merged: `many` may have millions."""
    if not len(few) or not len(many):
        return 0
    places = np.minimum(np.searchsorted(many, few), len(many) - 1)
    return int((many[places] == few).sum())


def _without_header(text: str) -> str:
    return _LEADING_COMMENTS.sub("", text, count=1)


def _homes(path: Path) -> set[str]:
    """owner/name of repositories that a manifest calls its own: not those of its dependencies or of its prose."""
    try:
        with path.open("rb") as file:
            text = file.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return set()
    lines = [
        line
        for line in text.splitlines()
        if re.match(r"(?i)\s*[\"']?(?:home-?page|project-url|repository|source|url|module\b)", line)
    ]
    return {
        f"{owner}/{name.removesuffix('.git')}".lower()
        for line in lines
        for owner, name in re.findall(r"github\.com[/:]([\w.-]+)/([\w.-]+)", line)
    }
