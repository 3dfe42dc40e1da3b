"""Sizes for tuning on one's own repository: small enough to be done while one is at lunch, or on a GPU in minutes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fimble.core.config import PromptOptions
from fimble.tuning.mine.spans import SpanOptions
from fimble.tuning.prepare.run import PrepareOptions
from fimble.tuning.training.run_folder import TrainConfig


@dataclass(frozen=True, slots=True)
class Sizes:
    """What each stage gets."""

    spans: SpanOptions
    prepare: PrepareOptions
    train: TrainConfig


def sizes(prompt: PromptOptions, *, has_gpu: bool) -> Sizes:
    """With a GPU everything, in the prompts that serving makes; on a CPU 600 short examples (docs/tuning.md)."""
    if has_gpu:
        return Sizes(
            SpanOptions(),
            PrepareOptions(prompt),
            TrainConfig(row_tokens=max(2048, prompt.max_tokens + 256), rows_per_step=16, evaluate_every=100),
        )
    short = replace(prompt, max_tokens=min(prompt.max_tokens, 256), chunk_tokens=min(prompt.chunk_tokens, 85))
    return Sizes(
        SpanOptions(n_per_file=12),
        PrepareOptions(short, limit=600, n_tasks=60),
        TrainConfig(row_tokens=420, rows_per_step=4, evaluate_every=40, n_held_out_rows=24),
    )
