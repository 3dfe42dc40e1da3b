"""Adapters in the user's folder: what is let in, and that one is never applied to other weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from gguf import GGUFWriter

from fimble.backend.catalog.adapters import BASE_KEY, AdapterStore
from fimble.cli.models import models
from fimble.core.errors import InputError, ModelCorruptError, ModelMissingError, ModelUnsuitableError


def write(path: Path, *, kind: str = "adapter", base: str = "b" * 64) -> Path:
    writer = GGUFWriter(path, "qwen2")
    writer.add_type(kind)
    writer.add_string("adapter.type", "lora")
    writer.add_string(BASE_KEY, base)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((4, 8), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_an_adapter_is_added_listed_resolved_and_removed(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path / "models")
    added = store.add(write(tmp_path / "Mine.gguf"))
    assert added.name == "mine"
    assert [one.name for one in store.all()] == ["mine"]
    assert store.resolve("mine", base_sha256="b" * 64).read_bytes() == (tmp_path / "Mine.gguf").read_bytes()
    assert store.remove("mine") == added.size_bytes
    assert list(store.folder.iterdir()) == []


def test_an_adapter_for_other_weights_is_refused(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path / "models")
    store.add(write(tmp_path / "a.gguf"), "mine")
    with pytest.raises(ModelUnsuitableError, match="made for other weights"):
        store.resolve("mine", base_sha256="c" * 64)
    assert store.resolve("mine", base_sha256=None)
    by_path = str(tmp_path / "a.gguf")
    assert store.resolve(by_path, base_sha256="b" * 64) == Path(by_path)
    with pytest.raises(ModelUnsuitableError, match="made for other weights"):
        store.resolve(by_path, base_sha256="c" * 64)
    with pytest.raises(ModelMissingError, match="no adapter file"):
        store.resolve(str(tmp_path / "b.gguf"), base_sha256=None)


def test_a_file_that_changed_is_noticed(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path / "models")
    store.add(write(tmp_path / "a.gguf"), "mine")
    with store.path_of("mine").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelCorruptError, match="not what was added"):
        store.resolve("mine", base_sha256=None)


def test_only_whole_adapters_get_in(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path / "models")
    cut = write(tmp_path / "cut.gguf")
    cut.write_bytes(cut.read_bytes()[:-64])
    (tmp_path / "text.gguf").write_text("no GGUF", "utf-8")
    model = write(tmp_path / "model.gguf", kind="model")
    for path, error in ((cut, "ends too early"), (tmp_path / "text.gguf", "not a whole GGUF"), (model, "not a LoRA")):
        with pytest.raises(ModelCorruptError, match=error):
            store.add(path)
    with pytest.raises(InputError, match="no file"):
        store.add(tmp_path / "missing.gguf")
    with pytest.raises(InputError, match="cannot be an adapter's name"):
        store.add(model, "../elsewhere")
    assert not store.folder.exists()


def test_a_missing_adapter_names_those_that_are_here(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path / "models")
    with pytest.raises(ModelMissingError) as caught:
        store.resolve("mine", base_sha256=None)
    assert "fimble models adapter add" in caught.value.mend
    store.add(write(tmp_path / "yours.gguf"))
    with pytest.raises(ModelMissingError) as caught:
        store.remove("mine")
    assert "yours" in caught.value.mend


def test_the_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    path = write(tmp_path / "mine.gguf")
    added = runner.invoke(models, ["adapter", "add", str(path)])
    assert added.exit_code == 0, added.output
    assert "FIMBLE_MODEL_ADAPTER=mine" in added.output
    listed = runner.invoke(models, ["adapter", "list"], env={"FIMBLE_MODEL_ADAPTER": "mine"})
    assert "> mine" in listed.output
    assert "a model not here" in listed.output
    assert '"base_sha256"' in runner.invoke(models, ["adapter", "list", "--json"]).output
    removed = runner.invoke(models, ["adapter", "remove", "mine"], env={"FIMBLE_MODEL_ADAPTER": "mine"})
    assert "unset that" in removed.output
    assert "No adapters" in runner.invoke(models, ["adapter", "list"]).output
