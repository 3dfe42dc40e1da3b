"""`fimble tune`: wrong inputs end in a sentence with nothing half-installed, and the gate decides what is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from gguf import GGUFWriter
from tests.tuning.tiny_model import write_tiny_model

from fimble.backend.catalog.adapters import AdapterStore
from fimble.cli.main import root
from fimble.core.errors import FimbleError, InputError, ModelCorruptError, ModelMissingError, ModelUnsuitableError
from fimble.engine.settings import user_paths
from fimble.tuning.prepare.dataset import load
from fimble.tuning.training.run_folder import TrainConfig


def fimble(*arguments: object) -> Result:
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "fimble.tuning.training.need.find_spec", lambda name: None if name == package else find("pytest")
    )


def test_every_stage_is_a_command() -> None:
    shown = fimble("tune", "--help").output
    for name in ("mine", "show", "prepare", "train", "export", "eval", "merge", "own"):
        assert f"  {name} " in shown


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without(monkeypatch, "torch")
    for command in (("train", tmp_path, "--out", tmp_path / "run"), ("own", tmp_path)):
        result = fimble("tune", *command)
        assert isinstance(result.exception, FimbleError)
        assert "torch" in result.exception.message
        assert 'pip install "fimble[tune]"' in result.exception.mend
    assert list(tmp_path.iterdir()) == []


def test_without_the_model_nothing_is_prepared(repository: Path, tmp_path: Path) -> None:
    assert fimble("tune", "mine", repository, "--out", tmp_path / "mined").exit_code == 0
    result = fimble("tune", "prepare", tmp_path / "mined", "--out", tmp_path / "prepared")
    assert isinstance(result.exception, ModelMissingError)
    assert "fimble models pull" in result.exception.mend
    assert not (tmp_path / "prepared").exists()


def test_a_model_without_markers_is_not_prepared_for(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIMBLE_MODEL_ID", str(write_tiny_model(tmp_path / "plain.gguf", has_markers=False)))
    assert fimble("tune", "mine", repository, "--out", tmp_path / "mined").exit_code == 0
    result = fimble("tune", "prepare", tmp_path / "mined", "--out", tmp_path / "prepared")
    assert isinstance(result.exception, ModelUnsuitableError)
    assert "no fill-in-the-middle markers" in result.exception.message
    assert not (tmp_path / "prepared").exists()


def prepare_tiny(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str) -> Path:
    """A prepared folder for a tiny model; training is not stopped by what is not installed here."""
    model = write_tiny_model(tmp_path / "tiny.gguf", architecture=architecture)
    monkeypatch.setenv("FIMBLE_MODEL_ID", str(model))
    without(monkeypatch, "nothing")
    assert fimble("tune", "mine", repository, "--out", tmp_path / "mined").exit_code == 0
    assert fimble("tune", "prepare", tmp_path / "mined", "--out", tmp_path / "prepared").exit_code == 0
    return model


def test_an_adapter_that_could_not_be_written_is_not_trained(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_tiny(repository, tmp_path, monkeypatch, "llama")
    result = fimble("tune", "train", tmp_path / "prepared", "--out", tmp_path / "run")
    assert isinstance(result.exception, ModelUnsuitableError)
    assert "llama architecture cannot be exported" in result.exception.message
    assert "qwen2" in result.exception.mend
    assert not (tmp_path / "run").exists()


def test_weights_that_changed_since_are_not_trained_on(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = prepare_tiny(repository, tmp_path, monkeypatch, "qwen2")
    model.write_bytes(model.read_bytes() + b"\0")
    result = fimble("tune", "train", tmp_path / "prepared", "--out", tmp_path / "run")
    assert isinstance(result.exception, ModelCorruptError)
    assert "fimble tune prepare" in result.exception.mend
    assert not (tmp_path / "run").exists()


def test_rows_are_long_enough_for_all_or_what_is_left_out_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_tiny(repository, tmp_path, monkeypatch, "qwen2")
    prepared = load(tmp_path / "prepared")
    n_longest = int(np.diff(prepared.offsets).max())
    assert n_longest > 1024
    asked: list[TrainConfig] = []

    def stop_at_once(*arguments: Any) -> bool:
        asked.extend(one for one in arguments if isinstance(one, TrainConfig))
        return False

    start = SimpleNamespace(start_training=stop_at_once)
    monkeypatch.setitem(sys.modules, "fimble.tuning.training.start", start)
    whole = fimble("tune", "train", tmp_path / "prepared", "--out", tmp_path / "run")
    short = fimble("tune", "train", tmp_path / "prepared", "--out", tmp_path / "run", "--row-tokens", 100)
    assert [config.row_tokens for config in asked] == [n_longest, 100]
    assert "left out" not in whole.output
    n_left_out = int((np.diff(prepared.offsets) > 100).sum())
    assert f"{n_left_out} of {len(prepared)} sequences do not fit into rows of 100 tokens" in short.output


@pytest.mark.parametrize("stage", ["prepare", "export", "eval"])
def test_a_missing_folder_is_named_with_the_command_that_makes_it(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIMBLE_MODEL_ID", str(_gguf(tmp_path / "m.gguf", "model")))
    arguments: dict[str, tuple[object, ...]] = {
        "prepare": (tmp_path / "none", "--out", tmp_path / "out"),
        "export": (tmp_path / "none",),
        "eval": (tmp_path / "none.gguf", "--tasks", tmp_path / "m.gguf"),
    }
    result = fimble("tune", stage, *arguments[stage])
    assert isinstance(result.exception, InputError)
    assert "none" in result.exception.message
    assert result.exception.mend


def _gguf(path: Path, kind: str) -> Path:
    writer = GGUFWriter(path, "qwen2")
    writer.add_type(kind)
    writer.add_string("adapter.type", "lora")
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((4, 8), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_an_adapter_that_changes_nothing_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"prefix_endswith": "return ", "answer": "a + b"}]), "utf-8")
    monkeypatch.setenv("FIMBLE_MODEL_ID", f"scripted:{script}")
    tasks = tmp_path / "tasks.jsonl"
    record = {
        "language": "python", "path": "m.py", "prefix": "def add(a, b):\n    return ", "middle": "a + b", "suffix": "\n"
    }  # fmt: skip
    tasks.write_text("".join(json.dumps({**record, "id": str(i)}) + "\n" for i in range(8)), "utf-8")
    adapter = _gguf(tmp_path / "a.gguf", "adapter")
    result = fimble("tune", "eval", adapter, "--tasks", tasks, "--install", "mine")
    assert isinstance(result.exception, FimbleError)
    assert "does not win: not better beyond chance" in result.exception.message
    assert "em_first_line" in result.output
    assert AdapterStore(user_paths(os.environ).models).all() == ()
