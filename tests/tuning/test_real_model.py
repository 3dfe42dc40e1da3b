"""The real weights: what transformers reads of the GGUF is what llama.cpp serves, and losses agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.tuning.prepare.dataset import About, Prepared
from fimble.tuning.prepare.measure import open_measure
from fimble.tuning.prepare.sequences import TokenSequence
from fimble.tuning.training.packing import NO_TARGET, pack
from fimble.tuning.training.run_folder import TrainConfig

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("default"), pytest.mark.timeout(600)]
CODE = (
    "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n    return total / len(values)"
)


def test_the_measured_loss_is_that_of_the_served_logits(model_path: Path) -> None:
    model = LlamaModel(LoadOptions(model_path))
    context = LlamaContext(model, ContextOptions(n_ctx=512, n_threads=1, n_batch_tokens=16, n_micro_batch_tokens=16))
    try:
        tokens = tuple(model.tokenize(CODE))
        n_given = len(tokens) - 9  # both lie in batches that are cut in between
        losses = context.losses(tokens, n_given)
        for i in (n_given, len(tokens) - 1):
            context.cut(0, 0)
            context.evaluate(0, tokens[:i])
            row = context.logits().astype(np.float64)
            expected = np.log(np.exp(row - row.max()).sum()) + row.max() - row[tokens[i]]
            assert losses[i - n_given] == pytest.approx(expected, abs=0.3)
        assert len(losses) == 9
        with pytest.raises(ValueError, match="are given"):
            context.losses(tokens, 0)
    finally:
        context.close()
        model.close()
    with open_measure(model_path, n_ctx=512) as measure:
        assert measure(TokenSequence(tokens, n_given)) == pytest.approx(float(losses.mean()), abs=0.1)


def test_the_gguf_in_torch_gives_llama_cpps_logits(model_path: Path) -> None:
    reason = 'the extra is not installed: pip install "fimble[tune]"'
    torch = pytest.importorskip("torch", reason=reason)
    for name in ("transformers", "peft"):
        pytest.importorskip(name, reason=reason)
    from fimble.tuning.training.losses import hidden_states, row_losses
    from fimble.tuning.training.model import load_trainee

    model = LlamaModel(LoadOptions(model_path))
    context = LlamaContext(model, ContextOptions(n_ctx=512, n_threads=1))
    try:
        tokens = tuple(model.tokenize(CODE))
        served_losses = context.losses(tokens, 4)
        context.evaluate(0, tokens)
        served = context.logits().copy()
    finally:
        context.close()
        model.close()
    trainee = load_trainee(model_path, TrainConfig(), torch.device("cpu"))
    data = Prepared(
        About("m", "w", "f", tokens[-1], 1, 0, 0, 0, "hash", {}),
        np.array(tokens, dtype=np.int32),
        np.array([0, len(tokens)]),
        np.array([4], dtype=np.int32),
        np.zeros(1, dtype=np.int8),
        np.zeros(1, dtype=np.bool_),
    )
    (row,) = pack(data, [0], 512)
    assert int((row.targets != NO_TARGET).sum()) == len(served_losses)
    with torch.no_grad():
        hidden = hidden_states(trainee, row)
        given = trainee.model.get_output_embeddings()(hidden[-1]).float().numpy()
        loss = float(row_losses(trainee, row).next_token) / len(served_losses)
    # llama.cpp multiplies quantized weights by 8-bit activations: the noise of that, not more.
    assert np.abs(given - served).mean() < 0.35
    assert np.corrcoef(given, served)[0, 1] > 0.995
    assert loss == pytest.approx(float(served_losses.mean()), rel=0.08)
