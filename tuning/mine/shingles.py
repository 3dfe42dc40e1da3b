"""Runs of code words as 64-bit numbers: what near-duplicates and evaluation texts are recognised by.

White space does not count, names and signs do, so that a text that was only reformatted is still the same.
"""

from __future__ import annotations

import re
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_WORD = re.compile(r"\w+|[^\w\s]")
# Odd, so that multiplying loses nothing; from the fractional part of the golden ratio.
_MIX = np.uint64(0x9E3779B97F4A7C15)


def words_of(text: str) -> list[str]:
    """Names, numbers and signs, in order."""
    return _WORD.findall(text)


def shingles(text: str, n_words: int) -> Hashes:
    """Distinct hashes of all runs of `n_words` words, sorted; empty for a shorter text."""
    words = words_of(text)
    if len(words) < n_words:
        return np.empty(0, dtype=np.uint64)
    known: dict[str, int] = {}
    each = np.array([known.setdefault(word, 0) or _hash(word, known) for word in words], dtype=np.uint64)
    runs = np.zeros(len(words) - n_words + 1, dtype=np.uint64)
    for k in range(n_words):
        runs = (runs ^ each[k : k + len(runs)]) * _MIX
        runs ^= runs >> np.uint64(29)
    return np.unique(runs)


def _hash(word: str, known: dict[str, int]) -> int:
    """Python's own hash differs from process to process; this one does not."""
    known[word] = int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1
    return known[word]
