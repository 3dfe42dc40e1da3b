"""Which files belong to a namespace: each file is read once, and no answer of a table outlives it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fimble.context.index import workspace as workspace_module
from fimble.context.index.files import scan
from fimble.context.index.workspace import Workspace
from fimble.syntax.languages import Language
from fimble.syntax.outline.model import Outline
from fimble.syntax.outline.read import outline_of

NAMES = ("A.cs", "B.cs", "C.cs", "D.cs")


def write(root: Path, *names: str, package: str = "N") -> None:
    for name in names:
        (root / name).write_text(f"namespace {package};\nclass {name[0]} {{}}\n")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts whose outline was read; there is room for two of them."""
    texts: list[str] = []

    def reading(language: Language, text: str) -> Outline:
        texts.append(text)
        return outline_of(language, text)

    monkeypatch.setattr(workspace_module, "outline_of", reading)
    monkeypatch.setattr(workspace_module, "_MAX_OUTLINES", 2)
    return texts


def test_a_new_file_has_only_itself_read(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, *NAMES)
    workspace = Workspace(tmp_path)
    assert workspace.package_files("N") == NAMES
    assert len(read) == len(NAMES)
    write(tmp_path, "E.cs")
    workspace.replace_files(scan(tmp_path))
    assert workspace.package_files("N") == (*NAMES, "E.cs")
    assert len(read) == len(NAMES) + 1


def test_files_that_changed_are_read_again_and_those_that_are_gone_forgotten(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, *NAMES)
    workspace = Workspace(tmp_path)
    assert workspace.package_files("N") == NAMES
    write(tmp_path, "A.cs", package="Other")
    os.utime(tmp_path / "A.cs", ns=(0, 1))
    (tmp_path / "B.cs").unlink()
    workspace.replace_files(scan(tmp_path))
    assert workspace.package_files("N") == ("C.cs", "D.cs")
    assert workspace.package_files("Other") == ("A.cs",)
    assert len(read) == len(NAMES) + 1


def test_a_table_replaced_while_files_are_read_is_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, *NAMES)
    workspace = Workspace(tmp_path)

    def reading(language: Language, text: str) -> Outline:
        if not (tmp_path / "E.cs").exists():
            write(tmp_path, "E.cs")
            workspace.replace_files(scan(tmp_path))
        return outline_of(language, text)

    monkeypatch.setattr(workspace_module, "outline_of", reading)
    workspace.package_files("N")
    assert workspace.package_files("N") == (*NAMES, "E.cs")
