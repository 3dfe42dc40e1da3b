"""Tabs or spaces, and how deep: a completion's lines are indented as the file's are, and begin where the cursor is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_DEFAULT_WIDTH = 4
# Lines this near to the cursor say what the file does.
_MAX_CHARS_READ = 20_000
# A comment's stars stand below each other, one column deeper than the comment: they say nothing of levels.
_STAR = re.compile(r"[ \t]+\*(?:[\s/]|$)")


def fit_indentation(text: str, prefix: str, suffix: str) -> str:
    """Indent `text` with what the file uses, where all of its indented lines use the other.

    A text that uses both is left alone: who mixes has reasons, or is past help. A tab is worth the file's own step.
    """
    lines = text.split("\n")
    first_counts = not prefix.rpartition("\n")[2]
    own = [line for line in (lines if first_counts else lines[1:]) if line.strip() and line[0] in " \t"]
    around = _indented_lines(prefix, suffix)
    n_tabbed = sum(line[0] == "\t" for line in around)
    if not own or not around or 0 < n_tabbed < len(around):
        return text
    wants_tabs = n_tabbed > 0
    if any((line[0] == "\t") is wants_tabs for line in own):
        return text
    step = _step(own) if wants_tabs else _step(around)
    start = 0 if first_counts else 1
    return "\n".join([*lines[:start], *(_indented(line, step, tabs=wants_tabs) for line in lines[start:])])


def begin_at_cursor(text: str, prefix: str, suffix: str) -> str:
    """`text` without blanks before its first line where the cursor is a level deeper than the line above, in a block.

    A model used to wider steps begins deeper; its further lines then go back level by level, as the first one does.
    """
    above, _, head = prefix.rpartition("\n")
    blanks = _blanks(text)
    line_above = above.rstrip().rpartition("\n")[2]
    outer = _blanks(line_above)
    wanted = len(head) - len(outer)
    is_of_one_kind = len({*head, *blanks, *outer}) == 1
    is_aligned = line_above.endswith(",")  # with what stands somewhere in the lines above
    if head.strip() or not blanks or not is_of_one_kind or wanted <= 0 or is_aligned:
        return text
    around = _indented_lines(prefix, suffix)
    if head[0] == " " and around and wanted < _step(around):
        return text  # the cursor is on its way to that depth
    first, *further = text[len(blanks) :].split("\n")
    if not first.strip():
        return text
    written = wanted + len(blanks)
    inner = [line for line in further if line.strip() and len(_blanks(line)) >= len(head)]
    if any(set(_blanks(line)) != set(head) for line in inner):
        return text
    if all(len(_blanks(line)) >= len(head) + len(blanks) for line in inner):
        further = [_narrowed(line, len(outer), written, len(blanks)) if line in inner else line for line in further]
    return "\n".join([first, *further])


def _narrowed(line: str, n_outer: int, n_written: int, n_less: int) -> str:
    n_levels = (len(_blanks(line)) - n_outer) // n_written
    return line[n_levels * n_less :]


def _blanks(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _indented_lines(prefix: str, suffix: str) -> list[str]:
    """Lines near the cursor that begin with blanks; what stands right of it begins no line."""
    near = prefix[-_MAX_CHARS_READ:] + "\n" + suffix[:_MAX_CHARS_READ].partition("\n")[2]
    return [line for line in near.split("\n") if line.strip() and line[0] in " \t" and not _STAR.match(line)]


def _indented(line: str, step: int, *, tabs: bool) -> str:
    blanks = _blanks(line)
    body = line[len(blanks) :]
    if not tabs:
        return blanks.replace("\t", " " * step) + body
    n_tabs, n_spaces = divmod(len(blanks), step)
    return "\t" * n_tabs + " " * n_spaces + body


def _step(lines: Sequence[str]) -> int:
    """Columns of one level, from lines indented with spaces."""
    widths = [len(line) - len(line.lstrip(" ")) for line in lines if line[0] == " "]
    step = math.gcd(*(width for width in widths if width > 1)) if widths else 0
    if step > _DEFAULT_WIDTH:  # lines of one depth only: 12 is three levels of 4, not four of 3
        step = next((width for width in (_DEFAULT_WIDTH, 2) if step % width == 0), step)
    return step if 2 <= step <= 2 * _DEFAULT_WIDTH else _DEFAULT_WIDTH
