"""Which token comes next, from the logits of one step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fimble.core.flow import TokenId


@dataclass(frozen=True, slots=True)
class Choice:
    """A token and the natural logarithm of its probability."""

    token: TokenId
    logprob: float


def candidates(
    logits: npt.NDArray[np.float32],
    allowed: npt.NDArray[np.int64] | None = None,
    wanted: npt.NDArray[np.int64] | None = None,
) -> Iterator[Choice]:
    """The tokens of `logits`, shape (n_vocab,), likeliest first; only those of `wanted`, else of `allowed`, if given.

    The lowest id wins a tie, so runs agree. Probabilities are among all that are allowed, whichever is taken at last.
    `logits` is written to where neither is given.
    """
    log_total = _log_total(logits if allowed is None else logits[allowed])
    ids = allowed if wanted is None else wanted
    among = logits if ids is None else logits[ids]
    for _ in range(len(among)):
        best = int(among.argmax())
        token = best if ids is None else int(ids[best])
        yield Choice(TokenId(token), float(among[best]) - log_total)
        among[best] = -np.inf


def logprob(logits: npt.NDArray[np.float32], token: TokenId) -> float:
    """The natural logarithm of a token's probability, logits of shape (n_vocab,)."""
    return float(logits[token]) - _log_total(logits)


def _log_total(logits: npt.NDArray[np.float32]) -> float:
    top = float(logits.max())
    return top + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
