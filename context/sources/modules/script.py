"""JavaScript and TypeScript modules: relative paths, tsconfig paths, packages of the same repository."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from fimble.context.index.files import FileTable
from fimble.context.sources.modules.target import Target, ancestors, below, folder_of, join
from fimble.syntax.outline.model import Import, Outline

_SUFFIXES = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".mjs", ".cts", ".cjs")
_ENDINGS = ("", *_SUFFIXES, *(f"/index{suffix}" for suffix in _SUFFIXES))
# TypeScript is imported under the names of what it compiles to.
_COMPILED = re.compile(r"\.([mc]?)jsx?$")
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


@dataclass(frozen=True, slots=True)
class _Alias:
    """`paths` of a tsconfig: a pattern with at most one star, and where it leads."""

    head: str
    tail: str
    has_star: bool
    places: tuple[str, ...]


class ScriptModules:
    """Finds modules by the text between an import's quotes."""

    def __init__(self, files: FileTable, read: Callable[[str], str | None]) -> None:
        """In these files; `read` gives the text of one."""
        self._files = files
        self._read = read
        self._aliases: dict[str, tuple[_Alias, ...]] = {}

    def targets(self, path: str, item: Import) -> list[Target]:
        """One module at most."""
        for found in self._candidates(folder_of(path), item.module):
            if found != path:
                return [Target((found,), item.name)]
        return []

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """Modules see nothing unasked."""
        del path, outline
        return []

    def _candidates(self, folder: str, module: str) -> Iterator[str]:
        if module.startswith("."):
            place = join(folder, module)
            if place is not None:
                yield from self._at(place)
            return
        for config_folder in ancestors(folder):
            for alias in self._aliases_of(config_folder):
                if module.startswith(alias.head) and module.endswith(alias.tail):
                    inner = module[len(alias.head) : len(module) - len(alias.tail)]
                    if inner and not alias.has_star:
                        continue
                    for place in alias.places:
                        at = join(config_folder, place.replace("*", inner))
                        if at is not None:
                            yield from self._at(at)
        yield from self._of_package(module)
        if module.startswith(("@/", "~/", "#/")):  # by custom the source folder, when no tsconfig says so
            for root in ancestors(folder):
                yield from self._at(below(root, f"src/{module[2:]}"))
                yield from self._at(below(root, module[2:]))

    def _at(self, place: str) -> Iterator[str]:
        compiled = _COMPILED.sub(r".\1ts", place)
        for name in dict.fromkeys((place, compiled, compiled + "x" if compiled != place else place)):
            for ending in _ENDINGS:
                if name + ending in self._files:
                    yield name + ending
                    break

    def _of_package(self, module: str) -> Iterator[str]:
        """A package of this repository: its sources rather than what they compile to."""
        for name, folder in self._packages.items():
            if module == name or module.startswith(f"{name}/"):
                tail = module[len(name) + 1 :]
                for place in (f"src/{tail}", tail) if tail else ("src/index", "index", "lib/index"):
                    yield from self._at(below(folder, place))

    @cached_property
    def _packages(self) -> dict[str, str]:
        packages: dict[str, str] = {}
        for path in self._files.named("package.json"):
            name = self._config(path).get("name")
            if isinstance(name, str) and name:
                packages.setdefault(name, folder_of(path))
        return dict(sorted(packages.items(), key=lambda item: -len(item[0])))

    def _aliases_of(self, folder: str) -> tuple[_Alias, ...]:
        if folder not in self._aliases:
            found: list[_Alias] = []
            package = below(folder, "package.json")
            if package in self._files:
                found += self._own_imports(package)
            for name in ("tsconfig.json", "jsconfig.json"):
                path = below(folder, name)
                if path in self._files:
                    found += self._aliases_in(path)
            self._aliases[folder] = tuple(found)
        return self._aliases[folder]

    def _own_imports(self, path: str) -> Iterator[_Alias]:
        """`imports` of a package.json: `#` names for the package's own files (Node.js, "Subpath imports")."""
        imports = self._config(path).get("imports")
        for pattern, place in cast("dict[str, object]", imports).items() if isinstance(imports, dict) else ():
            head, star, tail = pattern.partition("*")
            yield _Alias(head, tail, bool(star), tuple(_texts(place)))

    def _aliases_in(self, path: str) -> Iterator[_Alias]:
        options = self._config(path).get("compilerOptions")
        if not isinstance(options, dict):
            return
        known = cast("dict[str, object]", options)
        base = known.get("baseUrl")
        base = base if isinstance(base, str) else ""
        paths = known.get("paths")
        for pattern, places in cast("dict[str, object]", paths).items() if isinstance(paths, dict) else ():
            if not isinstance(places, list):
                continue
            head, star, tail = pattern.partition("*")
            texts = [place for place in cast("list[object]", places) if isinstance(place, str)]
            yield _Alias(head, tail, bool(star), tuple(f"{base}/{place}" if base else place for place in texts))
        if base:
            yield _Alias("", "", has_star=True, places=(f"{base}/*",))

    def _config(self, path: str) -> dict[str, object]:
        """A JSON file that may have comments and trailing commas; empty when it is broken."""
        text = _COMMENT.sub(lambda match: match[1] or "", self._read(path) or "")
        try:
            value: object = json.loads(_TRAILING_COMMA.sub(r"\1", text))
        except (ValueError, RecursionError):
            return {}
        return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, which may be nested deeper than functions may call each other."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, dict):
            waiting += reversed(cast("dict[str, object]", inner).values())
        elif isinstance(inner, list):
            waiting += reversed(cast("list[object]", inner))
