"""Brackets, blocks and tags that a file leaves open: one that is still being written, where no editor closes them."""

from __future__ import annotations

import re
from typing import Final

import tree_sitter

from fimble.syntax.languages import BlockStyle, Language
from fimble.syntax.parse import SyntaxTree

_OPENING_TAGS: Final = frozenset({"start_tag", "jsx_opening_element"})
_CLOSING_TAGS: Final = frozenset({"end_tag", "jsx_closing_element"})
_TAG_NAME: Final = re.compile(rb"<\s*/?\s*([\w.:-]*)")
_BRACKETS: Final = {"(": ")", "[": "]", "{": "}", "#{": "}", "${": "}", "$(": ")", "((": "))", "[[": "]]"}
_DIRECTIVES: Final = {"#if": "#endif", "#ifdef": "#endif", "#ifndef": "#endif"}
# What is open in more places than this is not merely unfinished.
_MAX_OPEN: Final = 12


def closers_at_end(language: Language, tree: SyntaxTree) -> tuple[bytes, ...]:
    """What may close all that the parser found no closers for, innermost first; nothing where closers have no openers.

    Several, as a bracket may be that of a parameter list, which wants a body, and a brace that of a value or a C type,
    which wants a semicolon. Only what is wrong is looked at: within a node without an error everything is closed.
    """
    due = _due(language, tree)
    if not due:
        return ()
    joined = _joined(due)
    found = [joined, joined.replace(b"}", b"};")]
    if due[0] == ")":
        body = b": pass\n" if language.block_style is BlockStyle.INDENT else b" {}\n"
        found.append(b")" + body + _joined(due[1:]))
    return tuple(dict.fromkeys(found))


def _due(language: Language, tree: SyntaxTree) -> list[str]:
    """The closers, each on its own, innermost first."""
    closer_of = _BRACKETS | _DIRECTIVES | dict(language.word_blocks)
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
            return []
    return is_open[::-1] if len(is_open) <= _MAX_OPEN else []


def _joined(due: list[str]) -> bytes:
    """Words on lines of their own, and braces at the start of one; what follows a brace may belong to it."""
    signs = [closer if closer[0] in ")]<" else f"\n{closer}" for closer in due]
    return "".join(f"{sign}\n" if sign[-1].isalpha() else sign for sign in signs).encode()


def _tag_name(text: bytes, node: tree_sitter.Node) -> str:
    matched = _TAG_NAME.match(text, node.start_byte)  # `node.text` crashes where the text was given as a memoryview
    return matched[1].decode() if matched else ""
