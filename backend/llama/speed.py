"""What this machine's tokens cost with a model: prefill, decode, and a step over several tokens. Run as a program.

Measured on a context of its own, outside the model process, so that doctor's figures are not another editor's load.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.core.flow import TokenId

_N_PREFILL_TOKENS = 256
_N_REPEATS = 5
_STEP_SIZES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Speed:
    """`step_ms` maps the number of tokens in one step to its median cost at a depth of `n_depth_tokens`."""

    load_ms: float
    prefill_tokens_per_s: float
    step_ms: dict[int, float]
    n_depth_tokens: int
    n_threads: int


def measure(path: Path, *, n_threads: int, n_gpu_layers: int) -> Speed:
    """Load a model and time it.

    Raises:
        ModelError: it cannot be loaded.
    """
    load_ms, model = _timed(lambda: LlamaModel(LoadOptions(path, n_gpu_layers)))
    context = LlamaContext(model, ContextOptions(2048, n_threads))
    word = model.tokenize("def measure(values):\n    return sum(values) / len(values)\n")
    text = tuple((word * (2 * _N_PREFILL_TOKENS // len(word) + 1))[: 2 * _N_PREFILL_TOKENS])
    _evaluate(context, text[:16], keep=0)  # the first evaluation also brings the weights in from disk
    prefill_ms = _evaluate(context, text[:_N_PREFILL_TOKENS], keep=0)
    steps: dict[int, float] = {}
    for n_tokens in _STEP_SIZES:
        part = text[_N_PREFILL_TOKENS : _N_PREFILL_TOKENS + n_tokens]
        steps[n_tokens] = statistics.median(_evaluate(context, part, keep=_N_PREFILL_TOKENS) for _ in range(_N_REPEATS))
    context.close()
    model.close()
    return Speed(load_ms, 1000.0 * _N_PREFILL_TOKENS / prefill_ms, steps, _N_PREFILL_TOKENS, n_threads)


def _evaluate(context: LlamaContext, tokens: tuple[TokenId, ...], *, keep: int) -> float:
    context.cut(0, keep)
    started = time.perf_counter()
    context.evaluate(0, tokens)
    context.logits()
    return (time.perf_counter() - started) * 1000.0


def _timed(make: Callable[[], LlamaModel]) -> tuple[float, LlamaModel]:
    started = time.perf_counter()
    model = make()
    return (time.perf_counter() - started) * 1000.0, model


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpu-layers", type=int, default=-1)
    arguments = parser.parse_args()
    speed = measure(arguments.path, n_threads=arguments.threads, n_gpu_layers=arguments.gpu_layers)
    print(json.dumps(asdict(speed)))


if __name__ == "__main__":
    main()
