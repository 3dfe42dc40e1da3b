"""What tree-sitter lets stand and the language does not.

Python's `a += b += c` and backquotes as quotes, imports below code, line ends before Go's closing brackets, modifiers
in JavaScript's object literals, declarations that are all of an `if`'s or loop's body, a `break` that leaves nothing.

A code fence (three backquotes) that a model ends its code with is then the beginning of a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter

from fimble.syntax.parse import SyntaxTree

# tree-sitter finds a parent from the root, so all ancestors in a deep tree would take for ever.
_MAX_ANCESTORS = 200
# C#'s `namespace A;` may stand above `using B;`, and types may not stand above it.
_BESIDE_IMPORTS = frozenset({"file_scoped_namespace_declaration"})
_NO_BLANK = re.compile(rb"\S")
_MODIFIER = re.compile(rb"\b(?:static|public|private|protected|readonly|override)\b")
_MODIFIER_KIND = re.compile(rf"{_MODIFIER.pattern.decode()}|(?:accessibility|override)_modifier")
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
    for _ in range(_MAX_ANCESTORS):
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
