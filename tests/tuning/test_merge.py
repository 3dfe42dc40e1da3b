"""Merging: the merged model answers as model and adapter do; what cannot be merged leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from tests.tuning.tiny_model import N_FFN, N_HIDDEN, write_tiny_model

from fimble.backend.catalog.gguf_header import read_header
from fimble.backend.catalog.verify import sha256_of
from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.cli.main import root
from fimble.core.errors import InputError, ModelUnsuitableError
from fimble.tuning.export import export
from fimble.tuning.merge import file_type_of, merge
from fimble.tuning.training.run_folder import RunFolder, TrainConfig

SHAPES = {"self_attn.q_proj": (N_HIDDEN, N_HIDDEN), "mlp.up_proj": (N_FFN, N_HIDDEN)}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A random model."""
    return write_tiny_model(tmp_path / "tiny.gguf")


def make_adapter(folder: Path, model: Path, *, n_hidden: int = N_HIDDEN, layer: int = 1) -> Path:
    run, generator = RunFolder(folder), np.random.default_rng(0)
    run.begin(TrainConfig(rank=4, alpha=8.0), "d" * 64, sha256_of(model), {"model_id": "tiny"})
    weights: dict[str, NDArray[np.float32]] = {}
    for name, (n_out, _) in SHAPES.items():
        stem = f"model.layers.{layer}.{name}"
        weights[f"{stem}.lora_A.default.weight"] = generator.normal(0, 0.2, (4, n_hidden)).astype(np.float32)
        weights[f"{stem}.lora_B.default.weight"] = generator.normal(0, 0.2, (n_out, 4)).astype(np.float32)
    run.save_adapter(weights)
    return export(run, "qwen2", folder / "adapter.gguf")


def logits(path: Path, adapter: Path | None = None) -> NDArray[np.float32]:
    model = LlamaModel(LoadOptions(path, adapter=adapter))
    context = LlamaContext(model, ContextOptions(n_ctx=256, n_threads=1))
    try:
        context.evaluate(0, tuple(model.tokenize("def total(lines):\n    return")))
        return context.logits().copy()
    finally:
        context.close()
        model.close()


def test_the_merged_model_answers_as_model_and_adapter(model: Path, tmp_path: Path) -> None:
    adapter, out = make_adapter(tmp_path / "run", model), tmp_path / "merged.gguf"
    merge(model, adapter, out, "F16", n_threads=1)
    together = logits(model, adapter)
    assert np.abs(logits(out) - together).max() < 0.02
    assert np.abs(logits(model) - together).max() > 0.5
    assert logits(out).shape == together.shape


def test_header_and_other_weights_are_the_models(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged.gguf"
    merge(model, make_adapter(tmp_path / "run", model), out, "F16", n_threads=1)
    before, after = read_header(model).metadata, read_header(out).metadata
    assert after.pop("general.file_type") == 1
    assert after == before
    old, new = ({one.name: one for one in gguf.GGUFReader(path).tensors} for path in (model, out))
    changed = {name for name in old if not np.array_equal(np.array(old[name].data), np.array(new[name].data))}
    assert changed == {"blk.1.attn_q.weight", "blk.1.ffn_up.weight"}
    assert old.keys() == new.keys()
    tokens = [gguf.GGUFReader(path).get_field("tokenizer.ggml.tokens") for path in (model, out)]
    assert tokens[0] is not None
    assert tokens[1] is not None
    assert tokens[0].contents() == tokens[1].contents()


def test_it_is_quantized_by_llama_cpp(model: Path, tmp_path: Path) -> None:
    adapter, out = make_adapter(tmp_path / "run", model), tmp_path / "merged.gguf"
    merge(model, adapter, out, "Q8_0", n_threads=1)
    assert file_type_of(out) == "Q8_0"
    assert out.stat().st_size < 0.5 * model.stat().st_size
    assert np.corrcoef(logits(out), logits(model, adapter))[0, 1] > 0.995
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged.gguf", "run", "tiny.gguf"]


def test_an_adapter_for_another_model_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged.gguf"
    narrow = make_adapter(tmp_path / "narrow", model, n_hidden=32)
    with pytest.raises(ModelUnsuitableError, match=r"attn_q\.weight is 64 by 32, the model's 64 by 64"):
        merge(model, narrow, out, "F16", n_threads=1)
    deep = make_adapter(tmp_path / "deep", model, layer=7)
    with pytest.raises(ModelUnsuitableError, match=r"has no blk\.7\."):
        merge(model, deep, out, "F16", n_threads=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "narrow", "tiny.gguf"]


def test_the_command_merges_what_belongs_together(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, out = make_adapter(tmp_path / "run", model), tmp_path / "merged.gguf"
    arguments = ["tune", "merge", str(adapter), "--out", str(out), "--model", str(model)]
    unknown = CliRunner().invoke(root, arguments)
    assert isinstance(unknown.exception, InputError)  # the tiny model's header names no file type
    assert "Q4_K_M" in unknown.exception.mend
    done = CliRunner().invoke(root, [*arguments, "--type", "Q8_0", "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert f"fimble models import {out}" in done.output
    other = tmp_path / "other.gguf"
    other.write_bytes(model.read_bytes() + b"\0")
    foreign = CliRunner().invoke(root, [*arguments[:-1], str(other), "--type", "F16"])
    assert isinstance(foreign.exception, ModelUnsuitableError)
    assert "made for other weights" in foreign.exception.message
