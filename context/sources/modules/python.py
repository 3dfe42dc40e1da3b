"""Python modules: packages, relative imports, `src` layouts, scripts beside their modules."""

from __future__ import annotations

from fimble.context.index.files import FileTable
from fimble.context.sources.modules.target import Target, ancestors, below, folder_of
from fimble.syntax.outline.model import WILDCARD, Import, Outline

_ENDINGS = (".py", "/__init__.py", ".pyi", "/__init__.pyi")


class PythonModules:
    """Finds modules by their dotted names."""

    def __init__(self, files: FileTable) -> None:
        """In these files."""
        self._files = files

    def targets(self, path: str, item: Import) -> list[Target]:
        """A submodule comes before a name of the package."""
        module = self._module(path, item.module)
        if not item.name or item.name == WILDCARD:
            return [Target((module,), item.name)] if module else []
        dotted = item.module + ("" if item.module.endswith(".") else ".") + item.name
        submodule = self._module(path, dotted)
        found = [Target((submodule,))] if submodule and submodule != module else []
        if module:
            found.append(Target((module,), item.name))
        return found

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """Python sees nothing unasked."""
        del path, outline
        return []

    def _module(self, path: str, dotted: str) -> str | None:
        names = dotted.lstrip(".")
        n_dots = len(dotted) - len(names)
        tail = names.replace(".", "/")
        folder = folder_of(path)
        if n_dots:
            above = ancestors(folder)
            return self._at(above[n_dots - 1], tail) if n_dots <= len(above) else None
        for root in ancestors(folder):
            # A module beside the importing one is found without dots only by scripts, whose folder is no package.
            if root == folder and self._is_package(root) and "/" not in tail:
                continue
            if found := self._at(root, tail) or self._at(below(root, "src"), tail):
                return found
        if found := self._anywhere(tail):
            return found
        # Where the package's name is given to the folder by its build (`app.core.x` is ./core/x.py).
        inner = tail.partition("/")[2]
        return self._at(".", inner) if "/" in inner else None

    def _at(self, folder: str, tail: str) -> str | None:
        if not tail:
            return next((at for ending in _ENDINGS if (at := below(folder, ending[1:])) in self._files), None)
        return next((at for ending in _ENDINGS if (at := below(folder, tail + ending)) in self._files), None)

    def _anywhere(self, tail: str) -> str | None:
        """Under a folder that is no package itself; a single name must not be mistaken for the standard library's."""
        for ending in _ENDINGS:
            for found in self._files.ending_with(tail + ending):
                root = found[: -len(tail + ending)].rstrip("/") or "."
                if not self._is_package(root) and ("/" in tail or root in (".", "src")):
                    return found
        return None

    def _is_package(self, folder: str) -> bool:
        return below(folder, "__init__.py") in self._files
