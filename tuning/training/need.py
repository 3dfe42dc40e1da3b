"""Says in a sentence what is missing for training: the extra, or memory."""

# torch comes with the extra `tune`; without it its types are unknown, and nothing else is let off.
# pyright: reportMissingImports=false

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import psutil

from fimble.backend.catalog.gguf_header import NotGgufError, TruncatedError, read_header
from fimble.core.errors import FimbleError, ModelCorruptError, ModelUnsuitableError

_PACKAGES = ("torch", "transformers", "peft")
# Activations, gradients and the optimizer of a LoRA run, beside the weights; measured on the 0.5B with rows of 512.
_BESIDE_BYTES = 1_500_000_000
_LOADING_FACTOR = 1.3  # a tensor is there twice while it is dequantized and moved


def require_packages() -> None:
    """Raise FimbleError, with the line to install them, where the packages of the extra are missing."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise FimbleError(
            f"Training needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            mend='Install the extra: pip install "fimble[tune]"',
        )


def require_memory(weights: Path, bytes_per_weight: int, free_bytes: int | None = None) -> None:
    """Refuse before loading what would not fit. `free_bytes` is a GPU's memory; without it this machine's counts.

    Raises:
        ModelUnsuitableError: there is too little memory.
        ModelCorruptError: the weights are no whole GGUF.
    """
    try:
        n_weights = read_header(weights).n_weights
    except (NotGgufError, TruncatedError, OSError) as error:
        raise ModelCorruptError(f"{weights} is not a whole GGUF: {error}.", mend="Fetch it again.") from error
    wanted = int(n_weights * bytes_per_weight * _LOADING_FACTOR) + _BESIDE_BYTES
    free = psutil.virtual_memory().available if free_bytes is None else free_bytes
    if wanted > free:
        raise ModelUnsuitableError(
            f"Training {weights.stem} needs about {wanted / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free.",
            mend="Close other programs, take a smaller model, or --dtype bfloat16, which needs half.",
        )


def has_gpu() -> bool:
    """Whether torch sees a GPU."""
    import torch

    return bool(torch.cuda.is_available())
