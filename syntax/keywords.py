"""Reserved words that stand where a name belongs: tree-sitter's keyword extraction lets them through."""

from __future__ import annotations

import re

import tree_sitter

from fimble.syntax.languages import Language

# tree-sitter finds a parent from the root, so all ancestors in a deep tree would take for ever.
_MAX_ANCESTORS = 200
_WORD = re.compile(rb"(?<![\w$\x80-\xff])[A-Za-z]\w*(?![\w$\x80-\xff])")
_NAME_KINDS = frozenset({"identifier", "type_identifier"})
# Inside these any word is a name: macro input, lifetimes, `export {default}`.
_FREE_KINDS = frozenset({"token_tree", "lifetime", "macro_definition", "export_specifier", "import_specifier"})


def misplaced_keyword(language: Language, root: tree_sitter.Node, text: bytes, start: int, end: int) -> bool:
    """Whether a reserved word inside `text[start:end]` was parsed as a name.

    Only words that something follows count: the last one may grow, and is not settled while it is the last token.
    """
    if not language.hard_keywords or _is_in_comment(language, text[:end]):
        return False
    n_settled = start + len(text[start:end].rstrip())
    for matched in _WORD.finditer(text, start, end):
        if matched.group() in language.hard_keywords and matched.end() < n_settled and _is_name(root, *matched.span()):
            return True
    return False


def _is_in_comment(language: Language, text: bytes) -> bool:
    """Whether a block comment is open at the end; its words may have been parsed as code."""
    if language.block_comment is None:
        return False
    opener, closer = (marker.encode() for marker in language.block_comment)
    return text.rfind(opener) > text.rfind(closer)


def _is_name(root: tree_sitter.Node, start: int, end: int) -> bool:
    leaf = root.descendant_for_byte_range(start, end)
    if leaf is None or leaf.type not in _NAME_KINDS or leaf.byte_range != (start, end):
        return False
    node = leaf.parent
    if node is not None and node.is_error:
        return False  # not settled yet what it is a part of
    for _ in range(_MAX_ANCESTORS):
        if node is None:
            return True
        if node.type in _FREE_KINDS:
            return False
        node = node.parent
    return False
