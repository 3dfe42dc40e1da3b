"""What llama.vim sends and shows, as pure functions: its context, its ring of chunks, its request, its clean-up.

Written from the behaviour of ggml-org/llama.vim's `autoload/llama.vim` (defaults of 2025-2026: 256 + 64 lines, ring of
16 chunks of 64 lines, first request 250 ms, speculative request 1,000 ms). Lines are Vim's: without their ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

N_PREFIX_LINES, N_SUFFIX_LINES = 256, 64
N_PREDICT = 128
FIRST_T_MAX_PREDICT_MS, SPECULATIVE_T_MAX_PREDICT_MS, T_MAX_PROMPT_MS = 250, 1000, 500
MAX_LINE_SUFFIX = 8
RING_N_CHUNKS, RING_CHUNK_LINES, RING_SCOPE_LINES = 16, 64, 1024
RING_PICK_DISTANCE_LINES = 32
_EVICT_SIMILARITY, _DISTORT_SIMILARITY = 0.9, 0.5
_BLANK = re.compile(r"\s*\Z")
_INDENT = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a buffer: its lines, the cursor's line and column, from 0."""

    lines: tuple[str, ...]
    row: int
    column: int

    @property
    def line(self) -> str:
        """The cursor's line."""
        return self.lines[self.row]

    @property
    def is_on_blank_line(self) -> bool:
        """Whether the line has nothing but white space; llama.vim then starts from column 0."""
        return bool(_BLANK.match(self.line))


@dataclass(frozen=True, slots=True)
class LocalContext:
    """The part of the buffer that is sent."""

    prefix: str
    middle: str
    suffix: str
    n_indent: int
    n_chars_right: int


def local_context(place: Place) -> LocalContext:
    """Lines above, the cursor's line up to the cursor, the rest of it and lines below."""
    above = place.lines[max(0, place.row - N_PREFIX_LINES) : place.row]
    below = place.lines[place.row + 1 : place.row + 1 + N_SUFFIX_LINES]
    left, right = place.line[: place.column], place.line[place.column :]
    n_indent = len(_indent(place.line))
    if place.is_on_blank_line:
        left, right, n_indent = "", "", 0
    return LocalContext(
        prefix="\n".join(above) + "\n",
        middle=left,
        suffix=right + "\n" + "\n".join(below) + "\n",
        n_indent=n_indent,
        n_chars_right=len(right),
    )


def after_accepting(place: Place, shown: Sequence[str]) -> Place:
    """The buffer as the speculative request sees it: with the shown lines in it, the cursor behind them."""
    first = place.line[: place.column] + shown[0]
    new_lines = (first, *shown[1:])
    lines = (*place.lines[: place.row], *new_lines, *place.lines[place.row + 1 :])
    row = place.row + len(new_lines) - 1
    return Place(lines, row, len(lines[row]))


def request_body(context: LocalContext, extra: Sequence[Chunk], t_max_predict_ms: int, seed: int) -> dict[str, Any]:
    """The body of the /infill request. llama.vim sends no seed; ours makes a run repeatable."""
    return {
        "id_slot": 0,
        "input_prefix": context.prefix,
        "input_suffix": context.suffix,
        "input_extra": [chunk.as_extra() for chunk in extra],
        "prompt": context.middle,
        "n_predict": N_PREDICT,
        "stop": [],
        "n_indent": context.n_indent,
        "top_k": 40,
        "top_p": 0.90,
        "samplers": ["top_k", "top_p", "infill"],
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": T_MAX_PROMPT_MS,
        "t_max_predict_ms": t_max_predict_ms,
        "seed": seed,
    }


