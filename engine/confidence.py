"""How sure the model is of what it wrote, as a whole or of what is left once some of it is typed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Confidence:
    """For each token how many characters stand before it, and the natural logarithm of its probability."""

    steps: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str], logprobs: Sequence[float], length: int) -> Confidence:
        """That of the first `length` characters; a token that ends beyond them counts whole."""
        begins = itertools.accumulate(map(len, texts), initial=0)
        return cls(tuple(step for step in zip(begins, logprobs, strict=False) if step[0] < length))

    def after(self, n_chars: int) -> Confidence:
        """That of what is left once `n_chars` are typed: they are certain then."""
        return Confidence(tuple((begin - n_chars, logprob) for begin, logprob in self.steps if begin >= n_chars))

    @property
    def value(self) -> float | None:
        """0 to 1; None where nothing is known. The product of the n probabilities, to the power of 1 / sqrt(n).

        Of the product long answers have too little however right they are, of the mean (1 / n) wrong ones too much, as
        most of their tokens are certain (docs/LOG.md, 2026-11-30).
        """
        if not self.steps:
            return None
        return math.exp(sum(logprob for _, logprob in self.steps) / math.sqrt(len(self.steps)))
