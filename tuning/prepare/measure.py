"""The current model's own loss on what a sequence teaches: the better measure of how hard it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path

from fimble.backend.host.cores import usable_cores
from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.tuning.prepare.sequences import TokenSequence


@contextlib.contextmanager
def open_measure(weights: Path, *, n_ctx: int) -> Generator[Callable[[TokenSequence], float]]:
    """A function that gives the mean loss per learned token, for sequences of at most `n_ctx` tokens.

    Raises:
        ModelError: the weights cannot be loaded.
    """
    model = LlamaModel(LoadOptions(weights))
    try:
        context = LlamaContext(model, ContextOptions(n_ctx=n_ctx, n_threads=usable_cores(), n_places=1))
        try:
            yield lambda sequence: float(context.losses(sequence.tokens, sequence.n_given).mean())
        finally:
            context.close()
    finally:
        model.close()
