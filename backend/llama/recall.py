"""Between the cache in memory and the states on disk: what a prompt needs is fetched before the KV plan looks, what
the cache holds is put away before it goes.
"""

from __future__ import annotations

import logging
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fimble.backend.llama.kvdisk import LEAST_GAIN_TOKENS, KvShelf
from fimble.backend.llama.kvplan import common_prefix
from fimble.core.flow import TokenId

_log = logging.getLogger(__name__)


class Cache(Protocol):
    """What is asked of the cache in memory: `LlamaContext`, or a test's."""

    def n_cached(self, tokens: tuple[TokenId, ...]) -> int:
        """How many of a prompt's tokens some sequence holds."""
        ...

    def by_use(self) -> tuple[int, ...]:
        """The sequences, last used first."""
        ...

    def held(self, seq: int) -> tuple[TokenId, ...]:
        """The tokens that a sequence holds."""
        ...

    def state(self, seq: int) -> npt.NDArray[np.uint8]:
        """What a sequence holds, as bytes."""
        ...

    def restore(self, tokens: tuple[TokenId, ...], state: npt.NDArray[np.uint8]) -> bool:
        """Hold it again; whether that was possible."""
        ...


def recall(cache: Cache, shelf: KvShelf, wanted: tuple[TokenId, ...]) -> None:
    """Load the state that spares a prompt most, if one spares enough."""
    stored = shelf.best(wanted[:-1], cache.n_cached(wanted))
    if stored is None:
        return
    state = shelf.load(stored)
    if state is not None and not cache.restore(stored.tokens, state):
        shelf.drop(stored, "llama.cpp did not take it")


def n_at_hand(cache: Cache, shelf: KvShelf | None, wanted: tuple[TokenId, ...]) -> int:
    """How many of a prompt's tokens need no evaluation, `recall` included; safe to ask from another thread."""
    n_held = cache.n_cached(wanted)
    stored = shelf.best(wanted[:-1], n_held) if shelf else None
    return common_prefix(stored.tokens, wanted[:-1]) if stored else n_held


def put_away(cache: Cache, shelf: KvShelf) -> None:
    """Save the sequences that hold more than what is on disk or in one used later. Failing is logged, nothing else."""
    chosen: list[int] = []
    for seq in cache.by_use():
        tokens = cache.held(seq)
        n_known = max((common_prefix(cache.held(other), tokens) for other in chosen), default=0)
        stored = shelf.best(tokens, n_known)
        n_known = max(n_known, common_prefix(stored.tokens, tokens) if stored else 0)
        if len(tokens) - n_known >= LEAST_GAIN_TOKENS:
            chosen.append(seq)
    try:
        # Last used comes last: its file is the newest, and the last to make room.
        for seq in reversed(chosen):
            shelf.save(cache.held(seq), cache.state(seq))
    except FileNotFoundError:
        _log.info("the KV states were deleted while the model ran; none are written")
    except (OSError, MemoryError) as error:
        _log.warning("the KV states could not be written: %s", error)
