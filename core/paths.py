"""The folders fimble keeps things in; engine.settings decides where they are, everyone else is handed this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute folders of one user; none need exist yet."""

    config: Path  # config.toml
    models: Path  # weights and adapters, and their unfinished downloads (one file system, so finishing is a rename)
    cache: Path  # what may be deleted at any time: KV states, the index
    state: Path  # telemetry, logs
    runtime: Path  # the model process's socket and lock; only this user may enter
