"""What tree-sitter lets stand and the language does not: Python's `a += b += c`, backquotes as quotes, late imports.

Also line ends before Go's closing brackets, and modifiers in JavaScript's object literals.

A code fence (three backquotes) that a model ends its code with is then the beginning of a string.
"""

from __future__ import annotations

import re

import tree_sitter

from fimble.syntax.parse import SyntaxTree

# tree-sitter finds a parent from the root, so all ancestors in a deep tree would take for ever.
_MAX_ANCESTORS = 200
# C#'s `namespace A;` may stand above `using B;`, and types may not stand above it.
_BESIDE_IMPORTS = frozenset({"file_scoped_namespace_declaration"})
_NO_BLANK = re.compile(rb"\S")
_MODIFIER = re.compile(rb"\b(?:static|public|private|protected|readonly|override)\b")
_MODIFIER_KIND = re.compile(rf"{_MODIFIER.pattern.decode()}|(?:accessibility|override)_modifier")
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


def modifies_object_member(tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether a modifier between `start` and `end`, such as `static`, is that of a method of an object, not of a class
    (ECMA-262, ObjectLiteral).
    """
    return any(
        _is_modifier_in_object(tree.root.descendant_for_byte_range(*found.span()))
        for found in _MODIFIER.finditer(tree.text, start, end)
    )


def puts_code_above_imports(root: tree_sitter.Node, head_kinds: frozenset[str], start: int, end: int) -> bool:
    """Whether something that begins between `start` and `end` stands above what only a file's head may hold."""
    cursor = root.walk()  # `first_child_for_byte` crashes behind the last child (tree-sitter 0.26.1)
    has_code = False
    is_at_child = cursor.goto_first_child_for_byte(start) is not None
    while is_at_child and (child := cursor.node) is not None:
        if not _means_nothing(child):
            if child.start_byte >= end:
                return has_code and child.type in head_kinds
            has_code |= child.start_byte >= start and child.type not in head_kinds | _BESIDE_IMPORTS
        is_at_child = cursor.goto_next_sibling()
    return False


def lacks_comma_at_line_end(tree: SyntaxTree, kinds: frozenset[str], start: int, end: int) -> bool:
    """Whether a bracket of these kinds closes on another line than what it holds ends on, with no comma between.

    Brackets between `start` and `end` are looked at, and one that comes next. Go puts a `;` at such a line end
    (go.dev/ref/spec, Semicolons).
    """
    comes_next = _NO_BLANK.search(tree.text, end)
    places = [at for at in range(start, end) if tree.text[at] in b")]}"] + ([comes_next.start()] if comes_next else [])
    return any(_is_behind_line_end(tree.root.descendant_for_byte_range(at, at + 1), kinds) for at in places)


def _is_behind_line_end(node: tree_sitter.Node | None, kinds: frozenset[str]) -> bool:
    if node is None or node.type not in {")", "]", "}"} or node.parent is None or node.parent.type not in kinds:
        return False
    before = node.prev_sibling
    while before is not None and before.is_extra:
        before = before.prev_sibling
    if before is None or before.type in {",", "(", "[", "{"}:
        return False
    return before.end_point.row < node.start_point.row


def _is_modifier_in_object(node: tree_sitter.Node | None) -> bool:
    while node is not None and _MODIFIER_KIND.fullmatch(node.type):
        node = node.parent
    if node is None or node.type != "method_definition":
        return False
    return node.parent is not None and node.parent.type == "object"


def _means_nothing(node: tree_sitter.Node) -> bool:
    return node.is_extra or not node.is_named or node.type.startswith("preproc")


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
