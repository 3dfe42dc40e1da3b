"""A GGUF to one of another file type, by llama.cpp's own quantizer."""

from __future__ import annotations

import ctypes
from pathlib import Path

from fimble.backend.llama import library
from fimble.core.errors import InputError, ModelCorruptError

# The file types that models for completion come in; llama.cpp knows more.
FILE_TYPES = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0")


def file_type_number(name: str) -> int:
    """llama.cpp's number of a file type (llama_ftype), as `general.file_type` has it."""
    return int(getattr(library.llama(), f"LLAMA_FTYPE_MOSTLY_{name}"))


def quantize(source: Path, out: Path, file_type: str, *, n_threads: int) -> None:
    """Write `source` to `out` as `file_type`, one of FILE_TYPES; tensors that are of the wanted type are copied.

    Raises:
        ModelCorruptError: llama.cpp cannot read the source.
        InputError: it cannot write there, most often for want of room.
    """
    lib = library.llama()
    params = lib.llama_model_quantize_default_params()
    params.ftype = file_type_number(file_type)
    params.nthread = n_threads
    params.allow_requantize = True
    library.forget_complaints()
    status = lib.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params))
    if status == 0:
        return
    reason = library.last_complaint() or f"status {status}"
    if "failed to open" in reason or "write" in reason:
        raise InputError(f"{out} cannot be written: {reason}", mend="Make room, or choose another place.")
    raise ModelCorruptError(f"llama.cpp could not quantize {source}: {reason}", mend="Choose another type.")
