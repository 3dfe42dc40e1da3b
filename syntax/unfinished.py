"""Could more characters turn the refused last token into one the language takes? And what would end an open lexeme?"""

from __future__ import annotations

import re

from fimble.syntax.grammar import Grammar
from fimble.syntax.languages import Closer, Language
from fimble.syntax.parse_log import Refusal

_WORD = re.compile(rb"[A-Za-z_$\x80-\xff][A-Za-z0-9_$\x80-\xff]*\Z")
_NUMBER = re.compile(rb"(?<![A-Za-z0-9_$])[0-9][0-9A-Za-z_.']*(?:(?<=[eEpP])[+-])?\Z")
_PUNCTUATION = re.compile(rb"[^\sA-Za-z0-9_\x80-\xff]{1,4}\Z")
_DIRECTIVE = re.compile(rb"(?:\A|\n)[ \t]*#[ \t]*[a-z]*\Z")
_CONTINUATION = re.compile(rb"[ \t]*\\(?:\r?\n?|\r?\n[ \t]*)\Z")
_STRING_PREFIXES = frozenset(b"r b f u rb br fr rf t tr rt l u8 lr ur u8r c cr".split())
# First characters of comments, strings, continuations, directives: whatever they begin is not known yet.
_OPENING_CHARACTERS = b"\\/'\"`#@$"
_ESCAPE = re.compile(
    rb"\\(?:x[0-9A-Fa-f]*|u[0-9A-Fa-f]{0,3}|u\{[0-9A-Fa-f]*|U[0-9A-Fa-f]{0,7}|N\{[^}\n]*|N|[0-7]{1,2}|[CM]-?)?\Z"
)
_ENTITY = re.compile(rb"&(?:[A-Za-z]\w*|#(?:[xX]?[0-9A-Fa-f]*))?\Z")
_NAME_ENDS = (b"identifier", b"name", b"word")
# Ruby's literals with delimiters of their own, which nest.
_PERCENT_LITERAL = re.compile(rb"%[qQwWiIrsx]?([(\[{<])")
_PERCENT_CLOSERS = {b"(": b")", b"[": b"]", b"{": b"}", b"<": b">"}
_HEREDOC = re.compile(rb"<<[<~-]?[ \t]*['\"\\]?([A-Za-z_]\w*)")
_MAX_OPENERS = 4


def can_grow(refusal: Refusal, text: bytes, grammar: Grammar, language: Language) -> bool:
    """Whether the refused token, which touches the end of `text`, may be the beginning of a token that is welcome."""
    number = _NUMBER.search(text)
    if number and number.start() <= refusal.start:
        return True
    if is_directive(text, language):
        return True
    token = text[refusal.start :]
    welcome = frozenset[bytes]().union(*(grammar.lookaheads(state) for state in refusal.states))
    if _WORD.match(token):
        if token.lower() in _STRING_PREFIXES and any(b"string" in name or b'"' in name for name in welcome):
            return True
        # The next word may decide whether a line end ends the statement, and `in` not be the whole of `interface`.
        if language.line_ends_matter and b"\n" in text[refusal.position : refusal.start]:
            return True
        if any(name.startswith(token) and name != token for name in (*welcome, *language.unnamed_tokens)):
            return True
        # A keyword so far, and a longer name would be welcome: `in` of `info`.
        if refusal.symbol != "identifier" and any(name.endswith(_NAME_ENDS) for name in welcome):
            return True
        # Glued to what is before it: `0x`, `1e`, `b'`.
        return refusal.start == refusal.position and text[refusal.start - 1 : refusal.start].isalnum()
    if token in (b".", b"-") and any(b"number" in name or b"float" in name for name in welcome):
        return True
    run = _PUNCTUATION.search(text)
    if run is None:
        return True
    others = [*language.unnamed_tokens, *([language.block_comment[0].encode()] if language.block_comment else [])]
    for start in range(run.start(), min(refusal.start, len(text) - 1) + 1):
        names = [*(welcome if start == refusal.start else grammar.literals), *others]
        if any(name.startswith(text[start:]) and len(name) > len(text) - start for name in names):
            return True
    return token[:1] in _OPENING_CHARACTERS


