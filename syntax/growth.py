"""Which pieces need no parser: more of a name, more of a comment or string that they cannot end, more blanks."""

from __future__ import annotations

import re
from enum import Enum, auto

from fimble.syntax.grammar import Grammar
from fimble.syntax.judge import Judgement, Standing
from fimble.syntax.languages import Language
from fimble.syntax.parse_log import LastToken

_WORD_PIECE = re.compile(rb"[A-Za-z0-9_]+\Z")
_LAST_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\Z")
_BLANK_PIECE = re.compile(rb"[ \t]+\Z")
_NAME_SYMBOLS = frozenset({"identifier", "_identifier_token", "name", "constant", "variable_name"})
_TEXT_SYMBOL_ENDS = (
    "string_content",
    "string_content_token1",
    "string_fragment",
    "literal_content",
    "raw_text",
    "jsx_text",
    "attribute_value",
)


class Growth(Enum):
    """What a text ends in."""

    NAME = auto()  # a name that the parser took as a name
    LINE_COMMENT = auto()
    BLOCK_COMMENT = auto()
    LINES = auto()  # the text of a string of many lines
    LINE = auto()  # the text of a string of one line
    WORDS = auto()  # the text of some string
    ANY = auto()


# What could end the text, or begin an expression or an escape in it.
_UNSAFE = {
    Growth.LINE_COMMENT: re.compile(rb"[\r\n?]"),  # `?>` ends a comment of PHP
    Growth.LINES: re.compile(rb'["`\\${}#]'),
    Growth.LINE: re.compile(rb'["`\\${}#\r\n]'),
    Growth.WORDS: re.compile(rb"[^A-Za-z0-9_ \t.,;!]"),
}
_QUOTES = (b'"', b"'", b"`")
_NESTED_OR_LAST = re.compile(rb"\*/|/\*")
# Not `'`, which holds one character in half of the languages, nor closers that end an expression inside a string.
_GROWTH_IN = {
    b" */": Growth.BLOCK_COMMENT,
    b'"""': Growth.LINES,
    b"'''": Growth.WORDS,
    b"`": Growth.WORDS,
    b"-->": Growth.WORDS,
    b'"': Growth.LINE,
}


def growth_of(judgement: Judgement, text: bytes, language: Language) -> Growth:
    """What `text` ends in; `judgement` is of exactly this text."""
    found = Growth.ANY
    if judgement.standing is Standing.OPEN and judgement.closer is not None:
        found = _GROWTH_IN.get(judgement.closer.text, Growth.ANY)
        if found is Growth.BLOCK_COMMENT and text[: text.rfind(b"/*")].endswith(_QUOTES):
            return Growth.ANY
    elif judgement.standing is Standing.TAKEN:
        found = _growth_of_token(judgement.reading.last_token, text, language)
    if found in _UNSAFE and _UNSAFE[found].match(text[-1:]):
        return Growth.ANY  # in the middle of an escape or the like
    return found


def grows_safely(growth: Growth, standing: Standing, text: bytes, piece: bytes, grammar: Grammar) -> bool:
    """Whether `text + piece` is viable because `text` is, and for the same reason."""
    if growth is Growth.NAME and _WORD_PIECE.match(piece):
        word = _LAST_WORD.search(text)
        return word is not None and not _is_keyword(word.group() + piece, grammar)
    if growth is Growth.BLOCK_COMMENT:
        return not _NESTED_OR_LAST.search(text[-1:] + piece)
    if growth in _UNSAFE and not _UNSAFE[growth].search(piece):
        return True
    return standing is Standing.TAKEN and _BLANK_PIECE.match(piece) is not None


def growth_after(growth: Growth, piece: bytes) -> Growth:
    """What the text ends in after a piece that grew it safely."""
    if growth is Growth.NAME and not _WORD_PIECE.match(piece):
        return Growth.ANY
    return growth


def _growth_of_token(token: LastToken | None, text: bytes, language: Language) -> Growth:
    if token is None:
        return Growth.ANY
    if token.symbol.endswith("comment") or token.symbol.startswith("line_comment"):
        marker = (language.line_comment or "\0").encode()
        # Ruby's `#{`, and behind a quote or a sign (a shell's `[[ $a =#b`), it reads as one only until more comes.
        marked_at = max(text.rfind(marker, 0, token.start + len(marker)), 0)
        begins_a_word = marked_at == 0 or text[marked_at - 1 : marked_at].isspace()
        if text[token.start :] == marker or not begins_a_word or text.startswith(b"#{", token.start):
            return Growth.ANY
        line = text[text.rfind(b"\n", 0, token.start) + 1 :]
        is_line = text.startswith(marker, token.start) or (token.symbol != "comment" and marker in line)
        return Growth.LINE_COMMENT if is_line and b"/*" not in line else Growth.ANY
    if token.symbol.endswith(_TEXT_SYMBOL_ENDS):
        return Growth.WORDS
    if token.symbol in _NAME_SYMBOLS:
        word = _LAST_WORD.search(text)
        if word is not None and word.start() == token.start:
            return Growth.NAME
    return Growth.ANY


def _is_keyword(word: bytes, grammar: Grammar) -> bool:
    return word in grammar.word_literals or word.lower() in grammar.word_literals
