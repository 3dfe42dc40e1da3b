"""Which files are shown beside no other, open or not: those with secrets by their name, and those that rules ignore."""

from __future__ import annotations

import time
from pathlib import Path

from fimble.context.index.ignore import RULE_FILES
from fimble.context.index.rule_files import RuleFiles
from fimble.context.index.secrets import is_secret_file

# Every key asks about every open file, and the rules may lie on a slow disk.
_LOOK_AGAIN_S = 2.0


class HiddenFiles:
    """Of one workspace. Asked by one thread. Paths are relative to it, with slashes."""

    def __init__(self, root: Path) -> None:
        """Nothing is read yet."""
        self._rules = RuleFiles(root, RULE_FILES)
        self._known: dict[str, bool] = {}
        self._looked_at_s = 0.0

    def __contains__(self, path: str) -> bool:
        """Whether a file must not be shown."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s > _LOOK_AGAIN_S:
            self._known.clear()
            self._looked_at_s = now_s
        if path not in self._known:
            self._known[path] = is_secret_file(path) or self._rules.match(path)
        return self._known[path]
