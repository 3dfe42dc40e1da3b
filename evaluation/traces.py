"""Typing traces: keystrokes with times that turn one text into another. Reads, checks and plays them as texts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from fimble.core.errors import InputError
from fimble.core.position import CharIndex, TextIndex, Utf16Column
from fimble.evaluation.records import parse_json_lines, read_jsonl_bytes, relative_path_problem

_SCHEMA_HELP = "Each line must be one JSON object as docs/evaluation.md, section 'Trace', describes."
_MOVE, _PAIR = "move", "pair"


@dataclass(frozen=True, slots=True)
class Keystroke:
    """One event; its position refers to the text before it, `character` in UTF-16 units, as editors send it."""

    t_ms: float
    line: int
    character: int
    n_delete_chars: int
    insert_text: str
    kind: str

    @property
    def is_edit(self) -> bool:
        """Whether it changes the text."""
        return self.kind != _MOVE


@dataclass(frozen=True, slots=True)
class Trace:
    """One typing session on one file."""

    id: str
    language: str
    path: str
    initial_text: str
    keystrokes: tuple[Keystroke, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """The text right after one keystroke, where it was changed, and when the next one comes (infinity for the last)."""

    keystroke: Keystroke
    text: str
    at: CharIndex
    cursor: CharIndex
    next_ms: float

    @property
    def gap_ms(self) -> float:
        """Milliseconds until the next keystroke."""
        return self.next_ms - self.keystroke.t_ms


def read_traces(path: Path) -> tuple[Trace, ...]:
    """Read and check a file of traces.

    Raises:
        InputError: a line is not a trace, or does not end in the text it says; names line and field.
    """
    traces = tuple(_trace(path, number, value) for number, value in parse_json_lines(read_jsonl_bytes(path), path))
    if not traces:
        raise InputError(f"{path}: holds no traces", mend=_SCHEMA_HELP)
    return traces


def moments(trace: Trace) -> tuple[Moment, ...]:
    """The text after each keystroke."""
    made: list[Moment] = []
    text = trace.initial_text
    for position, key in enumerate(trace.keystrokes):
        index = TextIndex(text)
        at = index.to_char(index.from_utf16(key.line, Utf16Column(key.character)))
        text = text[:at] + key.insert_text + text[at + key.n_delete_chars :]
        # An editor that closes a bracket by itself leaves the cursor inside the pair.
        n_ahead = len(key.insert_text) // 2 if key.kind == _PAIR else len(key.insert_text)
        is_last = position + 1 == len(trace.keystrokes)
        next_ms = float("inf") if is_last else trace.keystrokes[position + 1].t_ms
        made.append(Moment(key, text, at, CharIndex(at + n_ahead), next_ms))
    return tuple(made)


def _trace(path: Path, line_number: int, value: Mapping[str, object]) -> Trace:
    def error(field: str, reason: str) -> InputError:
        return InputError(f"{path}: line {line_number}: field {field!r}: {reason}", mend=_SCHEMA_HELP)

    def text(field: str) -> str:
        found = value.get(field)
        if not isinstance(found, str):
            raise error(field, "must be text" if field in value else "is missing")
        return found

    events = value.get("events")
    if not isinstance(events, list) or not events:
        raise error("events", "must be a list of keystrokes" if "events" in value else "is missing")
    keystrokes: list[Keystroke] = []
    for position, event in enumerate(cast("list[object]", events)):
        key = _keystroke(event)
        if key is None:
            raise error(f"events[{position}]", "needs t_ms, line, character, delete_chars, insert_text and kind")
        if keystrokes and key.t_ms < keystrokes[-1].t_ms:
            raise error(f"events[{position}].t_ms", "goes back in time")
        keystrokes.append(key)
    if problem := relative_path_problem(text("path")):
        raise error("path", problem)
    trace = Trace(text("id"), text("language"), text("path"), text("initial_text"), tuple(keystrokes))
    final_text = moments(trace)[-1].text
    if hashlib.sha256(final_text.encode("utf-8", "surrogatepass")).hexdigest() != text("final_sha256"):
        raise error("final_sha256", "is not the checksum of the text that the keystrokes lead to")
    return trace


def _keystroke(event: object) -> Keystroke | None:
    if not isinstance(event, dict):
        return None
    fields = cast("dict[str, object]", event)
    numbers = [fields.get(name) for name in ("t_ms", "line", "character", "delete_chars")]
    insert_text, kind = fields.get("insert_text"), fields.get("kind")
    if not all(isinstance(number, int | float) and number >= 0 for number in numbers):
        return None
    if not isinstance(insert_text, str) or not isinstance(kind, str):
        return None
    t_ms, line, character, n_delete_chars = cast("list[float]", numbers)
    return Keystroke(float(t_ms), int(line), int(character), int(n_delete_chars), insert_text, kind)
