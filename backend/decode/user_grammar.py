"""A grammar of the user's own as judge of completions: Lark, GBNF or a JSON schema, through llguidance.

Pieces are judged by their bytes, so any vocabulary will do. The grammar is read from the start of the file: where the
text before the cursor does not follow it, it has nothing to say. What follows the cursor is not looked at.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

from fimble.core.errors import InputError, invariant_broken
from fimble.core.flow import GrammarKind, UserGrammar

# Reading the text before the cursor costs about a millisecond a KiB.
_MAX_PREFIX_BYTES = 100_000


class GrammarViability:
    """Judges the pieces of one completion, as `syntax.viable.Viability` does. Not shared between threads."""

    def __init__(self, matcher: Any) -> None:
        """Go on where `matcher` stands."""
        self._matcher = matcher
        # Of each piece taken: its length, and how much of it the matcher has read.
        self._pieces: list[tuple[int, int]] = []

    def viable(self, piece: bytes) -> bool:
        """Whether the grammar allows `piece` here."""
        if self._is_lost:
            return False
        n_read = self._read(piece)
        self._unread(n_read)
        return n_read == len(piece)

    def accept(self, piece: bytes) -> None:
        """Take `piece`. One that is not viable may be taken too; nothing is viable after it."""
        n_read = 0 if self._is_lost else self._read(piece)
        self._pieces.append((len(piece), n_read))

    def skip(self, piece: bytes) -> None:
        """The same: reading is what judging costs, and it cannot be put off."""
        self.accept(piece)

    def pop(self) -> None:
        """Take the last piece back."""
        if not self._pieces:
            invariant_broken("pop() without an accepted piece")
            return
        self._unread(self._pieces.pop()[1])

    def next_bytes(self) -> tuple[int, ...]:
        """The bytes that may come next: none at the grammar's end, and none after a piece that was not viable."""
        if self._is_lost or self._matcher.is_stopped():
            return ()
        # One byte of bias per token, nonzero where it is allowed; the first 256 tokens are the bytes.
        return tuple(byte for byte, bias in enumerate(self._matcher.compute_logit_bias()[:256]) if bias)

    @property
    def _is_lost(self) -> bool:
        return any(n_read < length for length, n_read in self._pieces[-1:])

    def _read(self, piece: bytes) -> int:
        return int(self._matcher.try_consume_tokens(list(piece)))

    def _unread(self, n_bytes: int) -> None:
        if n_bytes:
            self._matcher.rollback(n_bytes)


def viability_by(grammar: UserGrammar, prefix: str) -> GrammarViability | None:
    """A judge that has read `prefix`; None where that is not of the grammar, too long, or llguidance is missing."""
    text = prefix.encode("utf-8", "surrogatepass")
    compiled = _compiled(grammar)
    if compiled is None or len(text) > _MAX_PREFIX_BYTES:
        return None
    llguidance, source = compiled
    matcher = llguidance.LLMatcher(_tokenizer(llguidance), source, log_level=0)
    if matcher.is_error() or matcher.try_consume_tokens(list(text)) < len(text):
        return None
    return GrammarViability(matcher)


def require_usable(grammar: UserGrammar) -> None:
    """Say what is wrong with a grammar, if anything is.

    Raises:
        InputError: it cannot be read, or the extra `grammars` is not installed.
    """
    llguidance = _llguidance()
    if llguidance is None:
        raise InputError("Grammars need the package llguidance.", mend='Install: pip install "fimble[grammars]"')
    wrong = llguidance.LLMatcher.validate_grammar(_source(llguidance, grammar), _tokenizer(llguidance))
    if wrong:
        raise InputError(f"The grammar cannot be used: {str(wrong).strip()}", mend="Correct it, or take it away.")


@lru_cache(maxsize=16)
def _compiled(grammar: UserGrammar) -> tuple[Any, str] | None:
    try:
        require_usable(grammar)
    except InputError:
        return None
    llguidance = _llguidance()
    return llguidance, _source(llguidance, grammar)


def _source(llguidance: Any, grammar: UserGrammar) -> str:
    matcher = llguidance.LLMatcher
    match grammar.kind:
        case GrammarKind.JSON_SCHEMA:
            return str(matcher.grammar_from_json_schema(grammar.text))
        case GrammarKind.GBNF:
            convert = importlib.import_module("llguidance.gbnf_to_lark")
            try:
                return str(matcher.grammar_from_lark(convert.gbnf_to_lark(grammar.text)))
            except Exception as error:  # of no type of its own where a rule is missing
                raise InputError(f"The grammar cannot be used: {error}", mend="Correct it, or take it away.") from error
        case GrammarKind.LARK:
            return str(matcher.grammar_from_lark(grammar.text))


@lru_cache(maxsize=1)
def _llguidance() -> Any:
    try:
        return importlib.import_module("llguidance")
    except ImportError:
        return None


@lru_cache(maxsize=1)
def _tokenizer(llguidance: Any) -> Any:
    return llguidance.LLTokenizer("byte")
