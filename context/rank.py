"""Chunks of several sources -> one list, best first: reciprocal rank fusion, without what the model sees anyway.

Scores of different sources cannot be compared, ranks can (Cormack et al., SIGIR 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fimble.core.flow import Chunk

# How far the first of a source is from its tenth. 60, as in the paper, is for lists of a thousand; these have ten.
_RANK_OFFSET = 10
_WEIGHTS = {
    "usages": 1.0,  # a few lines, all of them before the rest
    "definitions": 0.5,
    "recent edits": 0.45,
    "open files": 0.3,
    "similar": 0.3,
}
_OTHER_WEIGHT = 0.25
# The part of the file that the model sees, about: a chunk of it would have it write the same again.
_LINES_BEFORE = 120
_LINES_AFTER = 40
_MAX_REPEATED_SHARE = 0.75
_MAX_SHOWN_SHARE = 0.5
_MIN_TELLING_CHARS = 8


def fuse(found: Sequence[Sequence[Chunk]], prefix: str = "", suffix: str = "") -> tuple[Chunk, ...]:
    """One ranking of what the sources found, each best first; scores are new, between 0 and 1.

    Left out: chunks that repeat what stands around the cursor, and chunks of which better ones of the same file hold
    half the lines. Equal ranks keep the order of the sources, so equal questions give equal answers.
    """
    near = _telling_lines("\n".join((*prefix.split("\n")[-_LINES_BEFORE:], *suffix.split("\n")[:_LINES_AFTER])))
    ranked: list[Chunk] = []
    for chunks in found:
        kept = (chunk for chunk in chunks if not _repeats(chunk, near))
        for rank, chunk in enumerate(kept, start=1):
            weight = _WEIGHTS.get(chunk.source, _OTHER_WEIGHT)
            ranked.append(replace(chunk, score=weight * (_RANK_OFFSET + 1) / (_RANK_OFFSET + rank)))
    ranked.sort(key=lambda chunk: -chunk.score)
    shown: dict[str, set[str]] = {}
    fused: list[Chunk] = []
    for chunk in ranked:
        lines = _telling_lines(chunk.text)
        known = shown.setdefault(chunk.path, set())
        if lines and len(lines & known) > _MAX_SHOWN_SHARE * len(lines):
            continue
        known |= lines
        fused.append(chunk)
    return tuple(fused)


def _repeats(chunk: Chunk, near: set[str]) -> bool:
    lines = _telling_lines(chunk.text)
    return bool(lines) and len(lines & near) > _MAX_REPEATED_SHARE * len(lines)


def _telling_lines(text: str) -> set[str]:
    """Lines that say something: a bracket alone, or `return`, stands everywhere."""
    return {line for raw in text.split("\n") if len(line := raw.strip()) >= _MIN_TELLING_CHARS}
