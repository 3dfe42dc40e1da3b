"""What doctor says of the grammars, in words of its own for each thing that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
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


def test_grammars_of_ones_own_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("llguidance")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ={})
    assert "none of your own" in doctor_module._grammars(settings).detail
    folder = tmp_path / ".fimble" / "grammars"
    folder.mkdir(parents=True)
    (folder / "conf.lark").write_text("start: /a+/", "utf-8")
    assert (doctor_module._grammars(settings).state, "conf.lark" in doctor_module._grammars(settings).detail) == (
        "ok",
        True,
    )
    (folder / "other.gbnf").write_text("root ::= (", "utf-8")
    found = doctor_module._grammars(settings)
    assert found.state == "note"
    assert "other.gbnf" in found.detail
    assert found.mend


@pytest.mark.parametrize(
    ("ms_per_token", "said"),
    [
        (20.0, ["qwen2.5-coder-0.5b (160 ms)"]),
        (8.0, ["qwen2.5-coder-0.5b (64 ms)", "qwen2.5-coder-1.5b (146 ms)"]),
        (60.0, ["no model of the catalog"]),
    ],
)
def test_models_that_write_a_line_in_time_are_named(
    ms_per_token: float, said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    weights = tmp_path / "it.gguf"
    with weights.open("wb") as file:
        file.truncate(491_400_064)  # as large as the default model's, and empty
    steps = {"1": ms_per_token, "2": ms_per_token, "4": ms_per_token, "8": ms_per_token}
    facts = {"prefill_tokens_per_s": 200.0, "step_ms": steps}
    monkeypatch.setattr(doctor_module, "_probe", lambda module, arguments: facts)
    monkeypatch.setattr(doctor_module.ModelStore, "resolve", lambda store, name: weights)
    found = doctor_module._speed(load_settings(environ={}))
    fitting = found.detail.partition("by size: ")[2]
    assert all(one in fitting for one in said)
    assert ("1.5b" in fitting) == any("1.5b" in one for one in said)


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
    assert "check_syntax" in finding(monkeypatch, **{"completion.check_syntax": False})["detail"]


def test_a_missing_grammar_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = doctor_module.grammar_for
    monkeypatch.setattr(
        doctor_module, "grammar_for", lambda language: None if language.name == "go" else whole(language)
    )
    found = finding(monkeypatch)
    assert (found["state"], found["detail"]) == ("note", "No grammar could be loaded for go.")
