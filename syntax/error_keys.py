"""Errors of a tree by their places, so that those of two texts can be compared.

Positions are compared from whichever end of the file the hole does not move, so an old error keeps its key.
"""

from __future__ import annotations

from dataclasses import dataclass

import tree_sitter

from fimble.syntax.parse import SyntaxTree

# In place of a node's symbol, where text that was not read has none.
_UNREAD = -1


@dataclass(frozen=True, slots=True)
class ErrorKey:
    """An ERROR or MISSING node, or what the parser left unread.

    Places are offsets from the start, or from the end (negative, the end being -1).
    None stands for a place inside the completion.
    """

    start: int | None
    end: int | None
    is_missing: bool
    symbol: int


def error_keys(tree: SyntaxTree, hole_start: int, hole_end: int) -> frozenset[ErrorKey]:
    """Keys of all errors of a text whose completion stands from `hole_start` to `hole_end`."""
    n_bytes = len(tree.text)

    def place(offset: int) -> int | None:
        if offset <= hole_start:
            return offset
        return offset - n_bytes - 1 if offset >= hole_end else None

    keys = frozenset(
        ErrorKey(place(node.start_byte), place(node.end_byte), node.is_missing, node.grammar_id)
        for node in error_nodes(tree.root)
    )
    return keys if tree.unread_from is None else keys | {ErrorKey(place(tree.unread_from), -1, False, _UNREAD)}


def error_nodes(root: tree_sitter.Node) -> list[tree_sitter.Node]:
    """Every ERROR and MISSING node; for a missing token without a node of its own, a line end say, what lacks it."""
    found: list[tree_sitter.Node] = []
    pending = [root] if root.has_error else []
    while pending:
        node = pending.pop()
        below = [child for child in node.children if child.has_error]
        if node.is_error or node.is_missing or not below:
            found.append(node)
        pending.extend(below)
    return found
