"""`fimble index`: what it counts, and that it reads only what changed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.context.index.damage import locked

from fimble.cli.main import root
from fimble.core.errors import FimbleError


def index(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(root, ["index", "--json", *arguments])
    if result.exception:
        raise result.exception
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text("class A:\n    def f(self): ...\n")
    (folder / "b.go").write_text("package b\nfunc F() {}\n")
    (folder / ".env").write_text("TOKEN=abc\n")
    return folder


def test_counts(project: Path) -> None:
    answer = index(str(project))
    assert (answer["n_files"], answer["n_read"], answer["n_definitions"]) == (2, 2, 3)
    assert answer["languages"] == {"go": 1, "python": 1}
    again = index(str(project))
    assert (again["n_files"], again["n_read"], again["n_removed"]) == (2, 0, 0)


def test_only_what_changed_is_read_and_what_is_gone_is_forgotten(project: Path) -> None:
    index(str(project))
    (project / "a.py").write_text("def longer(): ...\n\ndef more(): ...\n")
    (project / "b.go").unlink()
    answer = index(str(project))
    assert (answer["n_read"], answer["n_removed"], answer["n_definitions"]) == (1, 1, 2)


def test_stats_read_nothing(project: Path) -> None:
    with pytest.raises(FimbleError, match="no index"):
        index(str(project), "--stats")
    index(str(project))
    (project / "c.py").write_text("x = 1\n")
    answer = index(str(project), "--stats")
    assert (answer["n_files"], answer["n_read"]) == (2, None)


def test_only_the_user_can_read_the_index(project: Path) -> None:
    path = Path(str(index(str(project))["index"]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_people_get_sentences(project: Path) -> None:
    result = CliRunner().invoke(root, ["index", str(project)])
    assert result.exit_code == 0
    assert "Read 2 files" in result.stdout
    assert "2 files (go 1, python 1), 3 definitions." in result.stdout


def test_a_damaged_index_is_told_of_and_made_anew(project: Path) -> None:
    path = Path(str(index(str(project))["index"]))
    raw = path.read_bytes()
    path.write_bytes(raw[:4096] + bytes(len(raw) - 4096))
    with pytest.raises(FimbleError, match="was damaged"):
        index(str(project), "--stats")
    assert index(str(project))["n_read"] == 2


def test_an_index_that_another_process_holds_is_said_to_be(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fimble.context.index.store._BUSY_S", 0.01)
    path = Path(str(index(str(project))["index"]))
    with locked(path), pytest.raises(FimbleError, match="held by another process"):
        index(str(project))
    assert index(str(project))["n_read"] == 0


def test_the_home_folder_is_indexed_only_when_it_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project))
    monkeypatch.chdir(project)
    with pytest.raises(FimbleError, match="no project"):
        index()
    assert index(str(project))["n_files"] == 2
