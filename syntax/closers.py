"""Closers right of the cursor, which editors put there by themselves, and those that a written line has or lacks.

Lexical, by single characters: whether a text that is cut so is right is for the parser to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
CLOSER_OF: Final = {opener: closer for closer, opener in _PAIRS.items()}
_OPENING: Final = frozenset(_PAIRS.values())
_QUOTES: Final = frozenset("\"'`")
_TRIPLE_QUOTES: Final = frozenset({'"""', "'''"})
_TAG_AT_END: Final = re.compile(r"<([A-Za-z][\w.:-]*)(?:\s[^<>]*)?(?<![/=])>$")
_END_TAG: Final = re.compile(r"\s*</([\w.:-]+)>")
_ENDS_OF_BLOCK: Final = frozenset("})];,")
# What may stand right of a cursor without being code of its own: brackets and quotes, and signs that end a line.
_CLOSING: Final = frozenset(")]}\"'`;,:> ")


def is_only_closers(rest: str) -> bool:
    """Whether what stands right of the cursor closes something, and nothing else."""
    return bool(rest.strip()) and rest.strip()[0] not in ";,:>" and _CLOSING.issuperset(rest.strip())


@dataclass(frozen=True, slots=True)
class ClosedAgain:
    """Where a written line closes what stands right of the cursor: `n_before` characters come before the first closer,
    `n_through` end with the last one.
    """

    n_before: int
    n_through: int


def closed_again(head: str, line: str, rest: str) -> ClosedAgain | None:
    """Where `line`, written between `head` and the closers `rest`, has all of them itself, in their order.

    None if it does not. A closer of something that the line opened, or of the string it begins in, is its own; and
    what the line opens behind them, they may be there to close.
    """
    due = "".join(rest.split())
    is_open: list[str] = []
    for char in _signs(head):
        _follow(is_open, char)
    in_string = is_open[-1:] if is_open and is_open[-1] in _QUOTES else []
    is_open = list(in_string)
    n_before: int | None = None
    n_found, at = 0, 0
    for char in _signs(line):
        at += len(char)
        # An editor closes brackets within a string too.
        if n_found < len(due) and char == due[n_found] and is_open in ([], in_string):
            n_before = at - 1 if n_before is None else n_before
            n_found += 1
            if is_open == [char]:
                is_open.pop()
            if n_found == len(due):
                return None if opens_any(line[at:], due) else ClosedAgain(n_before, at)
        elif not _follow(is_open, char):
            return None
    return None


def opens_any(line: str, closers: str) -> bool:
    """Whether `line` leaves something open that one of `closers` would close."""
    is_open: list[str] = []
    for char in _signs(line):
        _follow(is_open, char)
    return any(_PAIRS.get(closer, closer) in is_open for closer in closers)


def closers_of(head: str, text: str) -> str:
    """What closes the brackets that `text`, which follows `head` on its line, opens or leaves open, innermost first.

    Nothing where it ends in a string, or closes what was not opened.
    """
    is_open: list[str] = []
    for char in _signs(head):
        _follow(is_open, char)
    for char in _signs(text):
        if not _follow(is_open, char):
            return ""
    return "" if is_open and is_open[-1] in _QUOTES else "".join(CLOSER_OF[opener] for opener in reversed(is_open))


def closed_at(text: str, closer: str) -> list[int]:
    """Where `text` has a `closer` for the bracket that is open at its beginning: on the first line with one, the
    last one first.

    Behind the first, one that is opened anew counts as that bracket: `a) and (b)`. Nothing for what is no bracket.
    """
    is_open = [_PAIRS[closer]] if closer in _PAIRS else []
    places: list[int] = []
    at = 0
    for char in _signs(text):
        if char == "\n":
            if places:
                break
            while is_open and is_open[-1] in _QUOTES:  # an apostrophe, rather
                is_open.pop()
        if char == closer and is_open == [_PAIRS.get(closer)]:
            places.append(at)
        if not _follow(is_open, char):
            break
        at += len(char)
    return places[::-1]


def tag_ended_by(rest: str) -> str | None:
    """The name of the tag whose end `rest` begins with."""
    found = _END_TAG.match(rest)
    return found[1] if found else None


def begins_empty_pair(head: str, rest: str) -> bool:
    """Whether the cursor stands between two braces, or a tag and its end, with nothing in it, as editors leave them.

    Not in a string or template (`${` here `}`): behind that comes a quote.
    """
    if head.endswith("{"):
        return rest.startswith("}") and _ENDS_OF_BLOCK.issuperset(rest.rstrip())
    tag = _TAG_AT_END.search(head)
    return tag is not None and rest.rstrip().rstrip(";)") == f"</{tag[1]}>"


def blanks_before_closer(head: str, text: str, rest: str) -> str:
    """What stands between `text` and `rest`, where `rest` closes what `head` ends with and `text` stands apart from it:
    a line end and an indentation if that bracket, tag or quotes end their line, a blank if a brace is followed by one.
    """
    opener, closer = head.rstrip(), rest.lstrip()
    is_pair = CLOSER_OF.get(opener[-1:], "") == closer[:1] != "" or opener[-3:] == closer[:3] in _TRIPLE_QUOTES
    if closed_again(head, text, rest) if is_pair else not begins_empty_pair(head, rest):
        return ""
    if "\n" in text[: len(text) - len(text.lstrip())]:
        return "\n" + head[: len(head) - len(head.lstrip())]
    is_apart = text.startswith(" ") and "\n" not in text and not text.endswith(" ")
    return " " if is_apart and head.endswith("{") and begins_empty_pair(head, rest) else ""


def is_balanced(line: str) -> bool:
    """Whether `line` closes all that it opens, and nothing else."""
    is_open: list[str] = []
    return all(_follow(is_open, char) for char in _signs(line)) and not is_open


def closes_other(head: str, rest: str) -> bool:
    """Whether the first of the closers `rest` is not that of the bracket which `head`, left of them, leaves open.

    No editor put it there then: what is written between the two has to open it.
    """
    due, closer = closers_of(head, ""), rest.strip()[:1]
    return closer in _PAIRS and bool(due) and due[0] != closer


def before_unclosed(head: str, line: str) -> str:
    """`line`, which follows `head`, up to the first bracket that it opens and does not close; nothing without one."""
    is_open: list[str] = []
    for char in _signs(head):
        _follow(is_open, char)
    opened_at = [-1] * len(is_open)
    at = 0
    for char in _signs(line):
        n_open = len(is_open)
        _follow(is_open, char)
        if len(is_open) > n_open:
            opened_at.append(at)
        elif len(is_open) < n_open:
            opened_at.pop()
        at += len(char)
    cut_at = next((place for place in opened_at if place >= 0), None)
    return "" if cut_at is None or line[cut_at] in _QUOTES else line[:cut_at].rstrip()


def _signs(line: str) -> Iterator[str]:
    """Its characters, one that is escaped together with the backslash before it."""
    at = 0
    while at < len(line):
        n_chars = 2 if line[at] == "\\" else 1
        yield line[at : at + n_chars]
        at += n_chars


def _follow(is_open: list[str], char: str) -> bool:
    """Keep account of what is open; False where `char` closes what was not opened."""
    if is_open and is_open[-1] in _QUOTES:
        if char == is_open[-1]:
            is_open.pop()
    elif char in _OPENING or char in _QUOTES:
        is_open.append(char)
    elif char in _PAIRS:
        if not is_open or is_open[-1] != _PAIRS[char]:
            return False
        is_open.pop()
    return True
