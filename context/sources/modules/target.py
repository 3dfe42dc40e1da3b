"""What an import leads to, and the one interface that every language's rules have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fimble.syntax.outline.model import Import, Outline


@dataclass(frozen=True, slots=True)
class Target:
    """Files that together are a module, and the name meant in them; without a name the module itself is meant."""

    paths: tuple[str, ...]
    name: str = ""


class ModuleRules(Protocol):
    """How one language finds modules. Paths are relative to the workspace."""

    def targets(self, path: str, item: Import) -> list[Target]:
        """What an import in the file `path` may mean, likeliest first; empty for what lies outside the workspace."""
        ...

    def implicit(self, path: str, outline: Outline) -> list[Target]:
        """Modules whose names the file sees without an import."""
        ...


def join(folder: str, tail: str) -> str | None:
    """A relative path from a folder of the workspace, with `.` and `..` resolved; None when it leads out of it."""
    parts: list[str] = [] if folder == "." else folder.split("/")
    for part in tail.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts) or "."


def folder_of(path: str) -> str:
    """The folder of a file or folder; `.` for those at the top."""
    return path.rpartition("/")[0] or "."


def below(folder: str, tail: str) -> str:
    """A path in a folder."""
    return tail if folder == "." else f"{folder}/{tail}"


def ancestors(folder: str) -> list[str]:
    """The folder and those above it, the workspace itself last."""
    parts = [] if folder == "." else folder.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts), 0, -1)] + ["."]
