"""Keeps the name at the cursor to those that static analysis knows there, unless the model is sure of another.

A small model invents members that sound right. Where the type of `value.` is known, so are its members, and the
likeliest of them is the better guess. (The idea is monitor-guided decoding; Agrawal et al., arXiv 2306.10763. There
other names are impossible; here they are unlikely, for the analysis is a guesser.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fimble.backend.decode.heal import PieceIndex

_NAME = re.compile(rb"[A-Za-z0-9_$]*")
# A known name is taken although the model finds another start this many times likelier.
_MIN_LOG_RATIO = math.log(0.03)


class KnownNames:
    """Follows one completion until the name that it begins with is over. Without names nothing is known."""

    def __init__(self, rests: Sequence[str], index: PieceIndex) -> None:
        """`rests` are what may come at the cursor, each to the end of the name."""
        self._rests = frozenset(rest.encode() for rest in rests)
        self._index = index

    def narrow(
        self,
        logits: npt.NDArray[np.float32],
        allowed: npt.NDArray[np.int64] | None,
        written: bytes,
        owed: bytes,
    ) -> npt.NDArray[np.int64] | None:
        """Tokens that lead to a known name, where the likeliest of `allowed` (None: of all) leads to none; else None.

        `written` is the completion so far, `owed` what the next token must begin with before anything new comes.
        """
        if not self._rests or _end_of_name(written) < len(written):
            return None
        best = int(logits.argmax()) if allowed is None else int(allowed[logits[allowed].argmax()])
        rests = [rest[len(written) :] for rest in self._rests if rest.startswith(written)]
        if not rests or leads(self._index.piece(best)[len(owed) :], rests):
            return None
        known = self._index.naming([owed + rest for rest in rests])
        if not known.size or float(logits[known].max() - logits[best]) < _MIN_LOG_RATIO:
            return None
        return known


def leads(new: bytes, rests: Sequence[bytes]) -> bool:
    """Whether a name that `new` begins is one of `rests`, or may become one."""
    end = _end_of_name(new)
    if end < len(new):
        return new[:end] in rests
    return any(rest.startswith(new) for rest in rests)


def _end_of_name(text: bytes) -> int:
    found = _NAME.match(text)
    return found.end() if found else 0
