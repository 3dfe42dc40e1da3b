"""Token healing: the last token before the cursor is written again, so that it may become a longer one.

A cursor within a word, or behind an indentation or a bracket, cuts text where the vocabulary would not; the model never
saw such a cut. So the cut token's bytes become a condition on what is written first, and are not written twice.
(The idea is from Guidance's "token healing"; Lundberg, 2023.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

_NAME_BYTES = frozenset(bytes((byte,)) for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$")


class PieceIndex:
    """Which tokens may begin a text with given first bytes. Built once a vocabulary."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """`pieces[i]` is the text of token i; tokens without text (special ones) never match."""
        self._by_token = tuple(pieces)
        pairs = sorted((piece, token) for token, piece in enumerate(self._by_token) if piece)
        self._pieces = [piece for piece, _ in pairs]
        self._tokens = np.array([token for _, token in pairs], dtype=np.int64)

    def piece(self, token: int) -> bytes:
        """The text of a token."""
        return self._by_token[token]

    def naming(self, wanted: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """Tokens that one of the `wanted` begins with, and those that are one and go on with no letter of a name."""
        tokens = [self._shorter(name) for name in wanted]
        for name in filter(None, wanted):
            longer = self._longer(name)
            tokens.append(
                self._tokens[longer][
                    [piece[len(name) : len(name) + 1] not in _NAME_BYTES for piece in self._pieces[longer]]
                ]
            )
        return np.unique(np.concatenate(tokens)) if tokens else self._tokens[:0]

    def beginning(self, wanted: bytes) -> npt.NDArray[np.int64]:
        """Tokens that begin with `wanted`, and those that `wanted` begins with; `wanted` is not empty."""
        return np.concatenate([self._tokens[self._longer(wanted)], self._shorter(wanted)])

    def _longer(self, wanted: bytes) -> slice:
        return slice(bisect_left(self._pieces, wanted), bisect_left(self._pieces, _after(wanted)))

    def _shorter(self, wanted: bytes) -> npt.NDArray[np.int64]:
        shorter: list[int] = []
        for n_bytes in range(1, len(wanted)):
            first = bisect_left(self._pieces, wanted[:n_bytes])
            while first < len(self._pieces) and self._pieces[first] == wanted[:n_bytes]:
                shorter.append(int(self._tokens[first]))
                first += 1
        return np.array(shorter, dtype=np.int64)


class Healer:
    """Follows the bytes still owed, from the first token on."""

    def __init__(self, owed: bytes, index: PieceIndex) -> None:
        """`owed` are the bytes that the text must begin with; none once they are written."""
        self._owed = owed
        self._index = index

    @property
    def owed(self) -> bytes:
        """What the next tokens must begin with before anything new comes."""
        return self._owed

    def allowed(self, next_bytes: Sequence[int] | None = None) -> npt.NDArray[np.int64] | None:
        """Tokens that may come next, or None when any may. `next_bytes` are those that may follow what is owed."""
        if next_bytes is not None:
            starts = [self._index.beginning(self._owed + bytes((byte,))) for byte in next_bytes]
            return np.unique(np.concatenate(starts))
        return self._index.beginning(self._owed) if self._owed else None

    def new_part(self, piece: bytes) -> bytes:
        """The part of `piece` that is not owed: what it would add to the text."""
        return piece[len(self._owed) :]

    def take(self, piece: bytes) -> bytes:
        """Account for a written token; returns the part of `piece` that is new."""
        new = self.new_part(piece)
        self._owed = self._owed[len(piece) :]
        return new


def _after(text: bytes) -> bytes:
    """The least bytes greater than every text that begins with `text`."""
    trimmed = text.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b"\xff" * (len(text) + 64)
