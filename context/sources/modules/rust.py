"""Rust modules: files under a crate's `src`, crates of the same workspace."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from fimble.context.index.files import FileTable
from fimble.context.sources.modules.target import Target, ancestors, below, folder_of
from fimble.syntax.outline.model import WILDCARD, Import, Outline

_NAME = re.compile(r"^\[package\][^\[]*?^name\s*=\s*\"([^\"]+)\"", re.MULTILINE)
_LIB_PATH = re.compile(r"^\[lib\][^\[]*?^path\s*=\s*\"([^\"]+)\"", re.MULTILINE)
_ROOTS = ("lib.rs", "main.rs", "mod.rs")


class RustModules:
    """Finds modules by their paths."""

    def __init__(self, files: FileTable, read: Callable[[str], str | None]) -> None:
        """In these files; `read` gives the text of one."""
        self._files = files
        self._read = read

    def targets(self, path: str, item: Import) -> list[Target]:
        """A module of that name comes before an item of the module above."""
        if item.module.startswith("mod "):
            return self._modules_at(path, [*self._own(path)[1], item.module[4:]])
        names = [name for name in item.module.split("::") if name]
        name = item.name
        src, module = self._start(path, names, name)
        if src is None:
            return []
        if not name or name == WILDCARD:
            return self._items(src, module, name)
        found = [Target((at,)) for at in self._files_of(src, [*module, name])]
        return found + self._items(src, module, name)

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """Modules see nothing unasked, but a test module written in the file sees all of it."""
        del path, outline
        return []

    def _items(self, src: str, module: list[str], name: str) -> list[Target]:
        """The item in its module's file; where the last names are no modules (an enum, say), in the file above."""
        for n_names in range(len(module), -1, -1):
            paths = self._files_of(src, module[:n_names])
            if paths:
                return [Target(paths, name if n_names == len(module) else module[n_names])]
        return []

    def _modules_at(self, path: str, module: list[str]) -> list[Target]:
        paths = self._files_of(self._own(path)[0], module)
        return [Target(paths)] if paths else []

    def _start(self, path: str, names: list[str], name: str) -> tuple[str | None, list[str]]:
        """The source folder and module names that a path leads to."""
        src, own = self._own(path)
        first = names[0] if names else name
        if first == "crate":
            return src, names[1:]
        if first in ("self", "super"):
            module = own
            for word in names:
                if word == "super":
                    module = module[:-1]
                elif word != "self":
                    break
            return src, module + [word for word in names if word not in ("self", "super")]
        crate = self._crates.get(first)
        if crate is not None:
            return crate, names[1:]
        if self._files_of(src, [*own, first]):
            return src, own + names
        if self._files_of(src, [first]):
            return src, names
        return None, []

    def _own(self, path: str) -> tuple[str, list[str]]:
        """The source folder of a file's crate and the file's own module names."""
        folder = folder_of(path)
        above = ancestors(folder)
        src = next(
            (at for at in above if below(at, "lib.rs") in self._files or below(at, "main.rs") in self._files), None
        )
        if src is None:
            src = next((at for at in above if at.rpartition("/")[2] == "src"), folder)
        inner = path if src == "." else path[len(src) + 1 :]
        names = inner.removesuffix(".rs").split("/")
        if f"{names[-1]}.rs" in _ROOTS:
            names.pop()
        return src, names

    def _files_of(self, src: str, module: list[str]) -> tuple[str, ...]:
        if not module:
            places = [below(src, name) for name in _ROOTS]
        else:
            tail = "/".join(module)
            places = [below(src, f"{tail}.rs"), below(src, f"{tail}/mod.rs")]
        return tuple(place for place in places if place in self._files)[:1]

    @cached_property
    def _crates(self) -> dict[str, str]:
        crates: dict[str, str] = {}
        for path in self._files.named("Cargo.toml"):
            text = self._read(path) or ""
            match, lib = _NAME.search(text), _LIB_PATH.search(text)
            if match:
                lib_path = lib[1] if lib else "src/lib.rs"
                crates.setdefault(match[1].replace("-", "_"), below(folder_of(path), folder_of(lib_path)))
        # Where a manifest cannot be read: a crate mostly has its folder's name.
        for path in self._files.ending_with("src/lib.rs"):
            src = folder_of(path)
            name = folder_of(src).rpartition("/")[2].replace("-", "_")
            crates.setdefault(name, src)
        return crates
