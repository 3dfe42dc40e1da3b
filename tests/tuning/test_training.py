"""Training a tiny model of the real architecture: gradients, no leaks between packed sequences, going on, wrong inputs.

Needs the extra `tune`; `make test-tune` installs it and runs these.
"""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from tests.tuning.tiny_model import write_tiny_model

from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.core.errors import InputError, ModelUnsuitableError
from fimble.tuning.prepare.dataset import About, Prepared
from fimble.tuning.training.packing import NO_TARGET, pack
from fimble.tuning.training.run_folder import RunFolder, TrainConfig

torch = pytest.importorskip("torch", reason='the extra is not installed: pip install "fimble[tune]"')
transformers = pytest.importorskip("transformers", reason='the extra is not installed: pip install "fimble[tune]"')
pytest.importorskip("peft", reason='the extra is not installed: pip install "fimble[tune]"')
pytestmark = pytest.mark.filterwarnings("default")

from fimble.tuning.training.losses import hidden_states, row_losses  # noqa: E402
from fimble.tuning.training.model import HorizonHead, Trainee, choose_dtype, load_trainee, make_trainee  # noqa: E402
from fimble.tuning.training.need import require_memory  # noqa: E402
from fimble.tuning.training.train import (  # noqa: E402
    Processes,
    held_out_loss,
    held_out_rows,
    join_processes,
    learning_rate,
    run_steps,
)

CONFIG = TrainConfig(
    rank=4, alpha=8.0, learning_rate=5e-3, row_tokens=32, rows_per_step=2, epochs=6, checkpoint_every=3
)
END = 9


def tiny(config: TrainConfig = CONFIG) -> Trainee:
    torch.manual_seed(1)
    shape = transformers.Qwen2Config(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.2,
    )  # fmt: skip
    return make_trainee(transformers.Qwen2ForCausalLM(shape), config, torch.device("cpu"))


def data(n: int = 24, n_held_out: int = 6) -> Prepared:
    """Prompts of any words, middles of one or two words and the end marker: easy to learn."""
    generator = np.random.default_rng(0)
    sequences: list[list[int]] = []
    given: list[int] = []
    for _ in range(n):
        prompt = generator.integers(10, 60, int(generator.integers(2, 6))).tolist()
        sequences.append([*prompt, 20, *([21] if prompt[-1] % 2 else []), END])
        given.append(len(prompt))
    about = About("m", "w", "f", END, n - n_held_out, n_held_out, 0, 0, "hash", {})
    return Prepared(
        about,
        tokens=np.array([token for one in sequences for token in one], dtype=np.int32),
        offsets=np.cumsum([0, *map(len, sequences)]),
        n_given=np.array(given, dtype=np.int32),
        stages=np.zeros(n, dtype=np.int8),
        held_out=np.arange(n) >= n - n_held_out,
    )


def run(out: Path, trainee: Trainee, config: TrainConfig = CONFIG, *, stop_at: int = 0, resume: bool = False) -> bool:
    folder = RunFolder(out)
    folder.begin(config, "hash", "w", {})
    rows = pack(data(), range(18), config.row_tokens)

    def on_step(n_done: int, n_steps: int, loss: float) -> None:
        if n_done == stop_at:
            raise KeyboardInterrupt

    return run_steps(trainee, data(), rows, folder, config, Processes(0, 1), on_step, resume=resume)


def test_packed_sequences_do_not_see_each_other() -> None:
    trainee = tiny()
    together = pack(data(), [0, 1, 2], 32)[0]
    alone = [pack(data(), [i], 32)[0] for i in range(3)]
    hidden = hidden_states(trainee, together).detach()
    for i, row in enumerate(alone):
        n = row.n_tokens
        assert torch.allclose(hidden[together.sequences == i], hidden_states(trainee, row)[:n], atol=1e-5)


def test_a_gradient_reaches_a_sequence_from_its_own_losses_only() -> None:
    trainee = tiny()
    row = pack(data(), [0, 1], 32)[0]
    embedded: list[torch.Tensor] = []
    trainee.model.get_input_embeddings().register_forward_hook(
        lambda module, args, out: embedded.append(out.requires_grad_(requires_grad=True)) or out
    )
    second = row.sequences == 1
    row.targets[second] = NO_TARGET
    (gradient,) = torch.autograd.grad(row_losses(trainee, row).next_token, embedded)
    assert gradient[0][second].abs().max() == 0
    assert gradient[0][row.sequences == 0].abs().max() > 0
    # Behind the last learned position nothing matters either: the end marker itself predicts nothing.
    assert gradient[0][int((row.targets != NO_TARGET).nonzero()[0].max()) + 1].abs().max() == 0


def test_losses_are_those_of_the_plain_model_on_the_middle_and_the_end() -> None:
    trainee, row = tiny(), pack(data(), [0], 32)[0]
    n, first = row.n_tokens, int(data().n_given[0])
    tokens = torch.from_numpy(row.tokens[:n])
    logits = trainee.model(input_ids=tokens[None]).logits[0].detach()
    each = torch.nn.functional.cross_entropy(logits[:-1], tokens[1:], reduction="none")[first - 1 :]
    losses = row_losses(trainee, row)
    assert float(losses.next_token.detach()) == pytest.approx(float(each.sum()), rel=1e-4)
    assert float(losses.end_marker) == pytest.approx(float(each[-1]), rel=1e-4)
    assert losses.n_ends == 1


