"""What must be equal for a KV state to be used again: weights, adapter, context and build of llama.cpp."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fimble.backend.llama.library import BuildFacts

_N_SAMPLES = 64
_SAMPLE_BYTES = 16 * 1024


def state_key(weights: Path, adapter: Path | None, *, n_ctx: int, n_gpu_layers: int, build: BuildFacts) -> str:
    """A SHA-256 in hexadecimal. `n_ctx` is in it because some models scale positions by it.

    Raises:
        OSError: the weights or the adapter cannot be read.
    """
    facts = {
        "weights": fingerprint(weights),
        "adapter": fingerprint(adapter) if adapter else "",
        "n_ctx": n_ctx,
        "n_gpu_layers": n_gpu_layers,
        "llama_cpp": build.version,
        "system": build.system_info,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def fingerprint(path: Path) -> str:
    """Tells files of weights apart in milliseconds: size, time of change, and 1 MiB in samples spread over the file.

    Hashing all of it would take a second and more at every start, as long as loading it.
    """
    facts = path.stat()
    digest = hashlib.sha256(f"{facts.st_size} {facts.st_mtime_ns} ".encode())
    with path.open("rb") as file:
        for i in range(_N_SAMPLES):
            file.seek(i * max(0, facts.st_size - _SAMPLE_BYTES) // (_N_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
