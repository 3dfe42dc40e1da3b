"""Go packages: a folder under the module that a go.mod names."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from fimble.context.index.files import FileTable
from fimble.context.sources.modules.target import Target, below, folder_of
from fimble.syntax.outline.model import Import, Outline

_MODULE = re.compile(r"^module\s+\"?([^\s\"]+)", re.MULTILINE)


class GoModules:
    """Finds packages by their import paths."""

    def __init__(self, files: FileTable, read: Callable[[str], str | None]) -> None:
        """In these files; `read` gives the text of one."""
        self._files = files
        self._read = read

    def targets(self, path: str, item: Import) -> list[Target]:
        """Every file of the package but its tests."""
        del path
        paths = self._package(item.module)
        return [Target(paths, item.name)] if paths else []

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """The other files of the package; an external test package sees the package only by import."""
        del outline
        is_test = path.endswith("_test.go")
        paths = tuple(
            at
            for at in self._files.in_folder(folder_of(path))
            if at != path and at.endswith(".go") and (is_test or not at.endswith("_test.go"))
        )
        return [Target(paths, "*")] if paths else []

    def _package(self, module: str) -> tuple[str, ...]:
        for name, folder in self._modules.items():
            if module == name or module.startswith(f"{name}/"):
                return self._sources(below(folder, module[len(name) + 1 :]).rstrip("/"))
        # Without a go.mod: the longest tail of the path that is a folder here. One name alone may be the standard
        # library's, whose paths have no dot in their first name.
        names = module.split("/")
        for start in range(1 if "." in names[0] else 0, len(names)):
            tail = names[start:]
            if len(tail) < 2 and "." not in names[0]:
                break
            for folder in self._files.folders_ending_with("/".join(tail)):
                if sources := self._sources(folder):
                    return sources
        return ()

    def _sources(self, folder: str) -> tuple[str, ...]:
        return tuple(at for at in self._files.in_folder(folder) if at.endswith(".go") and not at.endswith("_test.go"))

    @cached_property
    def _modules(self) -> dict[str, str]:
        modules: dict[str, str] = {}
        for path in self._files.named("go.mod"):
            match = _MODULE.search(self._read(path) or "")
            if match:
                modules[match[1]] = folder_of(path)
        return dict(sorted(modules.items(), key=lambda item: -len(item[0])))