def test_the_horizon_head_begins_near_one_half_and_is_pulled_to_its_target() -> None:
    trainee, row = tiny(), pack(data(), [0, 1], 32)[0]
    learned = row.targets != NO_TARGET
    losses = row_losses(trainee, row)
    assert float(losses.horizon.detach()) == pytest.approx(float(np.abs(0.5 - row.horizons[learned]).sum()), rel=0.2)
    losses.horizon.backward()
    assert trainee.head.linear.weight.grad.abs().sum() > 0
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in trainee.model.parameters() if p.requires_grad)


def test_a_gguf_in_torch_gives_llama_cpps_logits(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf")
    model = LlamaModel(LoadOptions(path))
    context = LlamaContext(model, ContextOptions(n_ctx=256, n_threads=1))
    try:
        tokens = tuple(model.tokenize("def total(lines):\n    return sum("))
        context.evaluate(0, tokens)
        served = context.logits().copy()
    finally:
        context.close()
        model.close()
    trainee = load_trainee(path, CONFIG, torch.device("cpu"))
    with torch.no_grad():
        given = trainee.model(input_ids=torch.tensor([tokens])).logits[0, -1].numpy()
    # Weights are not quantized here, so only the arithmetic differs.
    assert np.abs(given - served).max() < 0.02 * served.std()


def test_only_adapters_and_the_head_are_trained() -> None:
    trainee = tiny()
    names = list(trainee.adapter_state())
    assert len(names) == 2 * 7 * 2  # layers, matrices, A and B
    assert all("lora_" in name for name in names)
    assert len(trainee.parameters()) == len(names) + 2
    assert isinstance(trainee.head, HorizonHead)


def test_the_held_out_loss_falls_and_the_model_learns_to_end(tmp_path: Path) -> None:
    config = TrainConfig(**{**vars_of(CONFIG), "epochs": 80, "learning_rate": 2e-2, "rank": 16, "alpha": 32.0})
    trainee = tiny(config)
    held_out = held_out_rows(data(), config)
    before = held_out_loss(trainee, held_out)
    assert run(tmp_path / "run", trainee, config)
    after = held_out_loss(trainee, held_out)
    assert after["held_out_loss"] < 0.7 * before["held_out_loss"]
    assert after["end_loss"] < before["end_loss"]
    curve = RunFolder(tmp_path / "run").metrics()
    assert next(value["step"] for value in curve if "held_out_loss" in value) == 0
    assert set(RunFolder(tmp_path / "run").adapter()) == set(trainee.adapter_state())


def test_a_stopped_run_goes_on_to_the_same_adapter(tmp_path: Path) -> None:
    whole, first, second = tiny(), tiny(), tiny()
    assert run(tmp_path / "whole", whole)
    assert not run(tmp_path / "parts", first, stop_at=4)
    with pytest.raises(InputError, match="not done"):
        RunFolder(tmp_path / "parts").adapter()
    assert RunFolder(tmp_path / "parts").begin(CONFIG, "hash", "w", {})
    assert run(tmp_path / "parts", second, resume=True)
    one, other = RunFolder(tmp_path / "whole").adapter(), RunFolder(tmp_path / "parts").adapter()
    for name, values in one.items():
        assert np.allclose(values, other[name], atol=1e-6), name
    steps = [value["step"] for value in RunFolder(tmp_path / "parts").metrics() if "loss" in value]
    assert steps == [value["step"] for value in RunFolder(tmp_path / "whole").metrics() if "loss" in value]


def _one_of_two(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    out, rows = RunFolder(folder / "run"), pack(data(), range(18), CONFIG.row_tokens)
    if rank == 0:
        out.begin(CONFIG, "hash", "w", {})
    processes = join_processes()
    processes.wait()
    run_steps(tiny(), data(), rows, out, CONFIG, processes, lambda n, of, loss: None, resume=False)
    torch.distributed.destroy_process_group()


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    assert run(tmp_path / "alone", tiny())
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_one_of_two, args=(rank, tmp_path)) for rank in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    alone, together = RunFolder(tmp_path / "alone").adapter(), RunFolder(tmp_path / "run").adapter()
    for name, values in alone.items():
        assert np.allclose(values, together[name], atol=1e-4), name


def test_another_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    RunFolder(tmp_path).begin(CONFIG, "hash", "w", {})
    for config, data_hash in ((CONFIG, "other"), (TrainConfig(), "hash")):
        with pytest.raises(InputError, match="other settings, data or weights"):
            RunFolder(tmp_path).begin(config, data_hash, "w", {})


def test_too_little_memory_is_said_before_loading(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    path = tmp_path / "some.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tensor("a", np.zeros((64, 64), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    require_memory(path, 4, free_bytes=1_600_000_000)
    with pytest.raises(ModelUnsuitableError, match=r"needs about 1\.5 GB of memory; 1\.0 GB are free"):
        require_memory(path, 4, free_bytes=1_000_000_000)


def test_the_learning_rate_warms_up_and_falls() -> None:
    rates = [learning_rate(step, 100, CONFIG) for step in range(100)]
    assert rates.index(max(rates)) in (5, 6)
    assert max(rates) == pytest.approx(CONFIG.learning_rate)
    assert rates[0] < rates[3]
    assert rates[-1] == pytest.approx(0.1 * CONFIG.learning_rate, rel=0.02)


def test_float32_on_a_cpu() -> None:
    assert choose_dtype("auto", torch.device("cpu")) is torch.float32
    assert choose_dtype("auto", torch.device("cuda")) is torch.bfloat16


def vars_of(config: TrainConfig) -> dict[str, object]:
    return {name: getattr(config, name) for name in TrainConfig.__slots__}
