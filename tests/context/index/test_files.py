"""Which files of a workspace count, and how they are looked up."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimble.context.index.files import FileTable, Stamp, relative_path, rescan, scan
from fimble.context.index.ignore import RULE_FILES, IgnoreRules, is_unfit
from fimble.context.index.rule_files import RuleFiles


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def paths(root: Path) -> list[str]:
    return list(scan(root).stamps)


def test_code_and_manifests_count_and_nothing_else(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/a.py": "",
            "src/b.tsx": "",
            "go.mod": "module m",
            "README.md": "",
            "data.json": "{}",
            ".env": "X=1",
            "image.png": "",
            "node_modules/x/index.js": "",
            "vendor/y.go": "",
            ".git/hooks/h.py": "",
            "venv/lib/z.py": "",
            "venv/pyvenv.cfg": "",
            "out/CACHEDIR.TAG": "",
            "out/q.rs": "",
            "app.min.js": "",
            "api_pb2.py": "",
            "types.generated.ts": "",
        },
    )
    assert paths(tmp_path) == ["go.mod", "src/a.py", "src/b.tsx"]


def listed_by_git(folder: Path) -> list[str]:
    listing = ["git", "-C", str(folder), "ls-files", "--others", "--exclude-standard", "*.py"]
    return sorted(subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split())


def test_ignore_files_are_obeyed_as_git_does(tmp_path: Path) -> None:
    files = {
        ".gitignore": "build/\n*.gen.py\n!keep.gen.py\n/only_top.py\ndocs/**/old\n",
        "a.py": "",
        "x.gen.py": "",
        "keep.gen.py": "",
        "only_top.py": "",
        "sub/only_top.py": "",
        "build/b.py": "",
        "sub/build/c.py": "",
        "sub/.gitignore": "local.py\n!/x.gen.py\n",
        "sub/local.py": "",
        "sub/x.gen.py": "",
        "sub/deep/local.py": "",
        "docs/v1/old/d.py": "",
        "docs/v1/new/d.py": "",
    }
    write(tmp_path, files)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert paths(tmp_path) == listed_by_git(tmp_path)


_PATTERNS = (
    *("a/", "b/", "a", "/a", "*.py", "s.py", "/s.py", "*"),
    *("a/**", "**/b", "a/s.py", "b/*.py", "/b/", "k.*"),
)
_LINES = st.lists(st.builds("".join, st.tuples(st.sampled_from(["", "!"]), st.sampled_from(_PATTERNS))), max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["", "a/", "b/", "a/b/"]), _LINES))
def test_any_ignore_files_are_obeyed_as_git_does(lines_of: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = [
            f"{way}{name}" for way in ("", "a/", "b/", "a/b/", "b/a/", "a/a/") for name in ("s.py", "k.py", "z.py")
        ]
        write(root, dict.fromkeys(files, ""))
        write(root, {f"{way}.gitignore": "\n".join(lines) for way, lines in lines_of.items()})
        subprocess.run(["git", "init", "-q", folder], check=True)
        listed = listed_by_git(root)
        assert paths(root) == listed
        rules = RuleFiles(root, RULE_FILES)
        assert [path for path in sorted(files) if not rules.match(path)] == sorted(listed)


def test_ignore_files_above_the_workspace_are_obeyed_as_git_does(tmp_path: Path) -> None:
    files = {
        ".gitignore": "dist/\nlocal_*.py\n/packages/web/only_web.py\n/only_top.py\n",
        "packages/.gitignore": "!local_kept.py\n/web/cache/\n*.gen.py\n",
        "packages/web/.gitignore": "!keep.gen.py\n!/kept/dist/\n",
        **{
            f"packages/web/{path}": ""
            for path in ("a.py", "dist/b.py", "local_a.py", "local_kept.py", "only_web.py", "only_top.py", "cache/c.py")
        },
        **{
            f"packages/web/{path}": ""
            for path in ("x.gen.py", "keep.gen.py", "sub/dist/d.py", "sub/cache/e.py", "kept/dist/f.py")
        },
    }
    write(tmp_path, files)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    web = tmp_path / "packages/web"
    listed = listed_by_git(web)
    assert paths(web) == listed
    rules = RuleFiles(web, RULE_FILES)
    assert {path for path in (name.removeprefix("packages/web/") for name in files) if rules.match(path)} == {
        path.removeprefix("packages/web/") for path in files if path.endswith(".py")
    } - set(listed)


def test_who_opens_an_ignored_folder_wants_what_is_in_it(tmp_path: Path) -> None:
    write(tmp_path, {".git/HEAD": "", ".gitignore": "scratch/\n*.gen.py\n", ".fimbleignore": "mine.py\n"})
    write(tmp_path, {f"scratch/{name}": "" for name in ("a.py", "x.gen.py", "mine.py")})
    assert paths(tmp_path / "scratch") == ["a.py", "x.gen.py"]
    rules = RuleFiles(tmp_path / "scratch", RULE_FILES)
    assert [name for name in ("a.py", "x.gen.py", "mine.py") if rules.match(name)] == ["mine.py"]


def test_own_ignore_file_comes_on_top(tmp_path: Path) -> None:
    write(tmp_path, {".fimbleignore": "private/\n", "private/a.py": "", "b.py": ""})
    assert paths(tmp_path) == ["b.py"]


@pytest.mark.parametrize("broken", ["!\n", "C:\\temp\\\n", "[a-Z]*.log\n", "\ufeff"])
def test_the_other_lines_of_a_broken_ignore_file_stand(tmp_path: Path, broken: str) -> None:
    write(tmp_path, {"b.py": "", "private/keys.py": "", ".gitignore": f"{broken}private/\n"})
    assert paths(tmp_path) == ["b.py"]


def test_links_out_of_the_workspace_and_loops_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, {"a.py": "", "sub/b.py": ""})
    write(tmp_path, {"outside.py": "SECRET = 1"})
    os.symlink(root, root / "sub/loop")
    os.symlink(tmp_path / "outside.py", root / "link.py")
    os.symlink(root / "a.py", root / "inner.py")
    os.symlink(root / "nowhere.py", root / "broken.py")
    assert paths(root) == ["a.py", "inner.py", "sub/b.py"]


def test_an_unreadable_folder_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.py": "", "locked/b.py": ""})
    real = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":  # chmod would not keep root out
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert paths(tmp_path) == ["a.py"]


def test_names_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    """Names in Latin-1, of older systems."""
    write(tmp_path, {"a.py": "", "z.py": ""})
    raw = os.fsencode(tmp_path)
    try:
        Path(os.fsdecode(raw + b"/caf\xe9.py")).write_text("def f(): ...")
    except OSError:
        pytest.skip("this file system takes no such name")
    files = scan(tmp_path)
    assert list(files.stamps) == ["a.py", "z.py"]
    assert rescan(tmp_path, files, IgnoreRules(tmp_path), [os.fsdecode(b"caf\xe9.py")]) is files


def test_huge_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x = 1\n" * 200_000, "b.py": ""})
    assert paths(tmp_path) == ["b.py"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n", False),
        ("// Code generated by protoc. DO NOT EDIT.\npackage p\n", True),
        ("# @generated by tool\nx = 1\n", True),
        ("abc\x00def", True),
        ("var a=1;" * 2_000, True),
        ("x = 1  # a line\n" * 2_000, False),
        ("", False),
    ],
)
def test_generated_minified_and_binary_files_are_unfit(text: str, expected: bool) -> None:
    assert is_unfit(text) is expected


def test_look_ups() -> None:
    stamp = Stamp(1, 1)
    table = FileTable(dict.fromkeys(("a.py", "x/a.py", "y/x/a.py", "y/xa.py", "y/x/b.py"), stamp))
    assert "x/a.py" in table
    assert table.ending_with("x/a.py") == ("x/a.py", "y/x/a.py")
    assert table.ending_with("a.py") == ("a.py", "x/a.py", "y/x/a.py")
    assert table.in_folder("y/x") == ("y/x/a.py", "y/x/b.py")
    assert table.in_folder(".") == ("a.py",)
    assert table.folders_ending_with("x") == ("x", "y/x")
    assert len(table) == 5


def test_paths_are_relative_also_through_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    os.symlink(root, tmp_path / "alias")
    assert relative_path(root, str(root / "a/b.py")) == "a/b.py"
    assert relative_path(root, str(tmp_path / "alias/a.py")) == "a.py"
    assert relative_path(root, "/elsewhere/a.py") is None
    assert relative_path(root, "Untitled-1") is None
