"""What doctor says of the grammars, in words of its own for each thing that can be wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from fimble.cli import doctor as doctor_module
from fimble.core.config import Layer
from fimble.engine.settings import load_settings


def finding(monkeypatch: pytest.MonkeyPatch, **options: object) -> dict[str, Any]:
    settings = load_settings([Layer("test", options)], environ={})
    monkeypatch.setattr(doctor_module, "load_settings", lambda: settings)
    done = CliRunner().invoke(doctor_module.doctor, ["--json", "--quick"])
    return {one["name"]: one for one in json.loads(done.stdout)["findings"]}["syntax"]


@pytest.fixture(autouse=True)
def _only_syntax(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = doctor_module.Finding("other", "ok", "")
    for name in ("_build", "_hardware", "_weights", "_model"):
        monkeypatch.setattr(doctor_module, name, lambda settings: nothing)


def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding(monkeypatch)
    assert found["state"] == "ok"
    assert all(name in found["detail"] for name in ("python", "typescript", "java", "kotlin"))


def test_a_tree_sitter_with_another_log_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "log_is_understood", lambda: False)
    found = finding(monkeypatch)
    assert found["state"] == "note"
    assert "tree-sitter" in found["detail"]
    assert "pip install" in found["mend"]


def test_switched_off_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "syntax_check_percent" in finding(monkeypatch, **{"completion.syntax_check_percent": 0})["detail"]


def test_a_missing_grammar_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = doctor_module.grammar_for
    monkeypatch.setattr(
        doctor_module, "grammar_for", lambda language: None if language.name == "go" else whole(language)
    )
    found = finding(monkeypatch)
    assert (found["state"], found["detail"]) == ("note", "No grammar could be loaded for go.")
