"""The adapter file: llama.cpp's names and shapes, and, with the real weights, that it changes what is answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from fimble.backend.catalog.adapters import BASE_KEY, AdapterStore
from fimble.backend.catalog.gguf_header import read_header
from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.core.config import Layer
from fimble.core.errors import InputError, ModelUnsuitableError
from fimble.core.flow import Completion, CompletionRequest, Document, RequestId, Trigger
from fimble.core.position import ByteOffset
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine
from fimble.tuning.export import export, tensor_name
from fimble.tuning.training.run_folder import RunFolder, TrainConfig

# Of Qwen2.5-Coder-0.5B.
N_HIDDEN, N_KV, N_FFN = 896, 128, 4864
SHAPES = {
    "self_attn.q_proj": (N_HIDDEN, N_HIDDEN),
    "self_attn.k_proj": (N_KV, N_HIDDEN),
    "self_attn.o_proj": (N_HIDDEN, N_HIDDEN),
    "mlp.down_proj": (N_HIDDEN, N_FFN),
}


def finished_run(folder: Path, *, scale: float = 0.05, n_hidden: int = N_HIDDEN) -> RunFolder:
    run, generator = RunFolder(folder), np.random.default_rng(0)
    run.begin(TrainConfig(rank=4, alpha=8.0), "d" * 64, "w" * 64, {"model_id": "qwen2.5-coder-0.5b"})
    weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    for name, (n_out, n_in) in SHAPES.items():
        n_in = n_hidden if n_in == N_HIDDEN else n_in
        stem = f"model.layers.3.{name}"
        weights[f"{stem}.lora_A.default.weight"] = generator.normal(0, scale, (4, n_in)).astype(np.float32)
        weights[f"{stem}.lora_B.default.weight"] = generator.normal(0, scale, (n_out, 4)).astype(np.float32)
    run.save_adapter(weights)
    return run


def test_names_and_values_arrive(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    path = export(run, "qwen2", tmp_path / "adapter.gguf")
    metadata = read_header(path).metadata
    assert metadata["general.type"] == "adapter"
    assert metadata["general.architecture"] == "qwen2"
    assert metadata["adapter.lora.alpha"] == 8.0
    assert metadata[BASE_KEY] == "w" * 64
    tensors = {tensor.name: np.array(tensor.data) for tensor in GGUFReader(path).tensors}
    assert len(tensors) == 2 * len(SHAPES)
    learned = run.adapter()["model.layers.3.self_attn.k_proj.lora_B.default.weight"]
    assert np.array_equal(tensors["blk.3.attn_k.weight.lora_b"], learned)
    assert AdapterStore(tmp_path / "models").add(path).architecture == "qwen2"


def test_every_trained_matrix_has_a_name() -> None:
    for part, name in (("self_attn.v_proj", "attn_v"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up")):
        assert tensor_name(f"model.layers.11.{part}.lora_A.default.weight") == f"blk.11.{name}.weight.lora_a"
    with pytest.raises(ModelUnsuitableError):
        tensor_name("model.embed_tokens.lora_embedding_A")


def test_unfinished_runs_and_unknown_architectures_write_nothing(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(InputError, match="no folder of a training run"):
        export(run, "qwen2", tmp_path / "adapter.gguf")
    run.begin(TrainConfig(), "d", "w", {"model_id": "m"})
    with pytest.raises(InputError, match="not done"):
        export(run, "qwen2", tmp_path / "adapter.gguf")
    with pytest.raises(ModelUnsuitableError, match="llama"):
        export(finished_run(tmp_path / "other"), "llama", tmp_path / "adapter.gguf")
    assert not (tmp_path / "adapter.gguf").exists()


def logits(model_path: Path, adapter: Path | None) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    model = LlamaModel(LoadOptions(model_path, adapter=adapter))
    context = LlamaContext(model, ContextOptions(n_ctx=512, n_threads=1))
    try:
        context.evaluate(0, tuple(model.tokenize("def add(a, b):\n    return")))
        return context.logits().copy()
    finally:
        context.close()
        model.close()


@pytest.mark.model
def test_llama_cpp_applies_it(model_path: Path, tmp_path: Path) -> None:
    plain = logits(model_path, None)
    tuned = logits(model_path, export(finished_run(tmp_path / "run"), "qwen2", tmp_path / "a.gguf"))
    nothing = logits(model_path, export(finished_run(tmp_path / "zero", scale=0.0), "qwen2", tmp_path / "zero.gguf"))
    assert np.abs(nothing - plain).max() < 0.01
    assert np.abs(tuned - plain).max() > 0.5


@pytest.mark.model
def test_an_adapter_of_another_shape_is_refused_with_a_sentence(model_path: Path, tmp_path: Path) -> None:
    path = export(finished_run(tmp_path / "run", n_hidden=512), "qwen2", tmp_path / "a.gguf")
    with pytest.raises(ModelUnsuitableError, match="could not apply the adapter"):
        logits(model_path, path)


@pytest.mark.model
async def test_the_engine_answers_with_the_chosen_adapter(model_path: Path, tmp_path: Path) -> None:
    adapter = export(finished_run(tmp_path / "run", scale=0.5), "qwen2", tmp_path / "noise.gguf")
    text = "def add(a, b):\n    return "
    document = Document("file:///a.py", "python", 1, text)
    answers: list[str] = []
    for chosen in ("", str(adapter)):
        engine = build_engine(load_settings([Layer("test", {"model.id": str(model_path), "model.adapter": chosen})]))
        try:
            info = await engine.ready()
            assert info.model_id.endswith("+noise") == bool(chosen)
            request = CompletionRequest(RequestId("1"), document, ByteOffset(len(text)), Trigger.INVOKED)
            outcome = await engine.complete(request)
        finally:
            await engine.aclose()
        answers.append(outcome.text if isinstance(outcome, Completion) else str(outcome.reason))
    assert answers[0] == "a + b"
    assert answers[1] != answers[0]
