"""Where in the code a cursor stands: what is the hole part of, and does a block begin there?"""

from __future__ import annotations

import re

import tree_sitter

from fimble.core.position import ByteOffset
from fimble.syntax.indent import read_lines
from fimble.syntax.languages import BlockStyle, Language
from fimble.syntax.parse import SyntaxTree

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
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


def _begins_indented_block(prefix: str, suffix: str) -> bool:
    window = prefix[-_LINES_BYTES:]
    if len(window) < len(prefix):
        window = window[window.find("\n") + 1 :]
    above = read_lines(window.encode("utf-8", "surrogatepass") + b"\n")
    if not above.state.after_header or above.state.n_open_brackets or not above.line_starts:
        return False
    start = above.line_starts[-1]
    encoded = window.encode("utf-8", "surrogatepass")
    header_column = start - (encoded.rfind(b"\n", 0, start) + 1)
    for line in suffix.split("\n")[1:]:
        if line.strip():
            return len(line) - len(line.lstrip()) <= header_column
    return True
