"""What the watcher hears: the table of files is replaced where what is found may change, and not for each save."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fimble.context.index.files import FileTable
from fimble.context.index.following import Follower
from fimble.context.index.workspace import Workspace

FILES = {"a.py": "def a(): ...\n", "package.json": "{}\n", "web/b.ts": "let b = 1;\n", ".gitignore": "out/\n"}


@pytest.mark.parametrize(
    ("written", "changed", "is_new_table"),
    [
        ({"a.py": "def other(): ...\n"}, {"a.py"}, False),
        ({"a.py": FILES["a.py"]}, {"a.py"}, False),  # saved as it was: heard of, so read again
        ({"__pycache__/a.pyc": "1", "run.log": "1", "out/c.txt": "1"}, set[str](), False),
        ({"c.py": "def c(): ...\n"}, {"c.py"}, True),
        ({"package.json": '{"name": "w"}\n'}, {"package.json"}, True),  # imports may lead elsewhere now
        ({"tsconfig.json": '{"compilerOptions": {}}\n'}, {"tsconfig.json"}, True),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_what_a_write_changes(
    tmp_path: Path, written: dict[str, str], changed: set[str], *, is_new_table: bool, is_first: bool
) -> None:
    def write(texts: dict[str, str]) -> None:
        for path, text in texts.items():
            place = tmp_path / path
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)

    heard: list[frozenset[str]] = []

    def hear(_files: FileTable, paths: frozenset[str]) -> None:
        heard.append(paths)

    write(FILES)
    workspace = Workspace(tmp_path)
    follower = Follower(workspace, hear)
    if is_first:
        assert len(workspace.files) == 3
    else:
        follower.take(None)
    table = workspace.files
    write(written)
    follower.take(frozenset(written))
    assert heard[-1] == changed
    assert (workspace.files is not table) is is_new_table


@pytest.mark.parametrize(
    ("written", "is_new_table"), [("namespace Other { class A {} }\n", True), ("namespace N { class B {} }\n", False)]
)
def test_a_file_that_goes_to_another_namespace_is_found_there(
    tmp_path: Path, written: str, *, is_new_table: bool
) -> None:
    path = tmp_path / "A.cs"
    path.write_text("namespace N { class A {} }\n")
    workspace = Workspace(tmp_path)
    follower = Follower(workspace, lambda _files, _paths: None)
    follower.take(None)
    assert workspace.package_files("N") == ("A.cs",)
    table = workspace.files
    path.write_text(written)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    follower.take(frozenset({"A.cs"}))
    assert (workspace.files is not table) is is_new_table
    assert workspace.package_files("Other") == (("A.cs",) if is_new_table else ())
