"""Reserved words that stand where a name belongs: tree-sitter's keyword extraction lets them through."""

from __future__ import annotations

import re

import tree_sitter

from fimble.syntax.languages import Language
from fimble.syntax.parse import MAX_ANCESTORS

# So many strings and line comments that hold what opens a comment are looked at, no more.
_MAX_OPENERS = 200
_WORD = re.compile(rb"(?<![\w$\x80-\xff])[A-Za-z]\w*(?![\w$\x80-\xff])")
_NAME_KINDS = frozenset({"identifier", "type_identifier"})
# Inside these any word is a name: macro input, lifetimes, `export {default}`.
_FREE_KINDS = frozenset({"token_tree", "lifetime", "macro_definition", "export_specifier", "import_specifier"})


def misplaced_keyword(language: Language, root: tree_sitter.Node, text: bytes, start: int, end: int) -> bool:
    """Whether a reserved word inside `text[start:end]` was parsed as a name.

    Only words that something follows count: the last one may grow, and is not settled while it is the last token.
    """
    n_settled = start + len(text[start:end].rstrip())
    for matched in _WORD.finditer(text, start, end) if language.hard_keywords else ():
        if matched.group() in language.hard_keywords and matched.end() < n_settled and _is_name(root, *matched.span()):
            return not _is_in_comment(language, root, text, end)
    return False


def _is_in_comment(language: Language, root: tree_sitter.Node, text: bytes, end: int) -> bool:
    """Whether a block comment is open at `end`; its words may have been parsed as code.

    What looks like an opener is none where the parser took it into a string or a line comment.
    """
    if language.block_comment is None:
        return False
    opener = language.block_comment[0].encode()
    at = end
    for _ in range(_MAX_OPENERS):
        at = text.rfind(opener, 0, at)
        if at < 0:
            return False
        leaf = root.descendant_for_byte_range(at, at + 1)
        around = leaf if leaf is None or leaf.is_named else leaf.parent
        if leaf is None or around is None:
            return True
        if "comment" in around.type:
            if text.startswith(opener, around.start_byte):
                return False  # one that is closed
        elif leaf.is_error or leaf.child_count or (leaf is not around and leaf.start_byte == at):
            return True  # characters that are no token, or operators
    return False


def _is_name(root: tree_sitter.Node, start: int, end: int) -> bool:
    leaf = root.descendant_for_byte_range(start, end)
    if leaf is None or leaf.type not in _NAME_KINDS or leaf.byte_range != (start, end):
        return False
    node = leaf.parent
    if node is not None and node.is_error:
        return False  # not settled yet what it is a part of
    for _ in range(MAX_ANCESTORS):
        if node is None:
            return True
        if node.type in _FREE_KINDS:
            return False
        node = node.parent
    return False