def is_in_mixed_token(refusal: Refusal, text: bytes, grammar: Grammar, language: Language) -> bool:
    """Whether `text` ends in the middle of a token of words and signs, which begins no later than the refused one."""
    entity = _ENTITY.search(text)
    if entity and entity.start() <= refusal.start:
        welcome = frozenset[bytes]().union(*(grammar.lookaheads(state) for state in refusal.states))
        if any(b"entity" in name or b"reference" in name for name in welcome):
            return True
    return any(
        text.endswith(token[:n_bytes]) and len(text) - n_bytes <= refusal.start
        for token in (*grammar.mixed_literals, *language.unnamed_tokens)
        for n_bytes in range(1, len(token))
    )


def without_escape(text: bytes) -> bytes | None:
    """The text without the unfinished escape at its end; None if there is none."""
    escape = _ESCAPE.search(text)
    return text[: escape.start()] if escape else None


def touches_end(refusal: Refusal, text: bytes, language: Language) -> bool:
    """Whether the refused token may be unfinished rather than wrong."""
    end = len(text.rstrip())
    if refusal.end is None or refusal.end >= end or is_directive(text, language):
        return True
    run = _PUNCTUATION.search(text)
    return run is not None and run.start() <= refusal.start


def is_in_number(refusal: Refusal, text: bytes) -> bool:
    """Whether the refused token lies in an unfinished number at the end of `text`."""
    number = _NUMBER.search(text)
    return number is not None and number.start() <= refusal.start


def is_in_continuation(refusal: Refusal, text: bytes) -> bool:
    """Whether the refused token lies in a backslash at the end of `text` that joins the next line to this one."""
    continuation = _CONTINUATION.search(text)
    return continuation is not None and continuation.start() <= refusal.start


def likely_closers(refusal: Refusal, text: bytes, language: Language) -> tuple[Closer, ...]:
    """What may end a lexeme left open at the end of `text`: the closers whose openers stand nearest before the refusal.

    An open comment or string is read as junk, so the first token refused is at its opener or soon after it.
    """
    found: list[tuple[int, Closer]] = []
    for closer in language.closers:
        opened_at = text.rfind(closer.opener, 0, refusal.start + len(closer.opener))
        if refusal.symbol == "ERROR":  # characters that are no token at all, and the opener may be among them
            opened_at = max(opened_at, text.find(closer.opener, refusal.start))
        if opened_at >= 0:
            found.append((abs(refusal.start - opened_at) - len(closer.opener), closer))
    found.sort(key=lambda item: (item[0], -len(item[1].opener)))  # `"""` before the `"` that is a part of it
    openers = list(dict.fromkeys(closer.opener for _, closer in found))[:_MAX_OPENERS]
    nearest = [closer for _, closer in found if closer.opener in openers]
    if language.has_percent_literals:
        nearest[:0] = _percent_closers(refusal, text)
    if language.has_heredocs:
        words = [match.group(1) for match in _HEREDOC.finditer(text)]
        nearest[:0] = [Closer(b"\n" + word + b"\n", b"<<") for word in words[-2:]]
    return tuple(nearest)


def _percent_closers(refusal: Refusal, text: bytes) -> list[Closer]:
    for matched in reversed(list(_PERCENT_LITERAL.finditer(text, 0, refusal.start))):
        opening, body = matched[1], text[matched.end() :]
        closing = _PERCENT_CLOSERS[opening]
        n_open = 1 + body.count(opening) - body.count(closing)
        if n_open > 0:
            return [Closer(closing * n_open, matched.group())]
    return []


def is_directive(text: bytes, language: Language) -> bool:
    """Whether the last line is the beginning of a preprocessor directive."""
    return language.name in ("c", "cpp", "csharp") and _DIRECTIVE.search(text) is not None
