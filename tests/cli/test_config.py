"""`fimble config`, and docs/configuration.md being what it prints."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from fimble.cli.main import root
from fimble.core.config import options


def test_the_page_is_current(repo_root: Path) -> None:
    """Set UPDATE_DOCS=1 to write it anew, then read the diff."""
    printed = CliRunner().invoke(root, ["config", "--markdown"]).stdout
    page = repo_root / "docs" / "configuration.md"
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(printed, "utf-8")
    assert page.read_text("utf-8") == printed, "run: UPDATE_DOCS=1 pytest tests/cli/test_config.py"
    assert all(f"`{key}`" in printed for key in options())


def test_values_come_from_file_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.environ["FIMBLE_HOME"]) / "config"
    folder.mkdir()
    (folder / "config.toml").write_text('[model]\nid = "from-file"\nn_ctx = "much"\n', "utf-8")
    monkeypatch.setenv("FIMBLE_PROMPT_LAYOUT", "psm")
    result = CliRunner().invoke(root, ["config"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "from-file" in result.stdout
    assert "psm" in result.stdout
    assert "model.n_ctx: must be a number" in result.stdout


def test_a_broken_file_is_reported_and_the_defaults_stand() -> None:
    folder = Path(os.environ["FIMBLE_HOME"]) / "config"
    folder.mkdir()
    (folder / "config.toml").write_text("[model\n", "utf-8")
    result = CliRunner().invoke(root, ["config"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "not used" in result.stdout


def test_the_help_lists_every_command() -> None:
    result = CliRunner().invoke(root, ["--help"])
    assert result.exit_code == 0
    for name in ("complete", "config", "doctor", "eval", "models", "replay", "serve", "stats"):
        assert f"  {name}" in result.stdout
