"""One llama.cpp context: evaluate tokens into sequences, read logits, be stopped from another thread.

Not thread-safe but for `abort()`. Knows token ids only.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fimble.backend.llama import kvplan, library
from fimble.backend.llama.model import LlamaModel
from fimble.core.errors import BackendError, ModelUnsuitableError, invariant_broken
from fimble.core.flow import TokenId

_DECODE_ABORTED = 2


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """Sizes in tokens. A stop loses at most one micro-batch's work on a CPU, and takes one batch on a GPU."""

    n_ctx: int
    n_threads: int
    n_batch_tokens: int = 512
    n_micro_batch_tokens: int = 128
    n_places: int = 12


class Aborted(Exception):
    """The evaluation was stopped by `abort()`; what was evaluated before stays usable."""


class LlamaContext:
    """KV cache and compute buffers over a loaded model."""

    def __init__(self, model: LlamaModel, options: ContextOptions) -> None:
        """Allocate the cache.

        Raises:
            ModelUnsuitableError: there is not enough memory.
        """
        lib = library.llama()
        self._lib = lib
        self._n_vocab = model.n_vocab
        self.n_ctx = options.n_ctx
        params = lib.llama_context_default_params()
        params.n_ctx = options.n_ctx
        params.n_batch = options.n_batch_tokens
        params.n_ubatch = options.n_micro_batch_tokens
        params.n_seq_max = options.n_places
        params.kv_unified = True
        params.n_threads = options.n_threads
        params.n_threads_batch = options.n_threads
        params.no_perf = True
        library.forget_complaints()
        self._handle: Any = lib.llama_init_from_model(model.handle, params)
        if not self._handle:
            raise ModelUnsuitableError(
                f"llama.cpp could not make a context of {options.n_ctx} tokens: "
                f"{library.last_complaint() or 'no reason given'}",
                mend="Lower `model.n_ctx`, or choose a smaller model.",
            )
        if model.adapter:
            adapters = (lib.llama_adapter_lora_p_ctypes * 1)(model.adapter)
            lib.llama_set_adapters_lora(self._handle, adapters, 1, (ctypes.c_float * 1)(1.0))
        self._memory: Any = lib.llama_get_memory(self._handle)
        # A recurrent state is of all tokens of its sequence: it has no head that could be copied.
        self._copies_heads = not (lib.llama_model_is_recurrent(model.handle) or lib.llama_model_is_hybrid(model.handle))
        self._n_batch_tokens = options.n_batch_tokens
        self._batch: Any = lib.llama_batch_init(options.n_batch_tokens, 0, 1)
        self._held: list[list[TokenId]] = [[] for _ in range(options.n_places)]
        self._last_used = [0] * options.n_places
        self._clock = 0
        self._abort_flag = ctypes.create_string_buffer(2)
        self._install_abort()

    def place(self, tokens: tuple[TokenId, ...], n_room: int) -> tuple[int, int]:
        """Choose and trim a sequence for a prompt; returns it and how many of its tokens need no evaluation."""
        chosen = kvplan.plan(self._all_held(), tokens, n_cells=self.n_ctx, n_room=n_room)
        for seq in chosen.drop:
            self.cut(seq, 0)
        self.cut(chosen.target, chosen.n_reused if chosen.copy_from is None else 0)
        if chosen.copy_from is not None and self._copies_heads:
            self._lib.llama_memory_seq_cp(self._memory, chosen.copy_from, chosen.target, 0, chosen.n_reused)
            self._held[chosen.target] = self._held[chosen.copy_from][: chosen.n_reused]
        self._use(chosen.target)
        # What could not be cut or copied is gone or not there.
        return chosen.target, min(chosen.n_reused, len(self._held[chosen.target]))

    def n_cached(self, tokens: tuple[TokenId, ...]) -> int:
        """How many of a prompt's tokens some sequence holds; safe to ask from another thread, as a hint."""
        return max(kvplan.common_prefix(tuple(held), tokens[:-1]) for held in self._held)

    def held(self, seq: int) -> tuple[TokenId, ...]:
        """The tokens that a sequence holds."""
        return tuple(self._held[seq])

    def by_use(self) -> tuple[int, ...]:
        """The sequences, last used first."""
        return tuple(sorted(range(len(self._held)), key=lambda seq: -self._last_used[seq]))

    def state(self, seq: int) -> npt.NDArray[np.uint8]:
        """What a sequence holds, as llama.cpp writes it: shape (n_bytes,), 12 KB a token with the default model."""
        n_bytes: int = self._lib.llama_state_seq_get_size(self._handle, seq)
        state = np.empty(n_bytes, np.uint8)
        n_written: int = self._lib.llama_state_seq_get_data(self._handle, _pointer(state), n_bytes, seq)
        if n_written != n_bytes:
            invariant_broken(f"a state of {n_bytes} bytes was written with {n_written}")
        return state

    def restore(self, tokens: tuple[TokenId, ...], state: npt.NDArray[np.uint8]) -> bool:
        """Hold the `tokens` that `state()` once gave `state` for, in a free or the least recently used sequence.

        Returns whether llama.cpp took it; if not, that sequence is empty.
        """
        if len(tokens) > self.n_ctx:
            return False
        target, drop = kvplan.room_for(self._all_held(), len(tokens), n_cells=self.n_ctx)
        for seq in (*drop, target):
            self.cut(seq, 0)
        n_read: int = self._lib.llama_state_seq_set_data(self._handle, _pointer(state), state.nbytes, target)
        n_there: int = self._lib.llama_memory_seq_pos_max(self._memory, target) + 1
        if n_read != state.nbytes or n_there != len(tokens):
            self._lib.llama_memory_seq_rm(self._memory, target, -1, -1)
            return False
        self._held[target] = list(tokens)
        self._use(target)
        return True

    def cut(self, seq: int, n_keep: int) -> None:
        """Forget all but the first `n_keep` tokens of a sequence."""
        if n_keep >= len(self._held[seq]):
            return
        if not self._lib.llama_memory_seq_rm(self._memory, seq, n_keep, -1):
            # Recurrent and hybrid models cannot forget a tail: start the sequence again.
            self._lib.llama_memory_seq_rm(self._memory, seq, -1, -1)
            n_keep = 0
        del self._held[seq][n_keep:]

    def evaluate(self, seq: int, tokens: tuple[TokenId, ...]) -> None:
        """Append `tokens` to a sequence; afterwards `logits()` are those after the last one.

        Raises:
            Aborted: `abort()` was called; tokens evaluated by then stay in the sequence.
            BackendError: llama.cpp refused.
        """
        for start in range(0, len(tokens), self._n_batch_tokens):
            part = tokens[start : start + self._n_batch_tokens]
            is_last = start + len(part) == len(tokens)
            self._decode(seq, part, n_logits=int(is_last))

    def losses(self, tokens: tuple[TokenId, ...], n_given: int) -> npt.NDArray[np.float32]:
        """Minus log probability of each of `tokens[n_given:]` after what stands before it; shape (n - n_given,).

        For measuring, not for serving: sequence 0 is emptied for it, before and after.

        Raises:
            ValueError: nothing is given, or nothing is asked.
            Aborted, BackendError: as `evaluate`.
        """
        if not 0 < n_given < len(tokens):
            raise ValueError(f"{n_given} of {len(tokens)} tokens are given")
        self.cut(0, 0)
        found: list[float] = []
        for start in range(0, len(tokens) - 1, self._n_batch_tokens):
            part = tokens[start : min(start + self._n_batch_tokens, len(tokens) - 1)]
            first = max(0, n_given - 1 - start)  # the last given token predicts the first asked
            n_logits = max(0, len(part) - first)
            self._decode(0, part, n_logits=n_logits)
            for i in range(len(part) - n_logits, len(part)):
                pointer = self._lib.llama_get_logits_ith(self._handle, i)
                row = np.ctypeslib.as_array(pointer, shape=(self._n_vocab,)).astype(np.float64)
                top = row.max()
                found.append(float(top + np.log(np.exp(row - top).sum()) - row[tokens[start + i + 1]]))
        self.cut(0, 0)
        return np.array(found, dtype=np.float32)

    def logits(self) -> npt.NDArray[np.float32]:
        """A writable view on the logits of the last evaluated token, shape (n_vocab,); valid until the next call."""
        pointer = self._lib.llama_get_logits_ith(self._handle, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._n_vocab,))

    def abort(self) -> None:
        """Make the running or next evaluation raise Aborted. Safe from any thread."""
        self._abort_flag[0] = b"1"

    def allow(self) -> None:
        """Take back `abort()`."""
        self._abort_flag[0] = b"\0"

    def raise_if_aborted(self) -> None:
        """For what takes long between two evaluations.

        Raises:
            Aborted: `abort()` was called.
        """
        if self._abort_flag[0] != b"\0":
            raise Aborted

    def set_threads(self, n_threads: int) -> None:
        """Change how many CPU threads evaluate."""
        self._lib.llama_set_n_threads(self._handle, n_threads, n_threads)

    def close(self) -> None:
        """Free the cache."""
        if self._handle:
            self._lib.llama_batch_free(self._batch)
            self._lib.llama_free(self._handle)
            self._handle = None

    def _all_held(self) -> list[kvplan.Held]:
        return [kvplan.Held(tuple(t), used) for t, used in zip(self._held, self._last_used, strict=True)]

    def _use(self, seq: int) -> None:
        self._clock += 1
        self._last_used[seq] = self._clock

    def _decode(self, seq: int, tokens: tuple[TokenId, ...], *, n_logits: int) -> None:
        """Append tokens; logits are kept for the last `n_logits` of them."""
        batch = self._batch
        n_tokens = len(tokens)
        first = len(self._held[seq])
        batch.n_tokens = n_tokens
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = first + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = seq
            batch.logits[i] = i >= n_tokens - n_logits
        self.raise_if_aborted()
        status: int = self._lib.llama_decode(self._handle, batch)
        if status == 0:
            self._held[seq].extend(tokens)
            return
        # Micro-batches that were finished stay in the cache; only it knows how many.
        n_there: int = self._lib.llama_memory_seq_pos_max(self._memory, seq) + 1
        if first <= n_there <= first + n_tokens:
            self._held[seq].extend(tokens[: n_there - first])
        else:
            self._lib.llama_memory_seq_rm(self._memory, seq, -1, -1)
            self._held[seq].clear()
            invariant_broken(f"sequence ends at {n_there}, expected {first} to {first + n_tokens}")
        if status == _DECODE_ABORTED:
            raise Aborted
        raise BackendError(
            f"llama.cpp could not evaluate {n_tokens} tokens (status {status}): {library.last_complaint()}",
            mend="Lower `prompt.max_tokens` or raise `model.n_ctx`.",
        )

    def _install_abort(self) -> None:
        """Have llama.cpp look at our flag between graph nodes.

        The callback is libc's strlen on a two-byte buffer: "" is 0 (go on), "1" is 1 (stop). A Python callback would
        take the interpreter's lock some 700 times a token.
        """
        libc = ctypes.CDLL(ctypes.util.find_library("c"))
        address = ctypes.cast(libc.strlen, ctypes.c_void_p).value
        self._abort_callback = self._lib.ggml_abort_callback(address)
        self._lib.llama_set_abort_callback(
            self._handle, self._abort_callback, ctypes.cast(self._abort_flag, ctypes.c_void_p)
        )


def _pointer(array: npt.NDArray[np.uint8]) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
