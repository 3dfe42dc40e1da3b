"""The model to train: weights of a GGUF, dequantized, or of a safetensors folder; frozen, with LoRA in its layers.

Also the horizon head (arXiv 2410.03103), which exists while training and is thrown away.
"""

# torch and its kin come with the extra `tune`; without it their types are unknown, and nothing else is let off.
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUntypedBaseClass=false

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model
from transformers import AutoModelForCausalLM, GgufConfig

from fimble.core.errors import ModelUnsuitableError
from fimble.tuning.training.run_folder import TrainConfig

_log = logging.getLogger(__name__)
# Every matrix of a layer of the Llama line and its kin: llama.cpp applies adapters to all of them.
_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class HorizonHead(torch.nn.Module):
    """Hidden state to the share of the middle that is still to be written, 0 to 1."""

    def __init__(self, n_hidden: int) -> None:
        """Begin near one half everywhere; not at zero weights, or no gradient would reach the model at first."""
        super().__init__()
        self.linear = torch.nn.Linear(n_hidden, 1)
        torch.nn.init.normal_(self.linear.weight, std=0.02)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, n_hidden) -> (n,)"""
        return torch.sigmoid(self.linear(hidden.float())).squeeze(-1)


@dataclass(frozen=True, slots=True)
class Trainee:
    """A language model with adapters, and the horizon head beside it."""

    model: torch.nn.Module
    head: HorizonHead
    device: torch.device

    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained: the adapters, then the head."""
        adapters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        return [*adapters, *self.head.parameters()]

    def adapter_state(self) -> dict[str, torch.Tensor]:
        """The adapters by name."""
        return {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}

    def load_adapter_state(self, state: dict[str, torch.Tensor]) -> None:
        """Put adapters back."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(state[name])


def choose_device() -> torch.device:
    """A GPU if there is one; with torchrun each process its own."""
    import os

    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on a GPU and float32 on a CPU, where bfloat16 is fast on few machines only."""
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def load_trainee(weights: Path, config: TrainConfig, device: torch.device) -> Trainee:
    """Load, freeze, and put fresh adapters in.

    Raises:
        ModelUnsuitableError: transformers does not know the architecture, or it has no layers that take adapters.
    """
    dtype = choose_dtype(config.dtype, device)
    try:
        if weights.is_dir():
            model = AutoModelForCausalLM.from_pretrained(weights, dtype=dtype, local_files_only=True)
        else:
            model = AutoModelForCausalLM.from_pretrained(
                weights.parent,
                gguf_file=weights.name,
                dtype=dtype,
                local_files_only=True,
                # Packed weights would need kernels that are fetched from a hub, and give no gradients to what is below.
                quantization_config=GgufConfig(dequantize=True),
            )
    except (ValueError, KeyError, OSError) as error:
        raise ModelUnsuitableError(
            f"transformers cannot load {weights}: {error}",
            mend="Models of the Qwen2.5-Coder family are tested; give others as a safetensors folder by --weights.",
        ) from error
    return make_trainee(model, config, device)


def make_trainee(model: torch.nn.Module, config: TrainConfig, device: torch.device) -> Trainee:
    """Freeze a language model and put fresh adapters in; the seed decides how they begin."""
    model.requires_grad_(requires_grad=False)
    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=0.0, bias="none", target_modules=list(_TARGETS)
    )
    try:
        model = inject_adapter_in_model(lora, model)
    except ValueError as error:
        raise ModelUnsuitableError(
            "This model's layers are not of the kind that fimble trains.", mend="Choose a Qwen2.5-Coder model."
        ) from error
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    model.to(device).train()
    head = HorizonHead(model.config.hidden_size).to(device)
    return Trainee(model, head, device)
