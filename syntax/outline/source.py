"""Text of tree-sitter nodes on one line: what every language's outline reader needs of a parsed file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tree_sitter import Node

MAX_SIGNATURE_CHARS = 240
MAX_VALUE_CHARS = 120
MAX_DOC_CHARS = 100

_SPACE = re.compile(r"\s+")
_SPACE_INSIDE_BRACKETS = re.compile(r"(?<=[(\[]) | (?=[)\]])")
_TRAILING_COMMA = re.compile(r",(?=[)\]])")
_COMMENT_MARKS = re.compile(r"^\s*(?:/\*+!?|//[/!]?|#+!?|\*+/?|<!--|--)\s?|\s*(?:\*+/|-->)\s*$")
# Preprocessor branches of C, C++ and C#.
BRANCHES = ("preproc_if", "preproc_ifdef", "preproc_elif", "preproc_elifdef", "preproc_else")
_DOC_TAGS = re.compile(r"</?[A-Za-z][^<>]*>|\{@\w+ ([^}]*)\}")


class Source:
    """A file's bytes, read by node."""

    def __init__(self, raw: bytes) -> None:
        """Keep the bytes that the tree was parsed from."""
        self._raw = raw

    def text(self, node: Node | None, limit: int = MAX_SIGNATURE_CHARS) -> str:
        """The node's text on one line; empty for no node."""
        return "" if node is None else self.between(node.start_byte, node.end_byte, limit)

    def between(self, start: int, end: int, limit: int = MAX_SIGNATURE_CHARS) -> str:
        """The text of a range on one line, cut after `limit` characters."""
        # A definition's head may hold a table of ten thousand rows; its first bytes are enough.
        line = one_line(self._raw[start : min(end, start + 8 * limit)].decode("utf-8", "replace"))
        return line if len(line) <= limit else f"{line[: limit - 3].rstrip()}..."

    def whole(self) -> str:
        """The file's text."""
        return self._raw.decode("utf-8", "replace")

    def raw(self, node: Node) -> str:
        """The node's text as it is in the file."""
        return self._raw[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def head(self, node: Node, body: Node | None, limit: int = MAX_SIGNATURE_CHARS) -> str:
        """The node's text up to its body."""
        end = body.start_byte if body is not None else node.end_byte
        return self.between(node.start_byte, end, limit).rstrip(" {:;=")

    def doc_above(self, node: Node) -> str:
        """The first telling line of the comment that ends right above a node."""
        comments: list[str] = []
        below = node
        above = node.prev_sibling
        while above is not None and "comment" in above.type and below.start_point.row - _last_row(above) <= 1:
            comments.append(self.raw(above))
            below, above = above, above.prev_sibling
        # A comment behind code on the same line speaks of that code.
        if comments and above is not None and _last_row(above) == below.start_point.row:
            comments.pop()
        return first_doc_line(line for comment in reversed(comments) for line in comment.splitlines())


def one_line(text: str) -> str:
    """Text with each run of white space as one space, and none just inside brackets."""
    return _TRAILING_COMMA.sub("", _SPACE_INSIDE_BRACKETS.sub("", _SPACE.sub(" ", text))).strip()


def first_doc_line(lines: Iterable[str]) -> str:
    """The first line of a comment that says something, without comment marks and tags."""
    for line in lines:
        text = _DOC_TAGS.sub(r"\1", _COMMENT_MARKS.sub("", _COMMENT_MARKS.sub("", line))).strip()
        if any(char.isalnum() for char in text) and not text.startswith("@"):
            return text if len(text) <= MAX_DOC_CHARS else f"{text[: MAX_DOC_CHARS - 3].rstrip()}..."
    return ""


def children(node: Node | None) -> Iterator[Node]:
    """Named children; those of a broken stretch stand in its place, so that half a file still has an outline."""
    if node is None:
        return
    for child in node.named_children:
        if child.type == "ERROR":
            yield from children(child)
        else:
            yield child


def in_branches(node: Node | None) -> Iterator[Node]:
    """Children, with those of preprocessor branches in the branches' place: whichever is compiled, all are there."""
    for child in children(node):
        if child.type in BRANCHES:
            yield from in_branches(child)
        else:
            yield child


def find(node: Node, *types: str) -> Node | None:
    """The first child of one of these types."""
    return next((child for child in node.named_children if child.type in types), None)


def _last_row(node: Node) -> int:
    """The row of a node's last character; a line comment's node may include its line end."""
    return node.end_point.row - (node.end_point.column == 0)
