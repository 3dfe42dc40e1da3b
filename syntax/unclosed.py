"""Brackets, blocks and tags that a file leaves open: one that is still being written, where no editor closes them."""

from __future__ import annotations

import re
from typing import Final

import tree_sitter

from fimble.syntax.languages import Language
from fimble.syntax.parse import SyntaxTree

_OPENING_TAGS: Final = frozenset({"start_tag", "jsx_opening_element"})
_CLOSING_TAGS: Final = frozenset({"end_tag", "jsx_closing_element"})
_TAG_NAME: Final = re.compile(rb"<\s*/?\s*([\w.:-]*)")
_BRACKETS: Final = {"(": ")", "[": "]", "{": "}"}
# What is open in more places than this is not merely unfinished.
_MAX_OPEN: Final = 12


def closers_at_end(language: Language, tree: SyntaxTree) -> bytes:
    """What closes all that the parser found no closers for, innermost first; nothing where closers have no openers.

    Only what is wrong is looked at: within a node without an error everything is closed.
    """
    words = dict(language.word_blocks)
    closer_of = _BRACKETS | words
    closers = frozenset(closer_of.values())
    is_open: list[str] = []
    pending = [tree.root]
    while pending:
        node = pending.pop()
        closer, opened = "", ""
        if node.child_count and node.has_error:
            pending.extend(reversed(node.children))
        elif node.type in _OPENING_TAGS | _CLOSING_TAGS:
            tag = f"</{_tag_name(tree.text, node)}>"
            opened, closer = (tag, "") if node.type in _OPENING_TAGS else ("", tag)
        elif not node.is_named and not node.is_missing:
            opened, closer = closer_of.get(node.type, ""), node.type if node.type in closers else ""
        if opened:
            is_open.append(opened)
        elif closer and (not is_open or is_open.pop() != closer):
            return b""
    if len(is_open) > _MAX_OPEN:
        return b""
    due = reversed(is_open)
    return "".join(f"\n{closer}\n" if closer in words.values() else closer for closer in due).encode()


def _tag_name(text: bytes, node: tree_sitter.Node) -> str:
    matched = _TAG_NAME.match(text, node.start_byte)  # `node.text` crashes where the text was given as a memoryview
    return matched[1].decode() if matched else ""
