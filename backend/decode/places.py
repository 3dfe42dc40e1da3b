"""Where a completion might end: lengths of what is written, the likelier first.

Of the text alone; whether it may end there is for the syntax to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from fimble.syntax.closers import closed_at, opens_any, tag_ended_by

MAX_PLACES = 24
"""So many within a line are looked at."""

_CLOSERS = frozenset(")]}\"'`")
_SIGNS_AT_END = ",;)]} "
_MAX_LINES_LEFT_OUT = 60
# So much of the rest of the cursor's line tells a place in what is written.
_MIN_REST_CHARS, _MAX_REST_CHARS = 2, 24


def first_line(text: str) -> tuple[str, str]:
    """The white space at the beginning, and the line behind it: a completion may begin with line ends."""
    blanks = text[: len(text) - len(text.lstrip())]
    return blanks, text[len(blanks) :].partition("\n")[0]


def at_line_ends(text: str) -> list[int]:
    """Ends of lines, from the end back, that leave something; not the text's own end."""
    line_ends = [at for at in range(len(text) - 1, 0, -1) if text[at] == "\n" and text[:at].strip()]
    return line_ends[:_MAX_LINES_LEFT_OUT]


def within_line(text: str, boundaries: Sequence[int]) -> list[int]:
    """Ends of tokens (`boundaries`, ascending, of more text maybe) and of closers, from the end back.

    The last characters come first, one by one: a token often holds several closers.
    """
    length = len(text)
    token_ends = [at for at in reversed(boundaries) if at < length and text[:at].strip()]
    characters = [length - n for n in range(1, 4) if text[: max(0, length - n)].strip()]
    closed = [at for at in range(length - 1, 0, -1) if text[at - 1] in _CLOSERS]
    return [*characters, *sorted({*token_ends, *closed} - {*characters}, reverse=True)][:MAX_PLACES]


def before_signs_of_first_line(text: str) -> list[int]:
    """Ends of the first line without the signs that end it: a comma that nothing may follow, a closer too many."""
    blanks, line = first_line(text)
    line = line.rstrip()
    n_signs = len(line) - len(line.rstrip(_SIGNS_AT_END))
    ends = [len(line) - n for n in range(1, n_signs + 1)]
    return [len(blanks) + end for end in ends if line[:end].strip() and not line[end - 1].isspace()]


def before_rest(text: str, rest: str) -> list[int]:
    """Where lines go on with all of `rest`, what stands right of the cursor, and end with it; the first one first."""
    lengths: list[int] = []
    line_start = 0
    for line in text.split("\n") if rest.strip() else ():
        if (n_chars := n_chars_before_rest(line, rest)) is not None:
            lengths.append(line_start + n_chars)
        line_start += len(line) + 1
    return [length for length in lengths if text[:length].strip()]


def n_chars_before_rest(line: str, rest: str) -> int | None:
    """How much of a line comes before `rest`, where it ends with that; blanks at its end do not count."""
    line = line.rstrip()
    return len(line) - len(rest) if rest and line.endswith(rest) else None


def where_rest_begins(text: str, rest: str) -> list[int]:
    """Where the text goes on as `rest` begins, be it within a word: the longer so, the likelier it is that place."""
    rest = rest[:_MAX_REST_CHARS]
    lengths: dict[int, None] = {}
    for n_chars in range(len(rest), _MIN_REST_CHARS - 1, -1):
        at = text.find(rest[:n_chars], 1) if rest[:n_chars].strip() else -1
        while at >= 0:
            lengths[at] = None
            at = text.find(rest[:n_chars], at + 1)
    return [length for length in lengths if text[:length].strip()][:MAX_PLACES]


def before_own_closer(text: str, rest: str, *, leaves_none_open: bool) -> list[int]:
    """Where the text has a closer of its own for the bracket that `rest` begins by closing: on the first line with one,
    the last one first.

    With `leaves_none_open` only those behind which it opens none that `rest` would close: `a).then(() => {` goes on.
    """
    closer = rest.lstrip()[:1]
    ends = [
        len(text[:at].rstrip())
        for at in closed_at(text, closer)
        if not (leaves_none_open and opens_any(text[at + 1 :], closer))
    ]
    return [end for end in ends if end]


def before_own_tag(text: str, head: str, rest: str) -> list[int]:
    """Where a line at the indentation of `head` begins with the end of a tag that `rest` begins with."""
    name, indentation = tag_ended_by(rest), head[: len(head) - len(head.lstrip())]
    at = text.find(f"\n{indentation}</{name}>") if name else -1
    return [len(text[:at].rstrip())] if at > 0 and text[:at].strip() else []
