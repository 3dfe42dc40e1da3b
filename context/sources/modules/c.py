"""C and C++ includes."""

from __future__ import annotations

from fimble.context.index.files import FileTable
from fimble.context.sources.modules.target import Target, folder_of, join
from fimble.syntax.outline.model import WILDCARD, Import, Outline

_HEADER_SUFFIXES = (".h", ".hpp", ".hh", ".hxx")


class CModules:
    """Finds headers by the path in an include."""

    def __init__(self, files: FileTable) -> None:
        """In these files."""
        self._files = files

    def targets(self, path: str, item: Import) -> list[Target]:
        """Beside the file first, unless in angle brackets; then wherever a file has this path."""
        name = item.module.strip("<>")
        beside = join(folder_of(path), name) if not item.module.startswith("<") else None
        if beside is not None and beside in self._files:
            return [Target((beside,), WILDCARD)]
        found = self._files.ending_with(name)
        # `<string.h>` is the C library's, even where the workspace has a header of that name.
        if item.module.startswith("<") and "/" not in name:
            found = tuple(at for at in found if folder_of(at).rpartition("/")[2] in ("include", "."))
        return [Target(found[:1], WILDCARD)] if found else []

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """The header of the same name."""
        del outline
        stem = path.rpartition(".")[0]
        return [
            Target((stem + suffix,), WILDCARD)
            for suffix in _HEADER_SUFFIXES
            if stem + suffix in self._files and stem + suffix != path
        ]
