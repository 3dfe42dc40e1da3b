"""Sequences side by side in rows, told apart by position ids and by which sequence a token is of. No padding.

Needs numpy only. A token may look at earlier tokens of its own sequence and at nothing else: `may_see` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fimble.tuning.prepare.dataset import Prepared

NO_TARGET = -100  # torch's own sign for "no loss here"


@dataclass(frozen=True, slots=True)
class Row:
    """One row; every array has shape (n_tokens,).

    `targets[t]` is the token that position t shall predict, NO_TARGET where there is no loss. `horizons[t]` is the
    share of the middle that is still to be written there, the end marker counted: 1 at its first token, 1/T at its
    last (arXiv 2410.03103, section 3). `sequences` counts the row's sequences from 0.
    """

    tokens: NDArray[np.int64]
    positions: NDArray[np.int64]
    sequences: NDArray[np.int64]
    targets: NDArray[np.int64]
    horizons: NDArray[np.float32]

    @property
    def n_learned(self) -> int:
        """Positions with a loss."""
        return int((self.targets != NO_TARGET).sum())

    @property
    def n_tokens(self) -> int:
        """Length of the row."""
        return len(self.tokens)


def pack(prepared: Prepared, order: Iterable[int], row_tokens: int) -> list[Row]:
    """Rows of at most `row_tokens`, the sequences in the given order; one that does not fit opens the next row.

    Sequences longer than a row are left out: half a sequence would teach to stop where nothing stops.
    """
    rows: list[Row] = []
    waiting: list[int] = []
    n_waiting = 0
    for i in order:
        length = int(prepared.offsets[i + 1] - prepared.offsets[i])
        if length > row_tokens:
            continue
        if n_waiting + length > row_tokens:
            rows.append(_row(prepared, waiting))
            waiting, n_waiting = [], 0
        waiting.append(i)
        n_waiting += length
    if waiting:
        rows.append(_row(prepared, waiting))
    return rows


def may_see(sequences: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which token (row) may look at which (column); shape (n_tokens, n_tokens)."""
    return np.tril(sequences[:, None] == sequences[None, :])


def horizons(n_learned: int) -> NDArray[np.float32]:
    """What is left to write, as a share, before each of `n_learned` tokens; shape (n_learned,)."""
    return ((n_learned - np.arange(n_learned)) / n_learned).astype(np.float32)


def training_order(prepared: Prepared, order: str, seed: int) -> NDArray[np.int64]:
    """Indices of the sequences to train on: shuffled, or `curriculum`: stage by stage, each shuffled."""
    chosen = np.flatnonzero(~prepared.held_out)
    shuffled = np.random.default_rng(seed).permutation(chosen)
    if order == "curriculum":
        return shuffled[np.argsort(prepared.stages[shuffled], kind="stable")]
    return shuffled


def _row(prepared: Prepared, chosen: Sequence[int]) -> Row:
    n_tokens = sum(len(prepared.sequence(i)) for i in chosen)
    tokens = np.zeros(n_tokens, dtype=np.int64)
    positions = np.zeros(n_tokens, dtype=np.int64)
    sequences = np.zeros(n_tokens, dtype=np.int64)
    targets = np.full(n_tokens, NO_TARGET, dtype=np.int64)
    horizon = np.zeros(n_tokens, dtype=np.float32)
    start = 0
    for number, i in enumerate(chosen):
        sequence = prepared.sequence(i)
        end, first = start + len(sequence), start + int(prepared.n_given[i])
        tokens[start:end] = sequence
        positions[start:end] = np.arange(len(sequence))
        sequences[start:end] = number
        # A position predicts the token after it, so everything learned is shifted by one.
        targets[first - 1 : end - 1] = sequence[first - start :]
        horizon[first - 1 : end - 1] = horizons(end - first)
        start = end
    return Row(tokens, positions, sequences, targets, horizon)
