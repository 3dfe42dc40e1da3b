"""Where a file lies in a folder, also if one of them is named through a link that the other is not named through."""

from __future__ import annotations

from pathlib import Path

from fimble.context.index.files import relative_path


class Whereabouts:
    """Of files in one folder. Links are followed once per file: whoever asks does so with every key."""

    def __init__(self, root: Path) -> None:
        """Nothing is looked up yet."""
        self._root = root
        self._found: dict[Path, str | None] = {}

    def of(self, path: Path) -> str | None:
        """The file's path relative to the folder, with slashes; None where it lies elsewhere."""
        if path.is_relative_to(self._root):
            return path.relative_to(self._root).as_posix()
        if path not in self._found:
            self._found[path] = relative_path(self._root, str(path))
        return self._found[path]
