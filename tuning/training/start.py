"""Sets torch up for this machine and starts a run; records what it ran with.

torch comes with the extra `tune`; without it its types are unknown, and nothing else is let off.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from fimble.tuning.prepare.dataset import Prepared
from fimble.tuning.training.model import choose_device, choose_dtype
from fimble.tuning.training.need import require_memory
from fimble.tuning.training.run_folder import RunFolder, TrainConfig
from fimble.tuning.training.train import OnStep, train


def require_room(gguf: Path, config: TrainConfig) -> None:
    """Refuse before loading what does not fit into the memory of the device that would train.

    Raises:
        ModelError: too little memory, or the weights are no whole GGUF.
    """
    device = choose_device()
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
    require_memory(gguf, choose_dtype(config.dtype, device).itemsize, free)


def start_training(
    prepared: Prepared,
    weights: Path,
    gguf: Path,
    out: RunFolder,
    config: TrainConfig,
    n_threads: int,
    on_step: OnStep,
) -> bool:
    """Train; False where the user stopped it. Raises what `train` and `require_room` raise."""
    require_room(gguf, config)
    if n_threads:
        torch.set_num_threads(n_threads)
    facts: dict[str, object] = {
        "model_id": prepared.about.model_id,
        "end_token": prepared.about.end_token,
        "prepared": prepared.about.options,
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "fimble")},
        "machine": f"{platform.machine()}, {torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU'}",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return train(prepared, weights, out, config, facts, on_step)
