"""Which files are shown beside no other, open or not: those with secrets by their name, and those that rules ignore."""

from __future__ import annotations

from pathlib import Path

from fimble.context.index.ignore import RULE_FILES
from fimble.context.index.rule_files import RuleFiles
from fimble.context.index.secrets import is_secret_file


class HiddenFiles:
    """Of one workspace. Asked by one thread. Paths are relative to it, with slashes."""

    def __init__(self, root: Path) -> None:
        """Nothing is read yet."""
        self._rules = RuleFiles(root, RULE_FILES)

    def __contains__(self, path: str) -> bool:
        """Whether a file must not be shown."""
        return is_secret_file(path) or self._rules.match(path)
