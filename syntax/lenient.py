"""What tree-sitter lets stand and the language does not: a table of rules, each for some languages.

Python's `a += b += c` and backquotes as quotes (a model ends its code with a fence of three, which begins a string
then), imports below code, line ends before Go's closing brackets, modifiers in JavaScript's object literals, reserved
words as names (`keywords.py`), and statements (`statements.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import tree_sitter

from fimble.syntax.keywords import misplaced_keyword
from fimble.syntax.languages import BlockStyle, Language
from fimble.syntax.parse import MAX_ANCESTORS, SyntaxTree
from fimble.syntax.statements import breaks_out_of_nothing, declares_as_body

# C#'s `namespace A;` may stand above `using B;`, and types may not stand above it.
_BESIDE_IMPORTS = frozenset({"file_scoped_namespace_declaration"})
_NO_BLANK = re.compile(rb"\S")
_MODIFIER = re.compile(rb"\b(?:static|public|private|protected|readonly|override)\b")
_MODIFIER_KIND = re.compile(rf"{_MODIFIER.pattern.decode()}|(?:accessibility|override)_modifier")
_ASSIGNMENTS = frozenset({"assignment", "augmented_assignment"})


def breaks_a_rule(language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether what stands between `start` and `end` breaks one of the language's rules that its grammar leaves out."""
    return any(is_broken(language, tree, start, end) for is_broken in _RULES)


def _has_misplaced_keyword(language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    # One byte more: a keyword that touches the end is finished, unless the suffix goes on with it.
    return misplaced_keyword(language, tree.root, tree.text, start, min(end + 1, len(tree.text)))


def _puts_code_above_imports(language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether something that begins between `start` and `end` stands above what only a file's head may hold."""
    head_kinds = language.head_kinds
    if not head_kinds:
        return False
    cursor = tree.root.walk()  # `first_child_for_byte` crashes behind the last child (tree-sitter 0.26.1)
    has_code = False
    is_at_child = cursor.goto_first_child_for_byte(start) is not None
    while is_at_child and (child := cursor.node) is not None:
        if not _means_nothing(child):
            if child.start_byte >= end:
                return has_code and child.type in head_kinds
            has_code |= child.start_byte >= start and child.type not in head_kinds | _BESIDE_IMPORTS
        is_at_child = cursor.goto_next_sibling()
    return False


def _lacks_comma_at_line_end(language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether one of `Language.comma_kinds` closes on another line than what it holds ends on, with no comma between.

    Brackets between `start` and `end` are looked at, and one that comes next. Go puts a `;` at such a line end
    (go.dev/ref/spec, Semicolons).
    """
    if not language.comma_kinds:
        return False
    comes_next = _NO_BLANK.search(tree.text, end)
    places = [at for at in range(start, end) if tree.text[at] in b")]}"] + ([comes_next.start()] if comes_next else [])
    return any(
        _is_behind_line_end(tree.root.descendant_for_byte_range(at, at + 1), language.comma_kinds) for at in places
    )


def _modifies_object_member(_language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether a modifier, such as `static`, is that of a method of an object, not of a class
    (ECMA-262, ObjectLiteral).
    """
    return any(
        _is_modifier_in_object(tree.root.descendant_for_byte_range(*found.span()))
        for found in _MODIFIER.finditer(tree.text, start, end)
    )


def _declares_as_body(_language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    return declares_as_body(tree, start, end)


def _breaks_out_of_nothing(language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    # Elsewhere in a broken file the loop may be what is broken.
    return language.breaks_leave_loops and tree.is_clean and breaks_out_of_nothing(tree, start, end)


def _has_chained_assignment(language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether the statement that `start` or `end` lies in assigns in place within another assignment."""
    if language.block_style is not BlockStyle.INDENT:
        return False
    places = {max(start - 1, 0), max(end - 1, 0), end}
    return any(_is_in_chain(tree.root.descendant_for_byte_range(at, at)) for at in places)


def _has_backquoted_string(language: Language, tree: SyntaxTree, start: int, end: int) -> bool:
    """Whether a string begins with a backquote."""
    if language.block_style is not BlockStyle.INDENT:
        return False
    at = tree.text.find(b"`", start, end)
    while at >= 0:
        node = tree.root.descendant_for_byte_range(at, at + 1)
        if node is not None and node.type == "string_start":
            return True
        at = tree.text.find(b"`", at + 1, end)
    return False


_RULES: Final[tuple[Callable[[Language, SyntaxTree, int, int], bool], ...]] = (
    _has_misplaced_keyword,
    _puts_code_above_imports,
    _lacks_comma_at_line_end,
    _modifies_object_member,
    _declares_as_body,
    _breaks_out_of_nothing,
    _has_chained_assignment,
    _has_backquoted_string,
)


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
    for _ in range(MAX_ANCESTORS):
        if node is None:
            return False
        parent = node.parent
        kinds = {node.type, parent.type if parent is not None else ""}
        if kinds <= _ASSIGNMENTS and "augmented_assignment" in kinds and node.type in _ASSIGNMENTS:
            return True
        node = parent
    return False
