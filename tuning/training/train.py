"""The training stage from top to bottom: rows in order, steps, checkpoints, held-out loss, the adapter at the end.

With torchrun each process takes every n-th row of a step, and gradients are summed; one process writes.
"""

# torch and its kin come with the extra `tune`; without it their types are unknown, and nothing else is let off.
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUntypedBaseClass=false

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fimble.core.errors import InputError
from fimble.tuning.prepare.dataset import Prepared
from fimble.tuning.training.losses import row_losses
from fimble.tuning.training.model import Trainee, choose_device, load_trainee
from fimble.tuning.training.packing import Row, pack, training_order
from fimble.tuning.training.run_folder import CHECKPOINT, RunFolder, TrainConfig

_CLIP_NORM = 1.0
OnStep = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True)
class Processes:
    """How many processes train together, and which one this is."""

    rank: int
    n: int

    def add_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Add the gradients of all processes."""
        if self.n > 1:
            for parameter in parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                torch.distributed.all_reduce(parameter.grad)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.n > 1:
            torch.distributed.barrier()


def train(
    prepared: Prepared, weights: Path, out: RunFolder, config: TrainConfig, facts: dict[str, Any],
    on_step: OnStep,
) -> bool:  # fmt: skip
    """Train until done; False where the user stopped it, and the same call goes on from the last checkpoint.

    `weights` is the GGUF itself or a safetensors folder of the same model.

    Raises:
        InputError: the folder holds another run, or there is nothing to train on.
        ModelError: the weights are not of a known kind.
    """
    rows = _rows(prepared, config)
    processes = join_processes()
    if processes.rank == 0:
        out.begin(config, prepared.about.data_hash, prepared.about.weights_sha256, facts)
    processes.wait()
    if out.is_done:
        return True
    has_checkpoint = (out.path / CHECKPOINT).is_file()
    trainee = load_trainee(weights, config, choose_device())
    return run_steps(trainee, prepared, rows, out, config, processes, on_step, resume=has_checkpoint)


def run_steps(
    trainee: Trainee,
    prepared: Prepared,
    rows: list[Row],
    out: RunFolder,
    config: TrainConfig,
    processes: Processes,
    on_step: OnStep,
    *,
    resume: bool,
) -> bool:
    """The loop itself, over a model that is loaded."""
    steps = [rows[start : start + config.rows_per_step] for start in range(0, len(rows), config.rows_per_step)]
    n_steps = len(steps) * config.epochs
    n_steps = min(n_steps, config.max_steps) if config.max_steps else n_steps
    held_out = held_out_rows(prepared, config)
    optimizer = torch.optim.AdamW(trainee.parameters(), lr=config.learning_rate, weight_decay=0.0)
    first = _resume(out, trainee, optimizer) if resume else 0
    writes = processes.rank == 0
    started = time.monotonic()
    n_done = first
    try:
        if first == 0 and writes:
            _measure(trainee, held_out, out, 0)
        for step in range(first, n_steps):
            rate = learning_rate(step, n_steps, config)
            made = _step(trainee, steps[step % len(steps)], optimizer, config.horizon_weight, processes, rate)
            n_done = step + 1
            if writes:
                out.log({"step": n_done, **made, "seconds": round(time.monotonic() - started, 2)})
                on_step(n_done, n_steps, made["loss"])
                if n_done % config.checkpoint_every == 0 or n_done == n_steps:
                    _save(out, trainee, optimizer, n_done)
                if n_done % config.evaluate_every == 0 or n_done == n_steps:
                    _measure(trainee, held_out, out, n_done)
    except KeyboardInterrupt:
        # A step that was cut has changed nothing: weights move at its very end.
        if writes:
            _save(out, trainee, optimizer, n_done)
        return False
    if writes:
        out.save_adapter({name: value.float().cpu().numpy() for name, value in trainee.adapter_state().items()})
    return True


def held_out_rows(prepared: Prepared, config: TrainConfig) -> list[Row]:
    """Rows of what is never trained on, one sequence a row's neighbour as in training."""
    chosen = [i for i in range(len(prepared)) if prepared.held_out[i]]
    return pack(prepared, chosen, config.row_tokens)[: config.n_held_out_rows]


