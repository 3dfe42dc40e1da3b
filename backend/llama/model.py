"""Weights in memory and their vocabulary. Knows nothing of prompts, caches or decoding."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fimble.backend.decode.heal import PieceIndex
from fimble.backend.llama import library
from fimble.core.errors import ModelCorruptError, ModelMissingError, ModelUnsuitableError
from fimble.core.flow import TokenId

_PIECE_BYTES = 256
_FIM_KINDS = ("pre", "suf", "mid", "pad", "rep", "sep")


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How weights are loaded; `n_gpu_layers` of -1 puts all layers on a GPU if the build has one.

    `adapter` is a LoRA adapter in GGUF, applied to every context that is made over the weights. Without
    `has_extra_kernels` llama.cpp leaves out those for repacked weights and for AMX.
    """

    path: Path
    n_gpu_layers: int = -1
    vocab_only: bool = False
    adapter: Path | None = None
    has_extra_kernels: bool = True


class LlamaModel:
    """Loaded weights. Close it to free them; contexts made from it must be closed first."""

    def __init__(self, options: LoadOptions) -> None:
        """Load the weights.

        Raises:
            ModelMissingError: there is no such file.
            ModelCorruptError: llama.cpp cannot load it.
            ModelUnsuitableError: the adapter is not for these weights.
        """
        if not options.path.is_file():
            raise ModelMissingError(f"There is no model file at {options.path}.", mend="See `fimble models list`.")
        lib = library.llama()
        self._lib = lib
        params = lib.llama_model_default_params()
        params.vocab_only = options.vocab_only
        params.n_gpu_layers = options.n_gpu_layers if options.n_gpu_layers >= 0 else 999
        params.use_extra_bufts = options.has_extra_kernels
        library.forget_complaints()
        self.handle: Any = lib.llama_model_load_from_file(str(options.path).encode(), params)
        if not self.handle:
            raise ModelCorruptError(
                f"llama.cpp could not load {options.path}: {library.last_complaint() or 'no reason given'}",
                mend="If memory is short choose a smaller model; else check the file with `fimble models verify`.",
            )
        self.vocab: Any = lib.llama_model_get_vocab(self.handle)
        self.n_vocab: int = lib.llama_vocab_n_tokens(self.vocab)
        self.n_gpu_layers = params.n_gpu_layers if lib.llama_supports_gpu_offload() else 0
        self.adapter: Any = self._load_adapter(options.adapter) if options.adapter else None
        self._pieces: dict[int, bytes] = {}
        self._piece_buffer = ctypes.create_string_buffer(_PIECE_BYTES)

    @property
    def size_bytes(self) -> int:
        """Size of all tensors."""
        return int(self._lib.llama_model_size(self.handle))

    def metadata(self, key: str) -> str:
        """One value of the GGUF's header as text; empty when absent."""
        buffer = ctypes.create_string_buffer(1024)
        n_bytes = self._lib.llama_model_meta_val_str(self.handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if n_bytes >= 0 else ""

    def fim_tokens(self) -> Mapping[str, str]:
        """The fill-in-the-middle markers that the GGUF declares, by llama.cpp's names for them."""
        found: dict[str, str] = {}
        for kind in _FIM_KINDS:
            token: int = getattr(self._lib, f"llama_vocab_fim_{kind}")(self.vocab)
            if token >= 0:
                found[kind] = self._lib.llama_vocab_get_text(self.vocab, token).decode("utf-8", "replace")
        return found

    def end_tokens(self) -> tuple[TokenId, ...]:
        """Every token with which the model says that it has finished."""
        lib = self._lib
        return tuple(TokenId(t) for t in range(self.n_vocab) if lib.llama_vocab_is_eog(self.vocab, t))

    def tokenize(self, text: str) -> list[TokenId]:
        """Ids of `text` with special tokens off: a marker written in the text is ordinary text."""
        return self._tokenize(text, parse_special=False)

    def marker_id(self, marker: str) -> TokenId | None:
        """The single special token that is `marker`, or None."""
        ids = self._tokenize(marker, parse_special=True)
        return (
            ids[0] if len(ids) == 1 and self._lib.llama_vocab_get_text(self.vocab, ids[0]) == marker.encode() else None
        )

    def piece(self, token: TokenId) -> bytes:
        """The bytes that a token stands for; part of a character is possible. Special tokens have none."""
        known = self._pieces.get(token)
        if known is None:
            n_bytes = self._lib.llama_token_to_piece(self.vocab, token, self._piece_buffer, _PIECE_BYTES, 0, False)
            if n_bytes < 0:
                big = ctypes.create_string_buffer(-n_bytes)
                n_bytes = self._lib.llama_token_to_piece(self.vocab, token, big, -n_bytes, 0, False)
                known = big.raw[:n_bytes]
            else:
                known = self._piece_buffer.raw[:n_bytes]
            self._pieces[token] = known
        return known

    @cached_property
    def piece_index(self) -> PieceIndex:
        """The vocabulary by its texts."""
        return PieceIndex(self.piece(TokenId(token)) for token in range(self.n_vocab))

    def close(self) -> None:
        """Free the weights."""
        if self.handle:
            self._lib.llama_model_free(self.handle)
            self.handle = None

    def _load_adapter(self, path: Path) -> Any:
        """The adapter's handle; llama.cpp frees it with the weights."""
        library.forget_complaints()
        handle = self._lib.llama_adapter_lora_init(self.handle, str(path).encode())
        if not handle:
            complaint = library.last_complaint() or "no reason given"
            self.close()
            raise ModelUnsuitableError(
                f"llama.cpp could not apply the adapter {path}: {complaint}",
                mend="It may be for another model: unset `model.adapter`, or set the `model.id` that it was made for.",
            )
        return handle

    def _tokenize(self, text: str, *, parse_special: bool) -> list[TokenId]:
        raw = text.encode("utf-8", "replace")
        n_max = len(raw) + 8
        ids = (self._lib.llama_token * n_max)()
        n_tokens: int = self._lib.llama_tokenize(self.vocab, raw, len(raw), ids, n_max, False, parse_special)
        if n_tokens < 0:  # one byte never makes two tokens, save for an added leading blank
            n_max = -n_tokens
            ids = (self._lib.llama_token * n_max)()
            n_tokens = self._lib.llama_tokenize(self.vocab, raw, len(raw), ids, n_max, False, parse_special)
        return [TokenId(t) for t in ids[:n_tokens]]
