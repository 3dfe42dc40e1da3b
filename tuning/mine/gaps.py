"""One file's gaps with their difficulty: a pure function, so that it can run anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from fimble.context.index.workspace import code_language
from fimble.tuning.mine.difficulty import structural_difficulty
from fimble.tuning.mine.spans import Span, SpanOptions, spans_of


@dataclass(frozen=True, slots=True)
class GapTask:
    """A file to look through; `name` seeds the choice."""

    name: str
    path: str
    text: str
    options: SpanOptions


FoundGaps = tuple[tuple[Span, float], ...]
"""Gaps by place, each with its difficulty."""


def find_gaps(task: GapTask) -> FoundGaps:
    """The gaps of a file; none for a file of no known language."""
    language = code_language(task.path)
    if language is None:
        return ()
    spans = spans_of(language, task.text, task.options, task.name)
    return tuple((span, structural_difficulty(span, task.text)) for span in spans)
