"""One file to its gaps: hard kinds by syntax, evenly over the kinds, and random cuts as in plain FIM training."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fimble.core.position import CharIndex, TextIndex
from fimble.syntax.grammar import grammar_for
from fimble.syntax.holes import Hole, HoleKind, find_holes
from fimble.syntax.languages import Language
from fimble.syntax.parse import parse

MAX_CHARS = 1_200
_MAX_LINES = 24
_MAX_RANDOM_CHARS = 400
# A gap needs surroundings: a file that is nearly all gap teaches writing files, not completing them.
_MIN_AROUND_CHARS = 80
_PARSE_WORK_UNITS = 40_000
# Lines ruled with dashes and the like teach nothing but their length.
_RULED_LINE = re.compile(r"([^\w\s])\1{7}")


@dataclass(frozen=True, slots=True)
class Span:
    """A gap `[start, end)` in characters; `depth` as in syntax.holes, 0 for random cuts."""

    kind: HoleKind
    start: CharIndex
    end: CharIndex
    depth: int


@dataclass(frozen=True, slots=True)
class SpanOptions:
    """How many gaps a file gives; the random share is what keeps the model's plain FIM ability."""

    n_per_file: int = 24
    random_share: float = 0.25
    seed: int = 0


def spans_of(language: Language, text: str, options: SpanOptions, name: str) -> list[Span]:
    """Gaps of one file, by place. `name` and the seed decide the choice, so that a run can be repeated."""
    generator = random.Random(f"{options.seed}/{name}")
    n_random = round(options.n_per_file * options.random_share)
    chosen = _choose(_usable(language, text), options.n_per_file - n_random, generator)
    chosen += _random_spans(text, n_random, generator)
    unique = {(span.start, span.end): span for span in reversed(chosen)}
    return sorted(unique.values(), key=lambda span: (span.start, span.end))


def _usable(language: Language, text: str) -> list[Span]:
    grammar = grammar_for(language)
    if grammar is None:
        return []
    tree = parse(grammar, text.encode("utf-8", "surrogatepass"), max_work_units=_PARSE_WORK_UNITS)
    if tree is None:
        return []
    index = TextIndex(text)
    return [span for hole in find_holes(tree) if (span := _span(hole, index)) is not None]


def _span(hole: Hole, index: TextIndex) -> Span | None:
    start, end = index.to_char(hole.start), index.to_char(hole.end)
    middle = index.text[start:end]
    too_long = len(middle) > MAX_CHARS or middle.count("\n") >= _MAX_LINES
    if too_long or len(middle) < 2 or len(index.text) - len(middle) < _MIN_AROUND_CHARS:
        return None
    return Span(hole.kind, start, end, hole.depth)


def _choose(spans: Sequence[Span], n: int, generator: random.Random) -> list[Span]:
    """Kind by kind in turn: calls and properties are most of all code, and would crowd the others out."""
    by_kind: dict[HoleKind, list[Span]] = {}
    for span in spans:
        by_kind.setdefault(span.kind, []).append(span)
    kinds = sorted(by_kind)
    for kind in kinds:
        generator.shuffle(by_kind[kind])
    generator.shuffle(kinds)
    chosen: list[Span] = []
    while len(chosen) < n and any(by_kind.values()):
        chosen += [by_kind[kind].pop() for kind in kinds if by_kind[kind]]
    return chosen[:n]


def _random_spans(text: str, n: int, generator: random.Random) -> Iterator[Span]:
    """Cuts between any two characters but within a line end; lengths spread evenly over their magnitudes.

    A gap may begin within a word, as typing does, and ends with one: to stop within a word, or within an indentation,
    is seldom asked for.
    """
    for _ in range(n):
        length = round(2 ** generator.uniform(1, _MAX_RANDOM_CHARS.bit_length() - 1))
        if len(text) - length < _MIN_AROUND_CHARS:
            continue
        start = generator.randrange(len(text) - length)
        end = _run_end(text, start + length)
        middle = text[start:end]
        if _splits_line_end(text, start) or _splits_line_end(text, end) or not middle.strip():
            continue
        if len(text) - len(middle) < _MIN_AROUND_CHARS or _RULED_LINE.search(middle):
            continue
        yield Span(HoleKind.RANDOM, CharIndex(start), CharIndex(end), 0)


def _run_end(text: str, at: int) -> int:
    """`at`, or the end of the word or of the blanks that it cuts."""
    of_one_kind = _is_of_word if _is_of_word(text[at - 1]) else _is_blank
    if of_one_kind(text[at - 1]):
        while at < len(text) and of_one_kind(text[at]):
            at += 1
    return at


def _is_of_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def _is_blank(character: str) -> bool:
    return character in " \t"


def _splits_line_end(text: str, at: int) -> bool:
    return text[at - 1 : at] == "\r" and text[at : at + 1] == "\n"
