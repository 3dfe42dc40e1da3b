"""Pieces of code that make telling gaps: calls, bodies, signatures, properties, imports, conditions, literals, errors.

The kinds are those that "Improving FIM Code Completions via Context & Curriculum Based Learning" (arXiv 2412.16589)
found completion models to fail on. Knows nothing of difficulty, sampling or training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import tree_sitter

from fimble.core.position import ByteOffset
from fimble.syntax.parse import SyntaxTree


class HoleKind(StrEnum):
    """What kind of code a gap holds."""

    CALL = "call"
    FUNCTION_BODY = "function_body"
    CLASS_BODY = "class_body"
    SIGNATURE = "signature"
    PROPERTY = "property"
    IMPORT = "import"
    CONDITION = "condition"
    LITERAL = "literal"
    ERROR_HANDLING = "error_handling"
    RANDOM = "random"  # not found by syntax: cut anywhere


@dataclass(frozen=True, slots=True)
class Hole:
    """A gap `[start, end)`; `depth` counts the nodes above it."""

    kind: HoleKind
    start: ByteOffset
    end: ByteOffset
    depth: int


_CALLS = frozenset(
    {
        "call",  # Python, Ruby
        "call_expression",
        "new_expression",
        "method_invocation",
        "object_creation_expression",
        "invocation_expression",
        "macro_invocation",
    }
)
_FUNCTIONS = frozenset(
    {
        "function_definition",
        "function_declaration",
        "generator_function_declaration",
        "method_definition",
        "method_declaration",
        "constructor_declaration",
        "function_item",
        "arrow_function",
        "function_expression",
        "func_literal",
        "local_function_statement",
        "method",
        "singleton_method",
    }
)
_CLASSES = frozenset(
    {
        "class_definition",
        "class_declaration",
        "abstract_class_declaration",
        "class_specifier",
        "struct_specifier",
        "interface_declaration",
        "enum_declaration",
        "enum_specifier",
        "enum_item",
        "struct_item",
        "struct_declaration",
        "record_declaration",
        "impl_item",
        "trait_item",
        "class",
        "module",
    }
)
# The node and the field that holds the name after the dot.
_PROPERTIES = {
    "attribute": "attribute",
    "member_expression": "property",
    "selector_expression": "field",
    "field_expression": "field",
    "field_access": "field",
    "member_access_expression": "name",
}
_IMPORTS = frozenset(
    {
        "import_statement",
        "import_from_statement",
        "import_declaration",
        "use_declaration",
        "preproc_include",
        "using_directive",
    }
)
_LITERALS = frozenset(
    {
        "dictionary",
        "list",
        "set",
        "object",
        "array",
        "literal_value",
        "array_expression",
        "initializer_list",
        "array_initializer",
        "field_initializer_list",
        "initializer_expression",
        "hash",
    }
)
_ERROR_HANDLING = frozenset(
    {
        "except_clause",
        "finally_clause",
        "raise_statement",
        "catch_clause",
        "throw_statement",
        "throw_expression",
        "rescue",
        "ensure",
    }
)
_SIGNATURE_PARTS = ("parameters", "return_type", "result", "type_parameters")
_MAX_DEPTH = 150


def find_holes(tree: SyntaxTree) -> Iterator[Hole]:
    """Every gap of a known kind in a text, in the order in which they begin. Nodes with errors in them give none.

    Gaps of one kind may lie in those of another; the root itself is never one.
    """
    stack = [(tree.root, 0)]
    while stack:
        node, depth = stack.pop()
        for kind, start, end in _of(node, tree.text):
            if start < end and tree.text[start:end].strip():
                yield Hole(kind, ByteOffset(start), ByteOffset(end), depth)
        if depth < _MAX_DEPTH:
            stack.extend((child, depth + 1) for child in reversed(node.named_children))


def _of(node: tree_sitter.Node, text: bytes) -> Iterator[tuple[HoleKind, int, int]]:
    kind = node.type
    if node.parent is None or node.has_error or node.is_missing:
        return
    if kind in _CALLS:
        yield HoleKind.CALL, node.start_byte, node.end_byte
    if kind in _FUNCTIONS:
        yield from _span(HoleKind.FUNCTION_BODY, _inside(node.child_by_field_name("body")))
        yield from _span(HoleKind.SIGNATURE, _signature(node))
    elif kind in _CLASSES:
        yield from _span(HoleKind.CLASS_BODY, _inside(node.child_by_field_name("body")))
    elif kind in _PROPERTIES:
        name = node.child_by_field_name(_PROPERTIES[kind])
        if name is not None and text[name.start_byte - 1 : name.start_byte] in (b".", b">"):
            yield HoleKind.PROPERTY, name.start_byte, name.end_byte
    elif kind in _IMPORTS:
        yield from _span(HoleKind.IMPORT, _after_keyword(node, text))
    elif kind in _LITERALS:
        if node.named_child_count >= 2:
            yield from _span(HoleKind.LITERAL, _inside(node))
    elif kind in _ERROR_HANDLING or (kind == "if_statement" and _checks_go_error(node, text)):
        yield from _span(HoleKind.ERROR_HANDLING, _after_keyword(node, text))
    condition = node.child_by_field_name("condition")
    if condition is not None and kind != "conditional_expression":
        bare = condition.type == "parenthesized_expression" and condition.named_child_count == 1
        yield from _span(HoleKind.CONDITION, _inside(condition) if bare else (condition.start_byte, condition.end_byte))


def _span(kind: HoleKind, found: tuple[int, int] | None) -> Iterator[tuple[HoleKind, int, int]]:
    if found is not None:
        yield kind, *found


def _inside(node: tree_sitter.Node | None) -> tuple[int, int] | None:
    """From the first named child to the last: what a user writes between brackets that the editor has closed."""
    if node is None or not node.named_child_count:
        return None
    return node.named_children[0].start_byte, node.named_children[-1].end_byte


def _signature(node: tree_sitter.Node) -> tuple[int, int] | None:
    """Name, parameters and result of a named function; C and its kin keep all but the result in the declarator."""
    declarator = node.child_by_field_name("declarator")
    if declarator is not None:
        return declarator.start_byte, declarator.end_byte
    name = node.child_by_field_name("name")
    if name is None:
        return None
    ends = [part.end_byte for field in _SIGNATURE_PARTS if (part := node.child_by_field_name(field)) is not None]
    return (name.start_byte, max(ends)) if ends else None


def _after_keyword(node: tree_sitter.Node, text: bytes) -> tuple[int, int] | None:
    """The node behind its first word, without a line end that the grammar counts in."""
    start, end = node.start_byte, node.end_byte
    code = text[start:end].rstrip()
    blank = min((at for at in (code.find(b" "), code.find(b"\n")) if at >= 0), default=-1)
    return (start + blank + 1, start + len(code)) if blank > 0 else None


def _checks_go_error(node: tree_sitter.Node, text: bytes) -> bool:
    condition = node.child_by_field_name("condition")
    return condition is not None and text[condition.start_byte : condition.end_byte] in (b"err != nil", b"nil != err")
