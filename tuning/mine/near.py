"""Near-duplicate files: MinHash over word runs (Broder 1997), candidates by banding, so that each file counts once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fimble.tuning.mine.shingles import Hashes, shingles

_RUN_WORDS = 7
_N_BANDS = 16
_BAND_ROWS = 5
_MIN_SIMILARITY = 0.8
_SEED = 20261121


class NearDuplicates:
    """Remembers files; tells of each new one whether a known one is nearly the same (Jaccard of about 0.8 and more)."""

    def __init__(self) -> None:
        """Know nothing yet."""
        generator = np.random.default_rng(_SEED)
        n = _N_BANDS * _BAND_ROWS
        self._factors = generator.integers(1, 2**63, size=n, dtype=np.uint64) | np.uint64(1)
        self._offsets = generator.integers(0, 2**63, size=n, dtype=np.uint64)
        self._bands: dict[tuple[int, bytes], list[str]] = {}
        self._signatures: dict[str, NDArray[np.uint64]] = {}

    def add(self, name: str, text: str) -> str | None:
        """The name of an earlier file that is nearly the same as this one; else None, and the file is known from now.

        A file of fewer than seven words is compared with nothing.
        """
        runs = shingles(text, _RUN_WORDS)
        if not len(runs):
            return None
        signature = self._signature(runs)
        keys = [(band, signature[band * _BAND_ROWS : (band + 1) * _BAND_ROWS].tobytes()) for band in range(_N_BANDS)]
        for candidate in dict.fromkeys(other for key in keys for other in self._bands.get(key, ())):
            if float(np.mean(self._signatures[candidate] == signature)) >= _MIN_SIMILARITY:
                return candidate
        self._signatures[name] = signature
        for key in keys:
            self._bands.setdefault(key, []).append(name)
        return None

    def _signature(self, runs: Hashes) -> NDArray[np.uint64]:
        """The smallest value of each hash function over all runs; shape (bands * rows,)."""
        return np.array(
            [(runs * factor + offset).min() for factor, offset in zip(self._factors, self._offsets, strict=True)]
        )
