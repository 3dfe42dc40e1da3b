"""Tabs or spaces: a completion's lines are indented as the file's are."""

from __future__ import annotations

import math
from collections.abc import Sequence

_DEFAULT_WIDTH = 4
# Lines this near to the cursor say what the file does.
_MAX_CHARS_READ = 20_000


def fit_indentation(text: str, prefix: str, suffix: str) -> str:
    """Indent `text` with what the file uses, where all of its indented lines use the other.

    A text that uses both is left alone: who mixes has reasons, or is past help. A tab is worth the file's own step.
    """
    lines = text.split("\n")
    first_counts = not prefix.rpartition("\n")[2]
    own = [line for line in (lines if first_counts else lines[1:]) if line.strip() and line[0] in " \t"]
    around = [
        line
        for line in (prefix[-_MAX_CHARS_READ:] + "\n" + suffix[:_MAX_CHARS_READ]).split("\n")
        if line.strip() and line[0] in " \t"
    ]
    n_tabbed = sum(line[0] == "\t" for line in around)
    if not own or not around or 0 < n_tabbed < len(around):
        return text
    wants_tabs = n_tabbed > 0
    if any((line[0] == "\t") is wants_tabs for line in own):
        return text
    step = _step(own) if wants_tabs else _step(around)
    start = 0 if first_counts else 1
    return "\n".join([*lines[:start], *(_indented(line, step, tabs=wants_tabs) for line in lines[start:])])


def _indented(line: str, step: int, *, tabs: bool) -> str:
    body = line.lstrip(" \t")
    blanks = line[: len(line) - len(body)]
    if not tabs:
        return blanks.replace("\t", " " * step) + body
    n_tabs, n_spaces = divmod(len(blanks), step)
    return "\t" * n_tabs + " " * n_spaces + body


def _step(lines: Sequence[str]) -> int:
    """Columns of one level, from lines indented with spaces."""
    widths = [len(line) - len(line.lstrip(" ")) for line in lines if line[0] == " "]
    # A width of one is the star of a comment.
    step = math.gcd(*(width for width in widths if width > 1)) if widths else 0
    if step > _DEFAULT_WIDTH:  # lines of one depth only: 12 is three levels of 4, not four of 3
        step = next((width for width in (_DEFAULT_WIDTH, 2) if step % width == 0), step)
    return step if 2 <= step <= 2 * _DEFAULT_WIDTH else _DEFAULT_WIDTH
