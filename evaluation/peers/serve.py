"""Runs llama.cpp's own HTTP server (from the package xllamacpp) until standard input ends.

Started as `python -P -m fimble.evaluation.peers.serve`, so that the peer is a process of its own. Prints one line of
JSON, the address it listens on, when the model is loaded. Batch sizes and cache reuse are those of llama-server's
`--fim-qwen-*` presets, which llama.vim's README asks for.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Any

_N_BATCH = 1024
_N_CACHE_REUSE = 256


def main() -> None:
    """Load the model, listen on 127.0.0.1, wait for the end of standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--ctx", type=int, required=True)
    parser.add_argument("--gpu-layers", type=int, required=True)
    arguments = parser.parse_args()

    # A compiled module without type stubs.
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.n_ctx = arguments.ctx
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = _N_BATCH
    params.n_cache_reuse = _N_CACHE_REUSE
    params.n_gpu_layers = arguments.gpu_layers
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = arguments.threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    server = xllamacpp.Server(params)
    print(json.dumps({"address": server.listening_address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
