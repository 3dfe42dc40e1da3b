"""Text -> Outline: parses a file and hands its tree to the reader of its language."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from tree_sitter import Node

from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import BlockStyle, Language
from fimble.syntax.outline.model import Outline
from fimble.syntax.outline.source import Source
from fimble.syntax.parse import parse

# Outlines are read in the background: the largest files that count may take their time.
_MAX_WORK_UNITS = 40_000
_MAX_MISSING_BRACES = 12

_READERS = {
    "python": "python",
    "javascript": "script",
    "typescript": "script",
    "typescriptreact": "script",
    "java": "java",
    "csharp": "csharp",
    "go": "go",
    "rust": "rust",
    "c": "c",
    "cpp": "c",
}


def has_outlines(language: Language) -> bool:
    """Whether files of this language can be outlined."""
    return language.name in _READERS


def outline_of(language: Language, text: str) -> Outline:
    """The outline of a file; empty for other languages, and for files that take too much work. Never raises.

    Broken code gives the outline of what can be read in it.
    """
    module = _READERS.get(language.name)
    grammar = grammar_for(language) if module else None
    if module is None or grammar is None:
        return Outline()
    # Readers see one kind of line end; an outline holds lines and no offsets, so nothing in it moves.
    raw = text.replace("\r\n", "\n").encode("utf-8", "replace")
    tree = parse(grammar, raw, max_work_units=_MAX_WORK_UNITS)
    if tree is not None and tree.root.has_error and language.block_style is BlockStyle.BRACES:
        # In a file that is being written the brace of a class may be missing, and with it the class.
        n_missing = raw.count(b"{") - raw.count(b"}")
        if 0 < n_missing <= _MAX_MISSING_BRACES:
            closed = parse(grammar, raw + b"\n" + b"}" * n_missing, max_work_units=_MAX_WORK_UNITS)
            tree = closed or tree
    if tree is None:
        return Outline()
    read: Callable[[Node, Source], Outline] = import_module(f"fimble.syntax.outline.{module}").read
    return read(tree.root, Source(raw))
