"""Statements that tree-sitter lets stand where the language does not: bodies that declare, and a `break` of nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter

from fimble.syntax.parse import MAX_ANCESTORS, SyntaxTree

_NO_BLANK = re.compile(rb"\S")
_HEADER = re.compile(rb"\b(?:if|else|for|foreach|while|do)\b")
# `if (a) int b = 1;` has no scope to declare it in (JLS 14.5, ECMA-262 Statement, C# embedded_statement).
_DECLARATIONS = frozenset(
    {"local_variable_declaration", "lexical_declaration", "local_declaration_statement", "class_declaration"}
)
_STATEMENT = re.compile(r".*_(?:statement|expression)|else_clause")
_BREAK = re.compile(rb"\b(?:break|continue)\b")
_BREAKS = re.compile(r"(?:break|continue)_(?:statement|expression)")
# Kinds of what a `break` may leave, and of what it may not lead out of.
_LEFT_BY_BREAK = re.compile(
    r"(?:for|while|do|loop|enhanced_for|labeled)_|.*(?:foreach|switch|select|for_range|for_in)_.*"
)
_ENDS_BREAK = re.compile(r".*(?:function|func_|method|lambda|constructor|closure|accessor).*")
# The first token of a statement is also that of so many of its parts at most.
_MAX_PARTS = 12
# So much of the lines below is looked at where they are the block of what is written.
_BLOCK_BYTES = 4_000
_BODIES = ("consequence", "alternative", "body")


def declares_as_body(tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether a declaration is the body of an `if` or a loop, of which either begins between `start` and `end`."""
    first = _NO_BLANK.search(tree.text, start, end)
    begun = _begun_at(tree.root, first.start()) if first else ()
    if any(_is_body(node, node.parent) for node in begun if node.type in _DECLARATIONS):
        return True
    headers = (tree.root.descendant_for_byte_range(*found.span()) for found in _HEADER.finditer(tree.text, start, end))
    return any(_has_declaration_as_body(header.parent) for header in headers if header is not None)


def breaks_out_of_nothing(tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether a `break` or `continue` between `start` and `end`, or in the block that begins there, is in no loop.

    One with a label or a value is taken to be right.
    """
    first = _NO_BLANK.search(tree.text, start, end)
    begun = _begun_at(tree.root, first.start()) if first else ()
    opened = max((node.end_byte for node in begun if _STATEMENT.fullmatch(node.type)), default=end)
    last = min(max(opened, end), end + _BLOCK_BYTES)
    return any(
        _leaves_nothing(tree.root.descendant_for_byte_range(*found.span()))
        for found in _BREAK.finditer(tree.text, start, last)
    )


def _begun_at(root: tree_sitter.Node, at: int) -> Iterator[tree_sitter.Node]:
    """The nodes that begin at a byte, the smallest first; so many as a statement may begin with."""
    node = root.descendant_for_byte_range(at, at + 1)
    for _ in range(_MAX_PARTS):
        if node is None or node.start_byte != at:
            return
        yield node
        node = node.parent


def _leaves_nothing(leaf: tree_sitter.Node | None) -> bool:
    node = leaf.parent if leaf is not None else None
    if node is None or not _BREAKS.fullmatch(node.type) or node.named_child_count:
        return False
    for _ in range(MAX_ANCESTORS):
        parent = node.parent
        if parent is None or _ENDS_BREAK.fullmatch(parent.type):
            # Further right at the top the text is a part of a file, and the loop may lie before it.
            return parent is not None or node.start_point.column == 0
        if parent.is_error or _LEFT_BY_BREAK.match(parent.type):
            return False
        node = parent
    return False


def _has_declaration_as_body(statement: tree_sitter.Node | None) -> bool:
    if statement is None or not _STATEMENT.fullmatch(statement.type):
        return False
    return any(_is_body(child, statement) for child in statement.named_children)


def _is_body(node: tree_sitter.Node, statement: tree_sitter.Node | None) -> bool:
    if statement is None or node.type not in _DECLARATIONS or not _STATEMENT.fullmatch(statement.type):
        return False
    is_named_body = any(statement.child_by_field_name(field) == node for field in _BODIES)
    # `for (...):` in PHP holds any statements.
    has_colon = any(child.type == ":" for child in statement.children)
    return (statement.type == "else_clause" or is_named_body) and not has_colon
