"""What the code below a blank line needs and nothing defines: the missing line has to. Python only.

A small model writes a likely line; that the next line uses a name which does not exist yet is for static analysis to
see. Whatever is not certain counts as defined: a wrong demand is worse than none.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import tree_sitter

from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import language_for
from fimble.syntax.parse import SyntaxTree, parse

_MAX_LINES = 300
_MAX_WORK_UNITS = 800
_TAB_COLUMNS = 8
_BUILTINS = frozenset(dir(builtins)) | {"__file__", "__class__"}
_OPENS_SCOPE = re.compile(r"(?:async\s+def|def|class)\b")
# A line without indentation that goes on with what is above it, or says nothing.
_GOES_ON = re.compile(r"[)\]}#]|\"\"\"|'''")
# Where names come into being: the kind of node, and the field that holds them (None: all of it).
_BINDING = {
    ("assignment", "left"),
    ("for_statement", "left"),
    ("for_in_clause", "left"),
    ("named_expression", "name"),
    ("default_parameter", "name"),
    ("typed_default_parameter", "name"),
    ("function_definition", "name"),
    ("class_definition", "name"),
    ("aliased_import", "alias"),
}
_ALL_BOUND = frozenset(
    {
        "as_pattern_target",
        "typed_parameter",
        "list_splat_pattern",
        "dictionary_splat_pattern",
        "parameters",
        "lambda_parameters",
        "import_statement",
        "import_from_statement",
        "global_statement",
        "nonlocal_statement",
        "case_pattern",
        "type_parameter",
        "except_clause",
        "delete_statement",
    }
)
# Within these what is bound stays bound; within others (`a[i] = 1`) it is a use.
_PATTERNS = _ALL_BOUND | {"pattern_list", "tuple_pattern", "list_pattern", "as_pattern", "dotted_name"}
_NO_NAME = {("attribute", "attribute"), ("keyword_argument", "name")}


@dataclass(frozen=True, slots=True)
class Need:
    """A name to define, and what a line that does so begins with."""

    name: str
    start: str


class _Role(Enum):
    """What an identifier does where it stands."""

    BOUND = auto()
    USED = auto()
    CALLED = auto()


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    at: int
    role: _Role


def needed_definition(language_id: str, prefix: str, suffix: str, indent: str) -> Need | None:
    """The one name that the function around a blank line uses below it and defines nowhere.

    `prefix` ends and `suffix` begins at the blank line; `indent` is what the line wanted there begins with.
    """
    language = language_for(language_id)
    grammar = grammar_for(language) if language is not None and language_id == "python" else None
    lines_above, lines_below = prefix.rpartition("\n")[0].splitlines(), suffix.partition("\n")[2].splitlines()
    around = _around(lines_above, lines_below)
    if grammar is None or around is None:
        return None
    start, first, end = around
    above = "\n".join(lines_above[start:]) + "\n"
    text = (above + "\n".join(lines_below[first:end]) + "\n").encode("utf-8", "surrogatepass")
    tree = parse(grammar, text, max_work_units=_MAX_WORK_UNITS)
    if tree is None:
        return None
    n_above = len(above.encode("utf-8", "surrogatepass"))
    bound = {one.name for one in _names(tree, tree.root) if one.role is _Role.BOUND}
    used = [
        one for one in _names(tree, _scope(tree.root, n_above)) if one.at >= n_above and one.role is not _Role.BOUND
    ]
    outside = "\n".join(lines_above[:start]), "\n".join(lines_below[end:])
    needed = {
        one.name
        for one in used
        if one.name not in bound
        and one.name not in _BUILTINS
        and not any(_mentions(part, one.name) for part in outside)
    }
    if len(needed) != 1 or any(one.role is _Role.CALLED for one in used if one.name in needed):
        return None
    (name,) = needed
    opens_block = _columns(lines_below[first]) > _columns(indent)
    return Need(name, f"for {name} in" if opens_block else f"{name} =")


def _around(above: list[str], below: list[str]) -> tuple[int, int, int] | None:
    """The top-level function or class around the hole: its first line above, its first with text and its end below."""
    start = next((at for at in range(len(above) - 1, -1, -1) if _is_top_level(above[at])), None)
    if start is None or len(above) - start > _MAX_LINES or not _OPENS_SCOPE.match(above[start]):
        return None
    end = next((at for at, line in enumerate(below) if _is_top_level(line)), len(below))
    first = next((at for at, line in enumerate(below[:end]) if line.strip()), end)
    return (start, first, end) if 0 < end - first <= _MAX_LINES else None


def _is_top_level(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace() and not _GOES_ON.match(line)


def _scope(root: tree_sitter.Node, at: int) -> tree_sitter.Node:
    """The innermost function around a place; the whole where the parser sees none."""
    node, found = root, root
    while True:
        inner = next((child for child in node.children if child.start_byte < at < child.end_byte), None)
        if inner is None:
            return found
        node = inner
        if node.type == "function_definition":
            found = node


def _names(tree: SyntaxTree, root: tree_sitter.Node) -> Iterator[_Name]:
    """Every identifier that is a variable's name, in the order of the text."""
    waiting = [(root, _Role.USED)]
    while waiting:
        node, role = waiting.pop()
        if node.type == "identifier":
            text = tree.text[node.start_byte : node.end_byte].decode("utf-8", "surrogatepass")
            yield _Name(text, node.start_byte, role)
        below: list[tuple[tree_sitter.Node, _Role]] = []
        for at, child in enumerate(node.children):
            place = (node.type, node.field_name_for_child(at))
            if place in _NO_NAME:
                continue
            if place in _BINDING or node.type in _ALL_BOUND:
                child_role = _Role.BOUND
            elif place == ("call", "function"):
                child_role = _Role.CALLED
            else:
                child_role = _Role.BOUND if role is _Role.BOUND and node.type in _PATTERNS else _Role.USED
            below.append((child, child_role))
        waiting.extend(reversed(below))


def _mentions(text: str, name: str) -> bool:
    return name in text and re.search(rf"\b{re.escape(name)}\b", text) is not None


def _columns(line: str) -> int:
    expanded = line.expandtabs(_TAB_COLUMNS)
    return len(expanded) - len(expanded.lstrip(" "))
