"""A finished run to a GGUF adapter that llama.cpp loads beside the weights. Needs no torch.

Layout of an adapter: llama.cpp, src/llama-adapter.cpp: `general.type` adapter, `adapter.type` lora, and for each
matrix W two tensors `W.lora_a` (rank, n_in) and `W.lora_b` (n_out, rank) in numpy's order.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from fimble.backend.catalog.adapters import BASE_KEY
from fimble.core.errors import InputError, ModelUnsuitableError
from fimble.tuning.training.run_folder import RunFolder

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LORA = re.compile(r"layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\.")
# Converters of these keep the rows of each matrix in transformers' order; llama's own permutes those of q and k.
ARCHITECTURES = ("qwen2", "qwen3")


def export(run: RunFolder, architecture: str, out: Path) -> Path:
    """Write the adapter of a finished run to `out`.

    Raises:
        InputError: the run is not done, or `out` cannot be written.
        ModelUnsuitableError: adapters of this architecture cannot be written yet.
    """
    require_architecture(architecture)
    about, weights = run.about(), run.adapter()
    config: dict[str, Any] = about["config"]
    fresh = out.with_name(f".{out.name}.new")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        writer = gguf.GGUFWriter(fresh, architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(config["alpha"]))
        writer.add_name(f"{about['model_id']} tuned on {about['data_hash'][:12]}")
        writer.add_string(BASE_KEY, about["weights_sha256"])
        writer.add_string("fimble.data_hash", about["data_hash"])
        for name, values in sorted(weights.items()):
            writer.add_tensor(tensor_name(name), np.ascontiguousarray(values, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        fresh.replace(out)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{out} cannot be written: {reason}.", mend="Choose another place.") from error
    finally:
        fresh.unlink(missing_ok=True)
    return out


def require_architecture(architecture: str) -> None:
    """Refuse, before any work, a model whose adapter could not be written: ModelUnsuitableError."""
    if architecture not in ARCHITECTURES:
        raise ModelUnsuitableError(
            f"Adapters for models of the {architecture or 'unknown'} architecture cannot be exported.",
            mend=f"Tune a model of one of these: {', '.join(ARCHITECTURES)}.",
        )


def tensor_name(name: str) -> str:
    """llama.cpp's name for one of the trained model's adapter matrices."""
    matched = _LORA.search(name)
    if matched is None or matched[2] not in _NAMES:
        raise ModelUnsuitableError(f"{name} has no place in a GGUF adapter.", mend="Train what fimble trains.")
    return f"blk.{matched[1]}.{_NAMES[matched[2]]}.weight.lora_{matched[3].lower()}"
