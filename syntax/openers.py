"""Holes that have to open a block or a bracket, or to close one: the file is broken without, and whole with one line.

Where the lines below a hole stand deeper than it and a closer there has no opener, small models write a finished
statement. The file was broken before and is broken after, so no error is added; but the layout says what was meant, and
one text that opens a block proves that the file can be whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from fimble.syntax.grammar import grammar_for
from fimble.syntax.indent import indent_columns
from fimble.syntax.languages import BlockStyle, Language

# What may stand in the hole to open a block, in one language or another, at the start of a line or behind a condition.
OPENERS: Final[Mapping[BlockStyle, tuple[bytes, ...]]] = {
    BlockStyle.BRACES: (b"if (x) {", b"if x {", b") {", b"while (x) {", b"for x {", b"{"),
    BlockStyle.END: (b"if x", b"if x; then", b"do"),
}
# What a line begins with that opens a block, as a person would write it; and a loop, where nothing else will do.
_HEADERS: Final[Mapping[BlockStyle, tuple[str, ...]]] = {
    BlockStyle.BRACES: ("if", "for", "foreach", "while", "else", "try", "switch"),
    BlockStyle.END: ("if", "for", "while"),
    BlockStyle.INDENT: ("if", "for", "while", "else", "elif", "try", "with"),
}
_LOOPS: Final = ("for", "foreach", "while")
# What may stand in the hole to open the brackets that lines below it close, and the brackets.
BRACKET_OPENERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x(", b"("),
    (b"x = [", b"["),
    (b"[", b"["),
    (b"x = {", b"{"),
    (b"x({", b"({"),
    (b"x([", b"(["),
    (b"x(x(", b"("),
    (b"x(x({", b"({"),
)
# What closes a block, or a call around one.
CLOSERS: Final[Mapping[BlockStyle, tuple[bytes, ...]]] = {
    BlockStyle.BRACES: (b"}", b"});", b"})", b"};"),
    BlockStyle.END: (b"end", b"fi", b"done"),
}
_BRANCH = re.compile(rb"([ \t]*)(?:else|elif|except|finally)\b")
_ENDS_OF_OPENERS = (b"{", b"(", b"[", b":", b" then", b" do", b"=>", b"->")
_DEFAULT_UNIT = 4
_MAX_LINES = 40


def stands_above_a_block(above: bytes, head: bytes, below: bytes) -> bool:
    """Whether the line below the cursor's is indented deeper than the cursor's line can be by what is above it.

    `above` ends where the cursor's line begins, `head` is the line up to the cursor, `below` begins with its line end.
    """
    following = next((line for line in below.split(b"\n", _MAX_LINES)[:_MAX_LINES] if line.strip()), None)
    lines = _last_lines(above)
    if following is None or (not head.strip() and not lines):
        return False
    if head.strip():
        return indent_columns(following) > indent_columns(head)
    last = lines[-1].rstrip()
    deepest = indent_columns(last) + (_unit(lines) if last.endswith(_ENDS_OF_OPENERS) else 0)
    return indent_columns(following) > deepest


def headers_like(opener: str, language: Language) -> tuple[str, ...]:
    """Words that a line may begin with in place of `opener`, which opens a block in the hole and makes the file whole.

    They are such as the language has. None where that is a call's block, or no statement's (`{`, in a class).
    """
    grammar = grammar_for(language)
    if grammar is None or opener.encode() in language.callback_openers or opener == "{":
        return ()
    if opener.startswith(_LOOPS):
        words = _LOOPS
    elif opener.lstrip().startswith("try"):
        words = ("try",)
    else:
        words = _HEADERS.get(language.block_style, ())
    return tuple(word for word in words if word.encode() in grammar.word_literals)


def openers_of_branch(head: bytes, tail: bytes, below: bytes) -> tuple[bytes, ...]:
    """In Python: what could open the statement that the line below goes on with, an `else` or `except`; or nothing.

    `head` is the line up to the cursor, `tail` from there on; `below` begins with its line end.
    """
    following = next((line for line in below.split(b"\n", _MAX_LINES)[:_MAX_LINES] if line.strip()), b"")
    branch = _BRANCH.match(following)
    if branch is None or tail.strip():
        return ()
    indent = branch[1]
    if head.strip():
        return tuple(opener + indent + b"  pass" for opener in (b" x:\n", b":\n"))
    if not indent.startswith(head):
        return ()
    return tuple(indent[len(head) :] + opener + indent + b"  pass" for opener in (b"if x:\n", b"try:\n"))


def openers_of_deeper_lines(above: bytes, head: bytes) -> tuple[bytes, ...]:
    """In Python: what could open the block that the lines below the hole are in, being deeper than it can stand.

    `above` ends where the cursor's line begins, `head` is the line up to the cursor.
    """
    if head.strip():
        return (b"x:", b":", b" x:")
    last = (_last_lines(above) or [b""])[-1]
    indent = last[: len(last) - len(last.lstrip())]
    if not indent.startswith(head):
        return ()
    return tuple(indent[len(head) :] + opener for opener in (b"if x:", b"try:"))


def indent_of_closer(above: bytes) -> bytes:
    """What a line begins with that closes the block which the last line of `above` stands in."""
    lines = _last_lines(above)
    if not lines:
        return b""
    n_columns = indent_columns(lines[-1])
    if lines[-1].rstrip().endswith(_ENDS_OF_OPENERS):
        n_columns += 1
    opener = next((line for line in reversed(lines) if indent_columns(line) < n_columns), b"")
    return opener[: len(opener) - len(opener.lstrip())]


def _last_lines(above: bytes) -> list[bytes]:
    """Those of the last lines that are not blank. A file may have many more, so they are split off its end."""
    return [line for line in above.rsplit(b"\n", _MAX_LINES)[-_MAX_LINES:] if line.strip()]


def _unit(lines: list[bytes]) -> int:
    return min(_steps(lines), default=_DEFAULT_UNIT)


def _steps(lines: list[bytes]) -> Iterator[int]:
    return (after - before for before, after in pairwise(map(indent_columns, lines)) if after > before)
