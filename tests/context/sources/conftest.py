"""Workspaces written as one text: `#- path` begins a file, `$0` is the cursor."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fimble.context.index.workspace import Workspace
from fimble.context.sources.definitions import Definitions
from fimble.core.flow import Chunk


@dataclass(frozen=True, slots=True)
class Case:
    """A workspace on disk and the place that the cursor is at."""

    workspace: Workspace
    path: str
    before: str
    after: str

    def chunks(self, n_tokens: int = 1024) -> list[Chunk]:
        """What a fresh source finds."""
        return list(Definitions(self.workspace, n_tokens).find(self.path, self.before, self.after))

    def text(self, n_tokens: int = 1024) -> str:
        """All chunks as a prompt would show them."""
        return "".join(f"# {chunk.path}\n{chunk.text}" for chunk in self.chunks(n_tokens))


@pytest.fixture
def case(tmp_path: Path) -> Callable[[str], Case]:
    """Write a workspace."""

    def write(text: str) -> Case:
        return write_case(tmp_path, text)

    return write


def write_case(root: Path, text: str) -> Case:
    """Write the files of `text` below `root`; the one with `$0` is being edited and lies on disk without it."""
    found: Case | None = None
    for piece in textwrap.dedent(text).lstrip("\n").split("#- ")[1:]:
        name, _, content = piece.partition("\n")
        before, mark, after = content.partition("$0")
        place = root / name.strip()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(before + after, encoding="utf-8")
        if mark:
            found = Case(Workspace(root), name.strip(), before, after)
    assert found is not None, "no file has the cursor"
    return found
