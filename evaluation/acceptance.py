"""Would the user have taken this suggestion? Judged by what the trace types next.

A suggestion counts when the text that is then typed at the cursor begins with the suggestion's first line (the first
that is not blank); the whole suggestion counts when all of it is typed. The trace goes on as it was typed either way,
so that every completer meets the same keystrokes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fimble.evaluation.traces import Moment


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Characters the suggestion would have spared, and the last keystroke (its position in the trace) it covers."""

    n_chars: int
    last_covered: int


def acceptance(moments: Sequence[Moment], shown_at: int, suggestion: str) -> Acceptance | None:
    """How far the keystrokes after `shown_at` type `suggestion` at the cursor; None if not even its first line."""
    wanted = _through_first_line(suggestion)
    if not wanted.strip():
        return None
    found: Acceptance | None = None
    start = moments[shown_at].cursor
    end = int(start)
    n_chars_before = len(moments[shown_at].text)
    for position in range(shown_at + 1, len(moments)):
        moment = moments[position]
        if moment.keystroke.is_edit:
            if not start <= moment.at <= end:
                break
            end += len(moment.text) - n_chars_before
            n_chars_before = len(moment.text)
            # Typing over a closer that stood there before makes it part of what was typed.
            end = max(end, moment.at + len(moment.keystroke.insert_text))
            typed = moment.text[start:end]
            if found is None and typed.startswith(wanted):
                found = Acceptance(len(wanted), position)
            if typed.startswith(suggestion):
                return Acceptance(len(suggestion), position)
    return found


def _through_first_line(suggestion: str) -> str:
    """The suggestion up to the end of its first line that says something."""
    lines = suggestion.split("\n")
    for position, line in enumerate(lines):
        if line.strip():
            return "\n".join(lines[: position + 1])
    return ""
