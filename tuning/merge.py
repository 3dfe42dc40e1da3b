"""A model and its adapter to one GGUF: what the adapter adds is put into the weights, which are quantized again.

Serving it costs what the plain model costs; an adapter beside the weights costs a little with every token. Quantizing
again adds noise of its own, so the merged model is not exactly what the gate judged. Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from fimble.backend.catalog.gguf_header import read_header
from fimble.backend.llama.quantize import FILE_TYPES, file_type_number, quantize
from fimble.core.errors import InputError, ModelUnsuitableError

_F16 = "F16"


@dataclass(frozen=True, slots=True)
class LoraMatrices:
    """What is added to one weight matrix of shape (n_out, n_in): `scale` * `b` @ `a`."""

    a: NDArray[np.float32]  # (rank, n_in)
    b: NDArray[np.float32]  # (n_out, rank)
    scale: float

    def added(self) -> NDArray[np.float32]:
        """The whole addition; shape (n_out, n_in)."""
        return (self.scale * (self.b @ self.a)).astype(np.float32)


def file_type_of(weights: Path) -> str:
    """The file type of a GGUF, by its header.

    Raises:
        InputError: it is none that fimble writes.
    """
    number = read_header(weights).metadata.get("general.file_type")
    for name in FILE_TYPES:
        if number == file_type_number(name):
            return name
    raise InputError(f"{weights} is of no file type that can be written.", mend=f"Give one: {', '.join(FILE_TYPES)}.")


def merge(weights: Path, adapter: Path, out: Path, file_type: str, *, n_threads: int) -> None:
    """Write `weights` with `adapter` put in to `out`, as one of llama.quantize.FILE_TYPES.

    With F16 only the changed matrices have that type; everything else stays as it is.

    Raises:
        ModelUnsuitableError: the adapter is not for a model of this shape.
        InputError: `out` cannot be written.
        ModelError: a file is damaged.
    """
    whole, quantized = out.with_name(f".{out.name}.f16"), out.with_name(f".{out.name}.new")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_merged(gguf.GGUFReader(weights), _read_adapter(adapter), whole)
        if file_type == _F16:
            whole.replace(out)
        else:
            quantize(whole, quantized, file_type, n_threads=n_threads)
            quantized.replace(out)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror or error}.",
            mend="Make room (2 bytes a weight while it is merged), or choose another place.",
        ) from error
    finally:
        whole.unlink(missing_ok=True)
        quantized.unlink(missing_ok=True)


def _read_adapter(path: Path) -> dict[str, LoraMatrices]:
    reader = gguf.GGUFReader(path)
    tensors = {tensor.name: np.array(tensor.data, dtype=np.float32) for tensor in reader.tensors}
    alpha_field = reader.get_field("adapter.lora.alpha")
    # As llama.cpp has it: without an alpha the product is added as it is.
    alpha = float(alpha_field.contents()) if alpha_field is not None else 0.0
    found: dict[str, LoraMatrices] = {}
    for name, a in tensors.items():
        matrix = name.removesuffix(".lora_a")
        if matrix != name and f"{matrix}.lora_b" in tensors:
            found[matrix] = LoraMatrices(a, tensors[f"{matrix}.lora_b"], alpha / a.shape[0] if alpha else 1.0)
    return found


def _write_merged(reader: gguf.GGUFReader, adapter: dict[str, LoraMatrices], out: Path) -> None:
    if missing := sorted(set(adapter) - {tensor.name for tensor in reader.tensors}):
        raise ModelUnsuitableError(f"The model has no {missing[0]}: the adapter is for another.")
    writer = gguf.GGUFWriter(out, str(_value(reader, "general.architecture")))
    try:
        for field in reader.fields.values():
            # The writer makes these itself.
            if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
                continue
            kind = field.types[0]
            item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type=item)
        writer.add_file_type(file_type_number(_F16))
        for tensor in reader.tensors:
            # One matrix at a time in memory: only the sizes are told before.
            if tensor.name in adapter:
                n_out, n_in = (int(n) for n in reversed(tensor.shape))
                _require_shape(tensor.name, adapter[tensor.name], n_out, n_in)
                writer.add_tensor_info(tensor.name, (n_out, n_in), np.dtype(np.float16), 2 * n_out * n_in)
            else:
                data = tensor.data
                writer.add_tensor_info(tensor.name, data.shape, data.dtype, data.nbytes, tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in reader.tensors:
            writer.write_tensor_data(_merged(tensor, adapter[tensor.name]) if tensor.name in adapter else tensor.data)
    finally:
        writer.close()


def _merged(tensor: gguf.ReaderTensor, lora: LoraMatrices) -> NDArray[np.float16]:
    plain = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return (plain + lora.added()).astype(np.float16)


def _require_shape(name: str, lora: LoraMatrices, n_out: int, n_in: int) -> None:
    if (lora.b.shape[0], lora.a.shape[1]) != (n_out, n_in):
        raise ModelUnsuitableError(
            f"The adapter's {name} is {lora.b.shape[0]} by {lora.a.shape[1]}, the model's {n_out} by {n_in}.",
            mend="Merge it with the model that it was trained on.",
        )


def _value(reader: gguf.GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    return field.contents() if field is not None else ""
