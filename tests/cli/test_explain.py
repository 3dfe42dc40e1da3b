"""`fimble explain` with a scripted model: which parts it names, and that they are the prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fimble.cli.main import root
from fimble.context.index.root import find_root


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files, the model a script."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"prefix_endswith": "", "answer": "x"}]))
    monkeypatch.setenv("FIMBLE_MODEL_ID", f"scripted:{script}")
    folder = tmp_path / "project"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    (folder / "pkg" / "store.py").write_text("class Store:\n    def find(self, key): ...\n")
    (folder / "pkg" / "main.py").write_text("from pkg.store import Store\n\nstore = Store()\nstore.\n")
    (folder / "pkg" / "keys.py").write_text('AWS = "' + "AKIA" + 'ABCDEFGHIJKLMNOP"\n')
    return folder


def explain(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(root, ["explain", "--json", *arguments])
    if result.exception:
        raise result.exception
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


def test_every_token_of_the_prompt_is_accounted_for(project: Path) -> None:
    answer = explain(f"{project}/pkg/main.py:4:7")
    sections: list[dict[str, object]] = answer["sections"]  # type: ignore[assignment]
    assert sum(section["n_tokens"] for section in sections) == answer["n_tokens"]  # type: ignore[misc]
    assert answer["workspace"] == str(project)


def test_chunks_are_named_with_their_source(project: Path) -> None:
    sections: list[dict[str, object]] = explain(f"{project}/pkg/main.py:4:7")["sections"]  # type: ignore[assignment]
    [chunk] = [section for section in sections if section["source"] == "definitions"]
    assert chunk["label"] == "chunk pkg/store.py:1"
    assert "def find(self, key)" in str(chunk["text"])


def test_people_get_a_table_and_the_text_when_they_ask(project: Path) -> None:
    result = CliRunner().invoke(root, ["explain", "--text", f"{project}/pkg/main.py:4:7"])
    assert result.exit_code == 0
    for part in ("pkg/store.py:1", "definitions", "suffix", "def find(self, key)"):
        assert part in result.stdout


def test_another_workspace_can_be_named(project: Path) -> None:
    answer = explain(f"{project}/pkg/main.py:4:7", "--workspace", str(project / "pkg"))
    assert answer["workspace"] == str(project / "pkg")


def test_a_secret_of_the_workspace_is_in_no_prompt(project: Path) -> None:
    (project / "pkg" / "main.py").write_text("from pkg import keys\n\nx = keys.\n")
    assert "AKIA" not in json.dumps(explain(f"{project}/pkg/main.py:3:10"))


def test_root_is_the_repository_then_the_outermost_project(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    file = deep / "x.py"
    assert find_root(file) == deep
    (deep / "package.json").touch()
    (tmp_path / "a" / "Makefile").touch()
    assert find_root(file) == tmp_path / "a"
    (tmp_path / "a" / "b" / ".git").mkdir()
    assert find_root(file) == tmp_path / "a" / "b"


def test_right_in_the_home_folder_there_is_no_workspace(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project / "pkg"))
    answer = explain(f"{project}/pkg/main.py:4:7")
    assert answer["workspace"] is None
    assert "store.py" not in json.dumps(answer)
    result = CliRunner().invoke(root, ["explain", f"{project}/pkg/main.py:4:7"])
    assert "no workspace" in result.stdout
    assert explain(f"{project}/pkg/main.py:4:7", "--workspace", str(project / "pkg"))["workspace"]
    assert find_root(Path("/x.py")) is None
    (project / "pkg" / "deep").mkdir()
    assert find_root(project / "pkg" / "deep" / "x.py") == project / "pkg" / "deep"
