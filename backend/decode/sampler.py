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


def candidates(logits: npt.NDArray[np.float32], allowed: npt.NDArray[np.int64] | None = None) -> Iterator[Choice]:
    """The tokens of `logits`, shape (n_vocab,), likeliest first; of `allowed` ids only, if given.

    The lowest id wins a tie, so runs agree. Probabilities are among all of them, whichever is taken in the end.
    `logits` is written to.
    """
    among = logits if allowed is None else logits[allowed]
    log_total = _log_total(among)
    for _ in range(len(among)):
        best = int(among.argmax())
        token = best if allowed is None else int(allowed[best])
        yield Choice(TokenId(token), float(among[best]) - log_total)
        among[best] = -np.inf


def logprob(logits: npt.NDArray[np.float32], token: TokenId) -> float:
    """The natural logarithm of a token's probability, logits of shape (n_vocab,)."""
    return float(logits[token]) - _log_total(logits)


def _log_total(logits: npt.NDArray[np.float32]) -> float:
    top = float(logits.max())
    return top + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
