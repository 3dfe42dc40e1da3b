"""What tree-sitter lets stand in Python and Python does not: `a += b += c`, and backquotes as quotes.

A code fence (three backquotes) that a model ends its code with is then the beginning of a string.
"""

from __future__ import annotations

import tree_sitter

from fimble.syntax.parse import SyntaxTree

# tree-sitter finds a parent from the root, so all ancestors in a deep tree would take for ever.
_MAX_ANCESTORS = 200
_ASSIGNMENTS = frozenset({"assignment", "augmented_assignment"})


def has_chained_assignment(root: tree_sitter.Node, start: int, end: int) -> bool:
    """Whether the statement that `start` or `end` lies in assigns in place within another assignment."""
    return any(_is_in_chain(root.descendant_for_byte_range(at, at)) for at in {max(start - 1, 0), max(end - 1, 0), end})


def has_backquoted_string(tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether a string begins between `start` and `end` with a backquote."""
    at = tree.text.find(b"`", start, end)
    while at >= 0:
        node = tree.root.descendant_for_byte_range(at, at + 1)
        if node is not None and node.type == "string_start":
            return True
        at = tree.text.find(b"`", at + 1, end)
    return False


def _is_in_chain(node: tree_sitter.Node | None) -> bool:
    for _ in range(_MAX_ANCESTORS):
        if node is None:
            return False
        parent = node.parent
        kinds = {node.type, parent.type if parent is not None else ""}
        if kinds <= _ASSIGNMENTS and "augmented_assignment" in kinds and node.type in _ASSIGNMENTS:
            return True
        node = parent
    return False
