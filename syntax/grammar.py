"""Loads tree-sitter grammars, each once, when first needed."""

from __future__ import annotations

import importlib
import logging
import re
from functools import cache

import tree_sitter

from fimble.syntax.languages import GrammarSource, Language
from fimble.syntax.respelling import respelled

_log = logging.getLogger(__name__)
_WORD = re.compile(r"[^\W\d]\w*\Z")
_HAS_WORD = re.compile(rb"\w")
_HAS_SIGN = re.compile(rb"[^\w\s]")

_MEANS_NOTHING = b" \t\r\n\f;"


class Grammar:
    """One language's grammar and the tables that are derived from it. Shared between threads; parsers are not."""

    def __init__(self, source: GrammarSource) -> None:
        """Load the grammar.

        Raises:
            ImportError, AttributeError: its package is missing or is not what was declared.
            ValueError: its ABI does not fit the installed tree-sitter.
        """
        pointer: object = getattr(importlib.import_module(source.module), source.function)()
        self.ts_language = tree_sitter.Language(pointer)
        self._end_padding = source.end_padding
        self._respellings = source.respellings
        self._stops_early = source.stops_early
        kinds = [
            self.ts_language.node_kind_for_id(kind_id)
            for kind_id in range(self.ts_language.node_kind_count)
            if self.ts_language.node_kind_is_visible(kind_id) and not self.ts_language.node_kind_is_named(kind_id)
        ]
        self.literals = frozenset(kind.encode() for kind in kinds if kind)
        self.word_literals = frozenset(kind.encode() for kind in kinds if kind and _WORD.match(kind))
        # Such as Java's `non-sealed`: cut in the middle they are read as a name and an operator.
        self.mixed_literals = frozenset(
            literal for literal in self.literals if _HAS_WORD.search(literal) and _HAS_SIGN.search(literal)
        )
        self._lookaheads: dict[int, frozenset[bytes]] = {}

    def new_parser(self) -> tree_sitter.Parser:
        """A parser of its own for the caller: parsers may not be shared between threads."""
        return tree_sitter.Parser(self.ts_language)

    def parser_input(self, text: bytes) -> memoryview:
        """What a parser must be given for `text`. Trees may reach beyond the text by the padding's length."""
        return memoryview(self.respelled(text) + self._end_padding)

    def respelled(self, text: bytes) -> bytes:
        """The text with what the grammar lacks in other words, which are as long; itself where there is nothing."""
        return respelled(text, self._respellings)

    def unread_from(self, text: bytes, root: tree_sitter.Node) -> int | None:
        """Where code begins that no node covers, to the end of the text; None if there is none."""
        if not self._stops_early:
            return None
        last = root.child(root.child_count - 1) if root.child_count else None
        read_to = last.end_byte if last is not None else 0
        return read_to if text[read_to:].strip(_MEANS_NOTHING) else None

    def lookaheads(self, state: int) -> frozenset[bytes]:
        """Names of the terminals that a parse state has any action for.

        States are merged (LALR), so this may name terminals that the stack below would refuse later.
        """
        names = self._lookaheads.get(state)
        if names is None:
            iterator = self.ts_language.lookahead_iterator(state)
            names = frozenset(name.encode() for name in iterator.names()) if iterator else frozenset[bytes]()
            self._lookaheads[state] = names
        return names


def grammar_for(language: Language) -> Grammar | None:
    """The language's grammar; None if it has none, or if it cannot be loaded (logged once)."""
    return _load(language.grammar) if language.grammar else None


@cache
def _load(source: GrammarSource) -> Grammar | None:
    try:
        return Grammar(source)
    except (ImportError, AttributeError, ValueError, OSError):
        _log.exception("the grammar %s cannot be loaded; its files get no syntax checks", source.module)
        return None
