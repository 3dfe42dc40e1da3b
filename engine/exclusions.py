"""Files that a workspace keeps completions out of: `.fimbleignore`, in any of its folders, in .gitignore's syntax.

Files that git ignores do get completions; they are only never shown to the model beside others (context.index.ignore).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fimble.context.index.rule_files import RuleFiles
from fimble.engine.whereabouts import Whereabouts

FILE_NAME: Final = ".fimbleignore"


class Exclusions:
    """One workspace folder's rules."""

    def __init__(self, root: Path) -> None:
        """Rules of `root` and the folders below it."""
        self._whereabouts = Whereabouts(root)
        self._rules = RuleFiles(root, (FILE_NAME,))

    def excludes(self, path: Path) -> bool:
        """Whether completions are kept out of a file; never where it lies elsewhere."""
        place = self._whereabouts.of(path)
        return place is not None and self._rules.match(place)
