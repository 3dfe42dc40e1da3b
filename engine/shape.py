"""Raw model text to what may be shown: trimmed, not repeating what stands in its line, in the file's own line ends.

Where it ends was decided, and its syntax judged, before: no line is dropped here. Pure; each way to drop a completion
is a RejectReason.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from fimble.core.flow import RejectReason
from fimble.engine.indentation import begin_at_cursor, fit_indentation
from fimble.engine.stopping import MIN_LINE_CHARS, neighbours
from fimble.syntax.closers import blanks_before_closer, closed_again, is_only_closers, tag_ended_by

_NEED_NO_BLANK = " \t)]},;:."
_OPENERS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Shaped:
    """Text to insert at the cursor, replacing `n_replaced_chars` of the cursor's line after it."""

    text: str
    n_replaced_chars: int = 0


def shape(raw: str, prefix: str, suffix: str, *, is_cut: bool = False, is_judged: bool = True) -> Shaped | RejectReason:
    """Make `raw`, written by the model between `prefix` and `suffix`, fit to show.

    `is_cut` says that writing stopped for want of time or room: white space at the end then means nothing. Where syntax
    has not judged it, nobody knows yet whether the editor's closer may stand apart from what is written; it may then.
    """
    if not raw:
        return RejectReason.EMPTY
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    head, rest = prefix.rpartition("\n")[2], suffix.partition("\n")[0]
    blanks = _blanks_before_rest_of_line(text, head, rest, is_cut=is_cut)
    text = text.rstrip()
    if not text.strip():
        return RejectReason.BLANK
    text = begin_at_cursor(fit_indentation(text, prefix, suffix), prefix, suffix)
    text = _without_doubled_start(text, prefix)
    if _repeats_line_above(text, prefix, suffix):
        return RejectReason.REPEATS_PREFIX
    shaped = Shaped(text)
    if not blanks or blanks != blanks_before_closer(head, text, rest):  # else the closers at its end are its own
        shaped = _fit_rest_of_line(text, head, suffix)
    if shaped == Shaped(text):
        shaped = Shaped(text + blanks)
    if not is_judged and not shaped.n_replaced_chars:
        kept = shaped.text.rstrip()
        shaped = Shaped(kept + apart) if (apart := blanks_before_closer(head, kept, rest)) else shaped
    if not shaped.text.strip():
        return RejectReason.REPEATS_SUFFIX
    return Shaped(_in_file_line_ends(shaped.text, prefix, suffix), shaped.n_replaced_chars)


def _blanks_before_rest_of_line(text: str, head: str, rest: str, *, is_cut: bool) -> str:
    """The white space that ends `text`, where what stands right of the cursor needs it: the indentation of a line of
    its own, or the blank between two words.
    """
    blanks = text[len(text.rstrip()) :]
    if blanks and blanks == blanks_before_closer(head, text.rstrip(), rest):
        return blanks
    if is_cut or not any(char.isalnum() for char in rest):
        return ""
    return blanks if "\n" in blanks or rest[0] not in _NEED_NO_BLANK else ""


def _without_doubled_start(text: str, prefix: str) -> str:
    """Drop what stands before the cursor already: blank lines below a blank line, and the line's own indentation.

    A text that leaves the cursor's indentation keeps one line end: on the cursor's own line it would be too deep.
    """
    above, _, line_head = prefix.rpartition("\n")
    if line_head.strip() or not above:
        return text
    body = text.lstrip()
    begun = text[: len(text) - len(body)]
    line_above = above.rpartition("\n")[2].rstrip("\r")
    if "\n" in begun:
        if line_above.strip():
            return text
        indentation = begun.rpartition("\n")[2]
        is_within = indentation.startswith(line_head)
        return indentation.removeprefix(line_head) + body if is_within else f"\n{indentation}{body}"
    is_finished = line_above.rstrip().endswith((";", "}", ")"))
    stands_at_cursor = line_above[: len(line_above) - len(line_above.lstrip())] == line_head
    return body if line_head and begun == line_head and is_finished and stands_at_cursor else text


def _repeats_line_above(text: str, prefix: str, suffix: str) -> bool:
    """Whether a whole-line completion is just its neighbour line again, if only formatted otherwise."""
    written = "".join(text.split())
    return any(written == "".join(line.split()) for line in neighbours(prefix, suffix) or ())


def _fit_rest_of_line(text: str, head: str, suffix: str) -> Shaped:
    """Deal with what stands right of the cursor: closers that the editor put there must not appear twice.

    A line that has them itself and goes on behind them takes their place; `head` is the line left of the cursor.
    """
    closers = suffix.partition("\n")[0].rstrip()
    if not closers:
        return Shaped(text)
    closed = closed_again(head, text, closers) if is_only_closers(closers) else None
    if closed and text[closed.n_through :].strip():
        return Shaped(text, len(closers))
    stands_apart = closers[0] in " \t"
    if len(closers) >= MIN_LINE_CHARS and not _opens_tag(text, closers) and (n_chars := _n_chars_at_end(text, closers)):
        return Shaped(_before(text, n_chars, stands_apart=stands_apart))
    # Only brackets and quotes: give up the written ones that the line's own would unbalance.
    due = "".join(itertools.takewhile(lambda char: char in ")]}\"'`;,:", "".join(closers.split())))
    n_shared = next((n for n in range(len(due), 0, -1) if _n_chars_at_end(text, due[:n])), 0)
    while n_shared and _closes_more_than_it_opens(text, due[n_shared - 1]):
        n_shared -= 1
        text = _before(text, _n_chars_at_end(text, due[n_shared]), stands_apart=stands_apart)
    return Shaped(text)


def _opens_tag(text: str, rest: str) -> bool:
    """Whether the tag that ends right of the cursor is one that `text` opens and ends itself, too."""
    name = tag_ended_by(rest)
    if name is None:
        return False
    n_ends = text.count(f"</{name}>")
    return 0 < n_ends <= len(re.findall(rf"<{re.escape(name)}(?=[\s>])", text))


def _n_chars_at_end(text: str, end: str) -> int:
    """How many characters of `text` are `end`, with which it ends, however either is spaced; 0 if it does not."""
    at = len(text)
    for char in reversed("".join(end.split())):
        at = len(text[:at].rstrip())
        if not text[:at].endswith(char):
            return 0
        at -= 1
    return len(text) - at


def _before(text: str, n_chars: int, *, stands_apart: bool) -> str:
    """`text` without its last `n_chars`, and without the blanks before them where the line has its own."""
    kept = text[: len(text) - n_chars]
    return kept.rstrip(" \t") if stands_apart else kept


def _closes_more_than_it_opens(text: str, last: str) -> bool:
    if last in _OPENERS:
        return text.count(last) > text.count(_OPENERS[last])
    if last in "\"'`":
        return text.count(last) % 2 == 1
    return True  # a `;`, `,` or `:` that the line has already


def _in_file_line_ends(text: str, prefix: str, suffix: str) -> str:
    if "\n" in text and ("\r\n" in prefix or "\r\n" in suffix):
        return text.replace("\n", "\r\n")
    return text