def warming_body(extra: Sequence[Chunk]) -> dict[str, Any]:
    """The request that brings the ring into the server's cache in idle time."""
    return {
        "id_slot": 0,
        "input_prefix": "",
        "input_suffix": "",
        "input_extra": [chunk.as_extra() for chunk in extra],
        "prompt": "",
        "n_predict": 0,
        "temperature": 0.0,
        "samplers": [],
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": 1,
        "t_max_predict_ms": 1,
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """What llama.vim would put on screen: `lines` replace the cursor's line from `from_column` on.

    On a blank line that is column 0, because the answer brings its own indentation.
    """

    lines: tuple[str, ...]
    from_column: int
    keeps_right: bool


def shown(content: str, place: Place) -> Shown | None:
    """Clean a raw answer as llama.vim does; None where it shows nothing."""
    lines = content.split("\n")
    while lines and lines[-1] == "":
        lines.pop()
    if not lines:
        return None
    left, right = place.line[: place.column], place.line[place.column :]
    lead = ""
    if place.is_on_blank_line:
        n_lead = min(len(_indent(lines[0])), len(place.line))
        lead, lines[0] = lines[0][:n_lead], lines[0][n_lead:]
        left, right = lead[: place.column], lead[place.column :]
    if _repeats_what_is_there(lines, left, right, place):
        return None
    if _BLANK.match("\n".join(lines) + right):
        return None
    if place.is_on_blank_line:
        return Shown((left + lines[0], *lines[1:]), 0, keeps_right=False)
    return Shown(tuple(lines), place.column, keeps_right=True)


def _repeats_what_is_there(lines: Sequence[str], left: str, right: str, place: Place) -> bool:
    below = place.lines[place.row + 1 :]
    if len(lines) > 1 and lines[0] == "" and list(lines[1:]) == list(below[: len(lines) - 1]):
        return True
    if len(lines) == 1 and lines[0] == right:
        return True
    row = place.row + 1
    while row < len(place.lines) - 1 and _BLANK.match(place.lines[row]):
        row += 1
    if row >= len(place.lines) or left + lines[0] != place.lines[row]:
        return False
    following = place.lines[row + 1 :]
    if len(lines) == 1:
        return True
    if len(lines) == 2:
        return lines[1] == (following[0] if following else "")[: len(lines[1])]
    return list(lines[1:]) == list(following[: len(lines) - 1])


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a buffer, sent as extra context."""

    lines: tuple[str, ...]
    file_name: str

    def as_extra(self) -> Mapping[str, str]:
        """How /infill wants it."""
        return {"text": "\n".join(self.lines) + "\n", "filename": self.file_name}


class Ring:
    """llama.vim's ring of chunks: queued when picked, moved in one at a time when idle, oldest out first."""

    def __init__(self) -> None:
        """Empty."""
        self.chunks: list[Chunk] = []
        self._queued: list[Chunk] = []
        self._picked_row: int | None = None

    def pick(self, lines: Sequence[str], file_name: str, *, evicts: bool) -> None:
        """Queue a piece of `lines`. Where llama.vim cuts a long text at random, this takes its beginning."""
        if len(lines) < 3:
            return
        is_short = len(lines) + 1 < RING_CHUNK_LINES
        chunk = Chunk(tuple(lines if is_short else lines[: RING_CHUNK_LINES // 2 + 1]), file_name)
        if any(known.lines == chunk.lines for known in (*self.chunks, *self._queued)):
            return
        for known in (self._queued, self.chunks):
            # As in the original, the oldest of each list is never compared.
            for position in range(len(known) - 1, 0, -1):
                if similarity(known[position].lines, chunk.lines) > _EVICT_SIMILARITY:
                    if not evicts:
                        return
                    del known[position]
        if len(self._queued) == RING_N_CHUNKS:
            del self._queued[0]
        self._queued.append(chunk)

    def pick_around(self, place: Place, file_name: str) -> None:
        """After a request far from the last pick: text above the prefix and below the suffix."""
        if self._picked_row is not None and abs(place.row - self._picked_row) <= RING_PICK_DISTANCE_LINES:
            return
        last_row = len(place.lines) - 1
        above = place.lines[max(0, place.row - RING_SCOPE_LINES) : max(0, place.row - N_PREFIX_LINES) + 1]
        first_below = min(last_row, place.row + N_SUFFIX_LINES)
        below = place.lines[first_below : min(last_row, first_below + RING_CHUNK_LINES) + 1]
        self.pick(above, file_name, evicts=False)
        self.pick(below, file_name, evicts=False)
        self._picked_row = place.row

    def drop_similar(self, place: Place) -> None:
        """Before a request: chunks much like the text at the cursor would make the model repeat them."""
        half = RING_CHUNK_LINES // 2
        around = place.lines[max(0, place.row - half) : place.row + half + 1]
        here = around[: half + 1]
        for position in range(len(self.chunks) - 1, 0, -1):
            if similarity(self.chunks[position].lines, here) > _DISTORT_SIMILARITY:
                del self.chunks[position]

    def advance(self) -> bool:
        """Move one queued chunk into the ring; whether there was one."""
        if not self._queued:
            return False
        if len(self.chunks) == RING_N_CHUNKS:
            del self.chunks[0]
        self.chunks.append(self._queued.pop(0))
        return True


def similarity(a: Sequence[str], b: Sequence[str]) -> float:
    """Share of words in common, 0 to 1, counted as llama.vim counts them."""
    words_a, words_b = _words(a), _words(b)
    n_words = len(words_a) + len(words_b)
    known = set(words_a)
    return 2.0 * sum(word in known for word in words_b) / n_words if n_words else 1.0


def _words(lines: Sequence[str]) -> list[str]:
    return [word for word in re.split(r"\W+", "\n".join(lines)) if word]


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return found.group() if found else ""
