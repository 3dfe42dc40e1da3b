"""Makes a set out of anybody's source files: seeded holes as typing leaves them, in files that parse.

For sets of one's own code, and of languages that no published set has. Nothing is known of such holes but the true
text, so there are no tests, and other files of the workspace are not part of the records.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from fimble.evaluation.records import Record
from fimble.syntax.errors import n_syntax_errors
from fimble.syntax.languages import Language

_MIN_LINE_CHARS, _MAX_LINE_CHARS = 6, 200
_MAX_SPAN_LINES = 6
_MAX_FILE_CHARS = 200_000
_BETWEEN_WORDS = re.compile(r"\b(?=\w)|(?<=[(\[{=,.])(?=\S)")


class Cut(StrEnum):
    """What a hole takes away: the rest of a line, a line but for its indentation, or several such lines."""

    REST = "rest"
    LINE = "line"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Source:
    """A file to cut: `path` relative to its workspace."""

    path: str
    language: Language
    text: str


def cut_records(sources: Sequence[Source], *, n_per_language: int, seed: int) -> list[Record]:
    """Holes in the files that parse, each kind in turn, `n_per_language` of each language at most.

    The same seed and files give the same records. A file gives one hole of each kind at most.
    """
    by_language: dict[str, list[Source]] = {}
    for source in sorted(sources, key=lambda source: source.path):
        by_language.setdefault(source.language.ids[0], []).append(source)
    records: list[Record] = []
    for name, group in by_language.items():
        dice = random.Random(f"{seed}/{name}")
        dice.shuffle(group)
        records += islice(_cut_group(group, dice), n_per_language)
    return records


def write_set(records: Sequence[Record], path: Path) -> None:
    """One JSON object a line, gzipped where the name says so; the same records give the same bytes."""
    raw = "".join(json.dumps(_fields(record), ensure_ascii=False) + "\n" for record in records).encode("utf-8")
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)


def _cut_group(group: Sequence[Source], dice: random.Random) -> Iterator[Record]:
    """Lazily: parsing thousands of files to cut twenty would take minutes."""
    for source in group:
        if len(source.text) <= _MAX_FILE_CHARS and n_syntax_errors(source.text, source.language) == 0:
            yield from filter(None, (_cut(source, kind, dice) for kind in Cut))


def _cut(source: Source, kind: Cut, dice: random.Random) -> Record | None:
    lines = source.text.splitlines(keepends=True)
    fit = [at for at, line in enumerate(lines) if _is_fit(line)]
    if len(fit) < _MAX_SPAN_LINES:
        return None
    at = dice.choice(fit)
    first = sum(map(len, lines[:at]))
    line = lines[at]
    indent = len(line) - len(line.lstrip())
    start, end = first + indent, first + len(line.rstrip())
    if kind is Cut.REST:
        places = [match.start() for match in _BETWEEN_WORDS.finditer(line) if indent < match.start() < len(line) - 3]
        if not places:
            return None
        start = first + dice.choice(places)
    elif kind is Cut.LINES:
        last = min(len(lines), at + dice.randint(2, _MAX_SPAN_LINES)) - 1
        while last > at and not lines[last].strip():
            last -= 1
        end = sum(map(len, lines[:last])) + len(lines[last].rstrip())
    text = source.text
    return Record(
        id=f"{source.path}:{at + 1}:{kind}",
        language=source.language.ids[0],
        path=source.path,
        prefix=text[:start],
        suffix=text[end:],
        middle=text[start:end],
        meta={"kind": str(kind)},
    )


def _is_fit(line: str) -> bool:
    return _MIN_LINE_CHARS <= len(line.strip()) <= _MAX_LINE_CHARS and any(char.isalnum() for char in line)


def _fields(record: Record) -> Mapping[str, object]:
    return {
        "id": record.id,
        "language": record.language,
        "path": record.path,
        "prefix": record.prefix,
        "suffix": record.suffix,
        "middle": record.middle,
        "meta": dict(record.meta),
    }
