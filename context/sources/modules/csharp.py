"""C# namespaces: every file that says it belongs to one."""

from __future__ import annotations

from collections.abc import Callable

from fimble.context.sources.modules.target import Target
from fimble.syntax.outline.model import WILDCARD, Import, Outline

_MAX_FILES = 200


class CSharpModules:
    """Finds namespaces by name."""

    def __init__(self, package_files: Callable[[str], tuple[str, ...]]) -> None:
        """`package_files` gives the files of a namespace."""
        self._package_files = package_files

    def targets(self, path: str, item: Import) -> list[Target]:
        """The files of the namespace; for `using static`, those of the namespace that the type is in."""
        del path
        if item.module.startswith("static "):
            namespace, _, name = item.module.removeprefix("static ").rpartition(".")
            files = self._package_files(namespace)
            return [Target(files, name)] if files else []
        files = self._package_files(item.module)[:_MAX_FILES]
        return [Target(files, item.name)] if files else []

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """The file's own namespace and those around it."""
        names = outline.package.split(".") if outline.package else []
        found: list[Target] = []
        for n_names in range(len(names), 0, -1):
            files = [at for at in self._package_files(".".join(names[:n_names])) if at != path]
            if files:
                found.append(Target(tuple(files[:_MAX_FILES]), WILDCARD))
        return found
