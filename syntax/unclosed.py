"""Brackets and blocks that a file leaves open: one that is still being written, where no editor closes them."""

from __future__ import annotations

from typing import Final

import tree_sitter

from fimble.syntax.languages import Language

_BRACKETS: Final = {"(": ")", "[": "]", "{": "}"}
# What is open in more places than this is not merely unfinished.
_MAX_OPEN: Final = 12


def closers_at_end(language: Language, root: tree_sitter.Node) -> bytes:
    """What closes all that the parser found no closers for, innermost first; nothing where closers have no openers.

    Only what is wrong is looked at: within a node without an error everything is closed.
    """
    words = dict(language.word_blocks)
    closer_of = _BRACKETS | words
    closers = frozenset(closer_of.values())
    is_open: list[str] = []
    pending = [root]
    while pending:
        node = pending.pop()
        if node.child_count and node.has_error:
            pending.extend(reversed(node.children))
        elif node.is_named or node.is_missing:
            continue
        elif node.type in closer_of:
            is_open.append(closer_of[node.type])
        elif node.type in closers and (not is_open or is_open.pop() != node.type):
            return b""
    if len(is_open) > _MAX_OPEN:
        return b""
    due = reversed(is_open)
    return "".join(f"\n{closer}\n" if closer in words.values() else closer for closer in due).encode()
