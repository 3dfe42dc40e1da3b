"""package.json's settings are core/config's options. UPDATE_EXPECTED=1 writes them anew."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import pytest

from fimble.core import config


@pytest.fixture(scope="module")
def manifest_path(repo_root: Path) -> Path:
    return repo_root / "editors" / "vscode" / "package.json"


@pytest.fixture(scope="module")
def manifest(manifest_path: Path) -> dict[str, Any]:
    return json.loads(manifest_path.read_text(encoding="utf-8"))


def _properties(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: described
        for section in manifest["contributes"]["configuration"]
        for name, described in section["properties"].items()
    }


def test_manifest_is_current(manifest_path: Path) -> None:
    generator = runpy.run_path(str(manifest_path.with_name("generate_settings.py")))
    before = manifest_path.read_text(encoding="utf-8")
    expected = generator["rendered"](before)
    if os.environ.get("UPDATE_EXPECTED"):
        manifest_path.write_text(expected, encoding="utf-8")
        return
    assert before == expected, "options changed: run python editors/vscode/generate_settings.py"


def test_every_option_is_a_setting(manifest: dict[str, Any]) -> None:
    settings = _properties(manifest)
    for option in config.options().values():
        described = settings[f"fimble.{option.key}"]
        assert described["default"] == option.default
        assert described["markdownDescription"] == option.doc
        assert described.get("enum", []) == list(option.choices)


def test_a_workspace_cannot_choose_programs(manifest: dict[str, Any]) -> None:
    settings = _properties(manifest)
    programs = [name for name in settings if name.startswith("fimble.server.")]
    assert programs
    assert {settings[name]["scope"] for name in programs} == {"machine"}
    restricted = manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert "fimble.model.id" in restricted
