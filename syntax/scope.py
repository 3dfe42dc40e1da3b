"""Where in the code a cursor stands: what encloses it, where its statement and block end, does a block begin there?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import tree_sitter

from fimble.core.position import ByteOffset
from fimble.syntax.indent import read_lines
from fimble.syntax.languages import BlockStyle, Language
from fimble.syntax.parse import SyntaxTree

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_EXPRESSION_IN_STRING = frozenset({"interpolation", "template_substitution", "expansion", "command_substitution"})
_QUOTED_KINDS = frozenset({"char_literal", "character_literal", "rune_literal", "regex", "quoted_attribute_value"})
# Kinds whose children are statements, members or elements of a block.
_BLOCK_KINDS = frozenset(
    {
        "block",
        "statement_block",
        "compound_statement",
        "class_body",
        "interface_body",
        "enum_body",
        "declaration_list",
        "field_declaration_list",
        "function_body",
        "constructor_body",
        "switch_body",
        "switch_block",
        "match_block",
        "do_group",
        "body_statement",
        "do_block",
        "object",
        "object_type",
        "element",
        "jsx_element",
    }
)
_ROOT_KINDS = frozenset({"module", "program", "source_file", "translation_unit", "compilation_unit", "document"})
# tree-sitter finds a parent from the root, so all ancestors in a deep tree would take for ever.
_MAX_ANCESTORS = 200
# Enough of the text before the cursor to know its last lines; a string opened further above is not seen.
_LINES_BYTES = 4_000
_END_STYLE_OPENER = re.compile(
    r"(?:^|[\s;])(?:do|then|else|begin|ensure)(?:\s*\|[^|]*\|)?$"
    r"|^\s*(?:def|class|module|if|unless|while|until|case|when|rescue|elsif|for)\b[^;]*$"
    r"|\)\s*\{$|^\s*[\w*\"'|. -]+\)$"
)
_END_STYLE_CLOSER = re.compile(r"(?:end|fi|done|esac|;;|\})(?!\w)")
_VOID_TAGS = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_OPENING_TAG = re.compile(r"<([A-Za-z][\w.:-]*)(?:\s[^<>]*)?>$")


class Place(StrEnum):
    """What kind of text a cursor stands in."""

    CODE = "code"
    STRING = "string"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class CursorScope:
    """`node_kind` is tree-sitter's name of the smallest node around the cursor, `enclosing_kinds` go outward from it.

    `statement_end` and `block_end` are None where no statement or block encloses the cursor.
    """

    node_kind: str
    enclosing_kinds: tuple[str, ...]
    place: Place
    statement_end: ByteOffset | None
    block_end: ByteOffset | None


def cursor_scope(tree: SyntaxTree, cursor: ByteOffset) -> CursorScope:
    """What encloses `cursor` in a text. The cursor belongs to the line comment that ends at it."""
    innermost = _smallest_around(tree.root, cursor)
    path = _path_up(innermost)
    statement = next((node for node in path if node.parent is not None and _is_block(node.parent)), None)
    block = next((node for node in path if node.type in _BLOCK_KINDS), None)
    return CursorScope(
        node_kind=innermost.type,
        enclosing_kinds=tuple(node.type for node in path[1:]),
        place=_place(tree, path, cursor),
        statement_end=ByteOffset(statement.end_byte) if statement else None,
        block_end=ByteOffset(block.end_byte) if block else None,
    )


# Put in at a cursor, it makes a hole something that a grammar has a name for.
PLACEHOLDER = b"x"


def kind_of_hole(tree: SyntaxTree, cursor: ByteOffset) -> str:
    """tree-sitter's name of what a completion at `cursor` is part of, in a text with PLACEHOLDER put in there.

    A bare name tells nothing, so what holds it is told: `call`, `return_statement`, `block`, `string_content`.
    """
    node = tree.root.named_descendant_for_byte_range(cursor, cursor + len(PLACEHOLDER)) or tree.root
    is_name = not node.named_child_count and _IDENTIFIER.fullmatch(_text_of(tree, node)) is not None
    if is_name and node.type not in ("string_content", "string_fragment", "comment"):
        start, end = node.start_byte, node.end_byte
        while node.parent is not None and (node.start_byte, node.end_byte) == (start, end):
            node = node.parent
    return node.type


def _text_of(tree: SyntaxTree, node: tree_sitter.Node) -> str:
    return tree.text[node.start_byte : node.end_byte].decode("utf-8", "replace")


def first_statement_end(tree: SyntaxTree, start: ByteOffset, end: ByteOffset) -> ByteOffset | None:
    """Where the first statement that begins in `[start, end)` ends, if it ends by `end` and has no error."""
    statement = _first_statement(tree.root, start, end)
    if statement is None or statement.end_byte > end or statement.has_error:
        return None
    return ByteOffset(statement.end_byte)


def first_identifier(text: str) -> str | None:
    """The first name in `text`; a cursor inside a name sees the rest of it."""
    matched = _IDENTIFIER.search(text)
    return matched.group() if matched else None


def begins_block(language: Language, prefix: str, suffix: str) -> bool:
    """Whether the cursor stands where the body of a block begins, and the body is still empty.

    So it does at the end of a header (`def f():`, `for (...) {`) and on the line after it.
    """
    rest_of_line = suffix.split("\n", 1)[0].strip()
    head = prefix[-_LINES_BYTES:].rstrip()
    following = suffix.lstrip()
    if language.block_style is BlockStyle.INDENT:
        return not rest_of_line and _begins_indented_block(prefix, suffix)
    if language.block_style is BlockStyle.BRACES:
        is_empty = not rest_of_line.strip(")}];,") and (not following or following[0] in ")}];,")
        return is_empty and head.endswith("{")
    if language.block_style is BlockStyle.END:
        last_line = head.rsplit("\n", 1)[-1]
        is_empty = not following or _END_STYLE_CLOSER.match(following) is not None
        return is_empty and _END_STYLE_OPENER.search(last_line) is not None
    if language.block_style is BlockStyle.TAGS:
        opened = _OPENING_TAG.search(head)
        is_open = opened is not None and opened[1].lower() not in _VOID_TAGS and not head.endswith("/>")
        return is_open and (not following or following.startswith("</"))
    return False


def _first_statement(node: tree_sitter.Node, start: int, end: int) -> tree_sitter.Node | None:
    for child in node.named_children:
        if child.start_byte >= end:
            return None
        if child.end_byte <= start or child.is_extra:
            continue
        if child.start_byte >= start and _is_block(node) and not _is_block(child):
            return child
        if (found := _first_statement(child, start, end)) is not None:
            return found
    return None


def _begins_indented_block(prefix: str, suffix: str) -> bool:
    window = prefix[-_LINES_BYTES:]
    if len(window) < len(prefix):
        window = window[window.find("\n") + 1 :]
    above = read_lines(window.encode("utf-8", "surrogatepass") + b"\n")
    if not above.state.after_header or above.state.n_open_brackets or not above.line_starts:
        return False
    header_column = _column_at(window.encode("utf-8", "surrogatepass"), above.line_starts[-1])
    for line in suffix.split("\n")[1:]:
        if line.strip():
            return len(line) - len(line.lstrip()) <= header_column
    return True


def _column_at(text: bytes, at: int) -> int:
    return at - (text.rfind(b"\n", 0, at) + 1)


def _smallest_around(root: tree_sitter.Node, cursor: int) -> tree_sitter.Node:
    """The smallest named node that holds the cursor, taking what ends at it before what begins after it."""
    found = root.named_descendant_for_byte_range(max(cursor - 1, 0), max(cursor - 1, 0))
    if found is None or found.end_byte < cursor:
        found = root.named_descendant_for_byte_range(cursor, cursor)
    return found or root


def _path_up(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    path = [node]
    while len(path) < _MAX_ANCESTORS and (parent := path[-1].parent) is not None:
        path.append(parent)
    return path


def _is_block(node: tree_sitter.Node) -> bool:
    return node.type in _BLOCK_KINDS or node.type in _ROOT_KINDS or node.type == "statement_list"


def _place(tree: SyntaxTree, path: list[tree_sitter.Node], cursor: int) -> Place:
    for node in path:
        is_inside = node.start_byte < cursor < node.end_byte
        if "comment" in node.type:
            text = tree.text[node.start_byte : node.end_byte]
            if is_inside or (cursor == node.end_byte and not text.endswith((b"*/", b"-->", b"\n"))):
                return Place.COMMENT
        if is_inside and node.type in _EXPRESSION_IN_STRING:
            return Place.CODE
        if is_inside and ("string" in node.type or "heredoc" in node.type or node.type in _QUOTED_KINDS):
            return Place.STRING
    return Place.CODE
