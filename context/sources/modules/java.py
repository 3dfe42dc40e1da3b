"""Java packages: a type's file is its dotted name under some source root."""

from __future__ import annotations

from fimble.context.index.files import FileTable
from fimble.context.sources.modules.target import Target, folder_of
from fimble.syntax.outline.model import WILDCARD, Import, Outline


class JavaModules:
    """Finds types by their full names."""

    def __init__(self, files: FileTable) -> None:
        """In these files."""
        self._files = files

    def targets(self, path: str, item: Import) -> list[Target]:
        """The file of the type; of a nested type or a static member, the file of the outermost one."""
        dotted = item.module
        names = dotted.split(".")
        for n_names in range(len(names), 0, -1):
            found = self._type_file(path, names[:n_names])
            if found is None:
                continue
            if item.name == WILDCARD:
                return [Target((found,), WILDCARD)]
            inner = [*names[n_names:], item.name] if item.name != names[-1] else names[n_names:]
            return [Target((found,), inner[-1] if inner else names[n_names - 1])]
        if item.name == WILDCARD:
            folders = self._files.folders_ending_with("/".join(names))
            paths = tuple(at for folder in folders for at in self._files.in_folder(folder) if at.endswith(".java"))
            return [Target(paths, WILDCARD)] if paths else []
        return []

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """Types of the same package, those of the same folder first."""
        folder = folder_of(path)
        folders = [folder]
        if outline.package:
            folders += self._files.folders_ending_with(outline.package.replace(".", "/"))
        paths = dict.fromkeys(at for at_folder in folders for at in self._files.in_folder(at_folder))
        return [Target(tuple(at for at in paths if at.endswith(".java") and at != path), WILDCARD)]

    def _type_file(self, path: str, names: list[str]) -> str | None:
        if len(names) < 2:
            return None
        found = self._files.ending_with("/".join(names) + ".java")
        # Of copies in several modules the one nearest to the importing file is meant.
        return max(found, key=lambda at: _n_shared(at, path), default=None)


def _n_shared(a: str, b: str) -> int:
    n = 0
    for left, right in zip(a.split("/"), b.split("/"), strict=False):
        if left != right:
            break
        n += 1
    return n
