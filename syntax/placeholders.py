"""Comments that stand for code which nobody has written (`# Your code here`): instruct models begin a body with one."""

from __future__ import annotations

import re
from typing import Final

from fimble.syntax.languages import Language, language_for

_WORD: Final = re.compile(r"[^\W\d_]+")
_EMPTY: Final = (
    "a add and any as auto be below block body code complete constructor content do existing fill finish fixme for"
    " function generated go goes here implement implementation implemented in insert is it logic me method missing more"
    " my needed not of other own place please provide put required rest same solution some something statements stub"
    " stuff the this to todo write yet you your"
)
_TELLING: Final = "code fixme here implement implementation implemented logic solution statements stub todo"
# A comment of these words alone, with one of the telling ones, says nothing of the code at hand.
_EMPTY_WORDS: Final = frozenset(_EMPTY.split())
_TELLING_WORDS: Final = frozenset(_TELLING.split())
_ENOUGH_ALONE: Final = frozenset({"todo", "fixme"})


def begins_with_placeholder(language_id: str, text: str) -> bool:
    """Whether the first line of `text` that is not blank is a comment which says no more than that code comes here."""
    language = language_for(language_id)
    line = text.lstrip().partition("\n")[0].rstrip()
    comment = _comment(language, line) if language else None
    if comment is None:
        return False
    words = [word.lower() for word in _WORD.findall(comment)]
    if not words:
        return comment.strip(" .") == "" and "..." in comment
    is_long_enough = len(words) > 1 or words[0] in _ENOUGH_ALONE
    return is_long_enough and _EMPTY_WORDS.issuperset(words) and not _TELLING_WORDS.isdisjoint(words)


def is_comment_line(language_id: str, line: str) -> bool:
    """Whether a line, without its indentation, is nothing but a comment."""
    language = language_for(language_id)
    return language is not None and _comment(language, line) is not None


def _comment(language: Language, line: str) -> str | None:
    """What a line that is nothing but a comment says; None of another line."""
    marker, block = language.line_comment, language.block_comment
    if marker and line.startswith(marker):
        return line.lstrip(marker)
    if block and line.startswith(block[0]):
        return line.removeprefix(block[0]).removesuffix(block[1])
    return None