def held_out_loss(trainee: Trainee, rows: list[Row]) -> dict[str, float]:
    """Mean loss per learned token, the end marker's alone, and how often it would be the model's choice where due."""
    total = ends = 0.0
    n_learned = n_ends = n_right = 0
    trainee.model.eval()
    with torch.no_grad():
        for row in rows:
            losses = row_losses(trainee, row)
            total += float(losses.next_token)
            ends += float(losses.end_marker)
            n_learned += row.n_learned
            n_ends += losses.n_ends
            n_right += losses.n_right_ends
    trainee.model.train()
    return {
        "held_out_loss": total / max(n_learned, 1),
        "end_loss": ends / max(n_ends, 1),
        "end_right": n_right / max(n_ends, 1),
    }


def learning_rate(step: int, n_steps: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to a tenth."""
    n_warm = max(1, round(n_steps * config.warmup_share))
    if step < n_warm:
        return config.learning_rate * (step + 1) / n_warm
    share = (step - n_warm) / max(1, n_steps - n_warm)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))


def _rows(prepared: Prepared, config: TrainConfig) -> list[Row]:
    rows = pack(prepared, (int(i) for i in training_order(prepared, config.order, config.seed)), config.row_tokens)
    if not rows:
        raise InputError(
            f"No sequence fits into rows of {config.row_tokens} tokens.",
            mend="Raise --row-tokens, or prepare shorter ones.",
        )
    return rows


def _step(
    trainee: Trainee,
    rows: list[Row],
    optimizer: torch.optim.Optimizer,
    horizon_weight: float,
    processes: Processes,
    rate: float,
) -> dict[str, float]:
    """One optimizer step over some rows; returns the mean losses of this process's rows, and what it learned from."""
    n_learned = sum(row.n_learned for row in rows)
    loss = horizon = 0.0
    n_own = 0
    optimizer.zero_grad(set_to_none=True)
    for row in rows[processes.rank :: processes.n]:
        losses = row_losses(trainee, row)
        # Every learned token of the step weighs the same, whichever row or process it is in.
        ((losses.next_token + horizon_weight * losses.horizon) / n_learned).backward()
        loss += float(losses.next_token.detach())
        horizon += float(losses.horizon.detach())
        n_own += row.n_learned
    parameters = trainee.parameters()
    processes.add_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return {
        "loss": loss / max(n_own, 1),
        "horizon_loss": horizon / max(n_own, 1),
        "n_learned": n_learned,
        "n_tokens": sum(row.n_tokens for row in rows),
        "learning_rate": rate,
    }


def _measure(trainee: Trainee, rows: list[Row], out: RunFolder, step: int) -> None:
    if rows:
        out.log({"step": step, **held_out_loss(trainee, rows)})


def _save(out: RunFolder, trainee: Trainee, optimizer: torch.optim.Optimizer, n_done: int) -> None:
    fresh = out.path / f".{CHECKPOINT}.new"
    state = {
        "step": n_done,
        "adapter": trainee.adapter_state(),
        "head": trainee.head.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(state, fresh)
    fresh.replace(out.path / CHECKPOINT)


def _resume(out: RunFolder, trainee: Trainee, optimizer: torch.optim.Optimizer) -> int:
    state = torch.load(out.path / CHECKPOINT, map_location=trainee.device, weights_only=True)
    trainee.load_adapter_state(state["adapter"])
    trainee.head.load_state_dict(state["head"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def join_processes() -> Processes:
    """This process's place among those that torchrun started; alone without it."""
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n > 1 and not torch.distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(choose_device())
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Processes(int(os.environ.get("RANK", "0")), n)
