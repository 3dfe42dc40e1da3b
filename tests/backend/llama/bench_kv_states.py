"""What a KV state costs on disk against reading the same tokens again: run by hand, no test.

    python tests/backend/llama/bench_kv_states.py [--model ID] [--threads 1] [--tokens 500 1500] FILE

The first tokens of FILE (repeated if it is short) are evaluated, written, loaded into a new context and continued
there. Prints one JSON object for each number of tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fimble.backend.catalog.catalog import load_catalog
from fimble.backend.catalog.store import ModelStore
from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.generate import Generation
from fimble.backend.llama.kvdisk import KvShelf
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.backend.llama.recall import put_away, recall
from fimble.core.config import Config
from fimble.core.flow import LineMode, Prompt, StopRules, TokenId
from fimble.engine.settings import user_paths

_T = TypeVar("_T")
_N_WRITTEN = 24


def measure(model: LlamaModel, tokens: tuple[TokenId, ...], n_threads: int, folder: Path) -> dict[str, object]:
    """One row. "Fresh" is evaluated anew, "loaded" comes from disk."""
    options = ContextOptions(8192, n_threads)
    context = LlamaContext(model, options)
    context.evaluate(0, tokens[:16])  # the first evaluation also brings the weights in from disk
    context.cut(0, 0)
    evaluate_ms, _ = _timed(lambda: context.evaluate(0, tokens))
    shelf = KvShelf(folder, f"{len(tokens)}", 1 << 30)
    save_ms, _ = _timed(lambda: put_away(context, shelf))
    fresh = _continue(model, context, tokens)
    context.close()
    other = LlamaContext(model, options)
    open_ms, shelf = _timed(lambda: KvShelf(folder, f"{len(tokens)}", 1 << 30))
    load_ms, _ = _timed(lambda: recall(other, shelf, tokens))
    n_loaded = other.n_cached(tokens) + 1
    loaded = _continue(model, other, tokens)
    other.close()
    return {
        "n_tokens": len(tokens),
        "n_loaded": n_loaded,
        "state_bytes": sum(path.stat().st_size for path in folder.glob(f"{len(tokens)}-*")),
        "evaluate_ms": round(evaluate_ms, 1),
        "save_ms": round(save_ms, 1),
        "open_ms": round(open_ms, 1),
        "load_ms": round(load_ms, 1),
        "evaluate_to_load": round(evaluate_ms / load_ms),
        "same_tokens_follow": fresh == loaded,
    }


def _continue(model: LlamaModel, context: LlamaContext, tokens: tuple[TokenId, ...]) -> list[TokenId]:
    stream = Generation(model, context, Prompt(tokens, (), StopRules(_N_WRITTEN, LineMode.MULTI)))
    return [token.token_id for token in stream]


def _timed(work: Callable[[], _T]) -> tuple[float, _T]:
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) * 1000.0, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", default=Config().model.id)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, nargs="+", default=[500, 1500])
    arguments = parser.parse_args()
    weights = ModelStore(user_paths(os.environ).models, load_catalog()).resolve(arguments.model)
    model = LlamaModel(LoadOptions(weights))
    text = model.tokenize(arguments.file.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        for n_tokens in arguments.tokens:
            tokens = tuple((text * (n_tokens // len(text) + 1))[:n_tokens])
            print(json.dumps(measure(model, tokens, arguments.threads, Path(folder))))
    model.close()


if __name__ == "__main__":
    main()
