"""`.fimbleignore`: which files get no completions."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fimble.engine.exclusions import Exclusions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / ".fimbleignore").write_text("*.sql\n!keep.sql\nprivate/\n/top.py\n", "utf-8")
    (tmp_path / "lib" / ".fimbleignore").write_text("!report.sql\nlocal.py\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        ("a.py", False),
        ("a.sql", True),
        ("deep/er/a.sql", True),
        ("keep.sql", False),
        ("lib/report.sql", False),
        ("lib/other.sql", True),
        ("local.py", False),
        ("lib/local.py", True),
        ("private/a.py", True),
        ("lib/private/keep.sql", True),
        ("top.py", True),
        ("lib/top.py", False),
        ("../outside.sql", False),
    ],
)
def test_as_git_decides(root: Path, path: str, excluded: bool) -> None:
    target = root.parent / "outside.sql" if path.startswith("..") else root / path
    assert Exclusions(root).excludes(target) is excluded


@pytest.mark.parametrize("opened_by_link", [True, False])
def test_a_link_to_the_workspace_leads_around_no_rule(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, *, opened_by_link: bool
) -> None:
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(root)
    exclusions, files = (Exclusions(root), link) if opened_by_link else (Exclusions(link), root)
    excluded, other, outside = files / "a.sql", files / "a.py", link.parent / "a.sql"
    assert [exclusions.excludes(path) for path in (excluded, other, outside)] == [True, False, False]

    def resolve(path: Path) -> Path:
        raise AssertionError(f"{path} was looked up again")

    monkeypatch.setattr(Path, "resolve", resolve)
    assert [exclusions.excludes(path) for path in (excluded, other, outside)] == [True, False, False]


def test_links_in_a_circle_lead_nowhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    loop = tmp_path_factory.mktemp("elsewhere") / "loop"
    loop.symlink_to(loop)
    assert not Exclusions(root).excludes(loop / "a.sql")


@pytest.mark.parametrize("is_repository", [True, False])
def test_rules_above_the_workspace_count_in_a_repository(root: Path, *, is_repository: bool) -> None:
    if is_repository:
        (root / ".git").mkdir()
    assert Exclusions(root / "lib").excludes(root / "lib" / "a.sql") is is_repository
    assert not Exclusions(root / "lib").excludes(root / "lib" / "report.sql")
    (root / ".fimbleignore").write_text("lib/\n", "utf-8")  # who keeps a folder out does so wherever it is opened
    assert Exclusions(root / "lib").excludes(root / "lib" / "b.py") is is_repository
    (root / "lib" / ".fimbleignore").write_text("!*.py\n", "utf-8")  # and nothing within it says otherwise
    assert Exclusions(root / "lib").excludes(root / "lib" / "b.py") is is_repository


def test_changes_are_seen_a_second_later(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    exclusions = Exclusions(root)
    assert exclusions.excludes(root / "a.sql")
    (root / ".fimbleignore").write_text("*.toml\n# longer than before, so that any clock tells\n", "utf-8")
    assert exclusions.excludes(root / "a.sql"), "the disk was looked at with each key"
    now_s += 1.1
    assert not exclusions.excludes(root / "a.sql")
    assert exclusions.excludes(root / "a.toml")
    (root / ".fimbleignore").unlink()
    now_s += 1.1
    assert not exclusions.excludes(root / "a.toml")


@pytest.mark.parametrize("broken", ["!\n", "C:\\temp\\\n", "[a-Z]*.log\n", "\ufeff"])
def test_the_other_lines_of_a_broken_file_stand(root: Path, broken: str) -> None:
    (root / ".fimbleignore").write_text(f"{broken}private/\n", "utf-8")
    assert Exclusions(root).excludes(root / "private" / "a.py")
    assert not Exclusions(root).excludes(root / "a.py")


def test_nonsense_excludes_nothing(root: Path) -> None:
    (root / ".fimbleignore").write_bytes(b"\xff\xfe\x00[\n!\n")
    assert not Exclusions(root).excludes(root / "a.py")
