"""What the code below a blank line needs and nothing defines: the missing line has to.

A small model writes a likely line; that the next line uses a name which does not exist yet is for static analysis to
see. Whatever is not certain counts as defined: a wrong demand is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import tree_sitter

from fimble.syntax.grammar import grammar_for
from fimble.syntax.indent import indent_columns
from fimble.syntax.languages import language_for
from fimble.syntax.naming import NAMING, Declares, Naming, Role
from fimble.syntax.parse import SyntaxTree, parse

_MAX_LINES: Final = 300
_MAX_WORK_UNITS: Final = 800
# A line without indentation that goes on with what is above it, or says nothing.
_GOES_ON: Final = re.compile(r"[)\]}#/*]|\"\"\"|'''")
_JAVA_TYPES: Final = ("int", "long", "String", "boolean", "double")
_JAVA_ARRAYS: Final = ("int[]", "String[]", "long[]", "char[]", "boolean[]", "double[]")
_JAVA_PRIMITIVES: Final = frozenset({"int", "long", "boolean", "double"})
_SURELY_VARIABLE: Final = frozenset({Role.USED, Role.RECEIVER, Role.INDEXED})
_JAVA_DECLARATION: Final = re.compile(r"^\s*(?:final )?([A-Z]\w*(?:<[\w<>, ]+>)?(?:\[\])?) \w+ =", re.MULTILINE)
_JAVASCRIPT_WORDS: Final = ("const", "let", "var")


@dataclass(frozen=True, slots=True)
class Need:
    """A name to define, and what a line that does so may begin with."""

    name: str
    starts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    at: int
    role: Role


@dataclass(frozen=True, slots=True)
class _Around:
    """The top-level function or class around a hole, and the lines of the file that are not in it."""

    above: str
    below: str
    outside: tuple[str, str]


def needed_definition(language_id: str, prefix: str, suffix: str, indent: str) -> Need | None:
    """The one name that the function around a blank line uses below it and defines nowhere.

    `prefix` ends and `suffix` begins at the blank line; `indent` is what the line wanted there begins with.
    """
    language = language_for(language_id)
    naming = NAMING.get(language.name) if language else None
    grammar = grammar_for(language) if language else None
    around = _around(prefix.rpartition("\n")[0].splitlines(), suffix.partition("\n")[2].splitlines())
    if naming is None or grammar is None or around is None:
        return None
    text = (around.above + around.below).encode("utf-8", "surrogatepass")
    tree = parse(grammar, text, max_work_units=_MAX_WORK_UNITS)
    if tree is None or (naming.has_inherited_names and re.search(r"\bextends\b", around.above)):
        return None
    at = len(around.above.encode("utf-8", "surrogatepass"))
    bound = {one.name for one in _names(tree, tree.root, naming) if one.role is Role.BOUND}
    scope = _scope(tree.root, at, naming)
    used = [one for one in _names(tree, scope, naming) if one.at >= at and one.role is not Role.BOUND]
    if not naming.defines_all_it_uses:
        used = [one for one in used if any(it.role in _SURELY_VARIABLE for it in used if it.name == one.name)]
    elsewhere = around.outside if naming.defines_all_it_uses else (around.above, *around.outside)
    # The parser makes names of keywords where code is missing: of an `else` whose `}` stood in the hole.
    words = {literal.decode() for literal in grammar.word_literals}
    needed = {one.name for one in used if one.name not in bound | words and not _is_known(one.name, naming, elsewhere)}
    if len(needed) != 1:
        return None
    (name,) = needed
    if re.search(rf"\b{re.escape(name)}\b[^=\n]*=(?!=)", around.above):  # in code that is broken by what is missing
        return None
    starts = _starts(naming, name, {one.role for one in used if one.name == name}, around, indent)
    return Need(name, starts) if starts else None


def defines(language_id: str, prefix: str, written: str, suffix: str, name: str) -> bool:
    """Whether what is `written` on a blank line brings a name into being for the code below; True if it cannot be told.

    A loop's own variable ends with the loop, and a use is no definition.
    """
    if not re.search(rf"\b{re.escape(name)}\b", written):
        return False
    language = language_for(language_id)
    naming = NAMING.get(language.name) if language else None
    grammar = grammar_for(language) if language else None
    above, newline, line_head = prefix.rpartition("\n")
    around = _around(above.splitlines(), suffix.partition("\n")[2].splitlines())
    if naming is None or grammar is None or around is None:
        return True
    head = (around.above + line_head if newline else line_head).encode("utf-8", "surrogatepass")
    hole = written.encode("utf-8", "surrogatepass")
    text = head + hole + b"\n" + around.below.encode("utf-8", "surrogatepass")
    tree = parse(grammar, text, max_work_units=_MAX_WORK_UNITS)
    if tree is None:
        return True
    start, end = len(head), len(head) + len(hole)
    bound = [one for one in _names(tree, tree.root, naming) if one.name == name and one.role is Role.BOUND]
    return any(start <= one.at < end and not _ends_within(tree.root, one.at, start, end, naming) for one in bound)


def _ends_within(root: tree_sitter.Node, at: int, start: int, end: int, naming: Naming) -> bool:
    """Whether a function or scope around a name lies in a part of the text; a function's own name is outside of it."""
    node = root.descendant_for_byte_range(at, at)
    while node is not None and (parent := node.parent) is not None:
        is_own_name = parent.type in naming.functions and parent.child_by_field_name("name") == node
        is_scope = parent.type in naming.functions | naming.scopes and not is_own_name
        if is_scope and start <= parent.start_byte and parent.end_byte <= end:
            return True
        node = parent
    return False


def _is_known(name: str, naming: Naming, elsewhere: Sequence[str]) -> bool:
    """Whether a name may well be defined where this analysis does not look, or cannot look because of broken braces."""
    if name in naming.known or not (naming.defines_all_it_uses or name[0].islower()):
        return True
    return any(name in part and re.search(rf"\b{re.escape(name)}\b", part) for part in elsewhere)


def _starts(naming: Naming, name: str, roles: set[Role], around: _Around, indent: str) -> tuple[str, ...]:
    """What a line may begin with that defines a name which is used so; nothing where no variable can be meant."""
    if roles == {Role.LOOKED_INTO} and name in naming.importable:
        return (f"import {name}",)
    if Role.CALLED in roles:
        return ()
    following = next(line for line in around.below.splitlines() if line.strip())
    opens_block = indent_columns(following) > indent_columns(indent)
    text = around.above + around.below
    if naming.declares is Declares.BY_NAME:
        return (f"for {name} in" if opens_block else f"{name} =",)
    begin = "for(" if "for(" in text and "for (" not in text else "for ("
    if naming.declares is Declares.BY_TYPE:
        declared = _JAVA_DECLARATION.findall(text)
        if Role.INDEXED in roles:
            arrays = dict.fromkeys((*_JAVA_ARRAYS, *(kind for kind in declared if kind.endswith("[]"))))
            return () if opens_block else tuple(f"{kind} {name} =" for kind in arrays)
        types = dict.fromkeys((*_JAVA_TYPES, *declared))
        if Role.RECEIVER in roles:
            return () if opens_block else tuple(f"{kind} {name} =" for kind in types if kind not in _JAVA_PRIMITIVES)
        return (f"{begin}int {name} =",) if opens_block else tuple(f"{kind} {name} =" for kind in types)
    if opens_block:
        word = max(("let", "const", "var"), key=lambda word: text.count(f"{begin}{word} "))
        return (f"{begin}{word} {name}",)
    return tuple(f"{word} {name} =" for word in _JAVASCRIPT_WORDS)


def _around(above: list[str], below: list[str]) -> _Around | None:
    """What stands around the hole; None at the top level, and in functions and classes that are too long."""
    start = next((at for at in range(len(above) - 1, -1, -1) if _is_top_level(above[at])), None)
    end = next((at for at, line in enumerate(below) if _is_top_level(line)), len(below))
    if start is None or len(above) - start > _MAX_LINES or not 0 < end <= _MAX_LINES:
        return None
    if not above[start].rstrip().endswith((":", "{")) or not "".join(below[:end]).strip():
        return None
    outside = "\n".join(above[:start]), "\n".join(below[end:])
    return _Around("\n".join(above[start:]) + "\n", "\n".join(below[:end]) + "\n", outside)


def _is_top_level(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace() and not _GOES_ON.match(line)


def _scope(root: tree_sitter.Node, at: int, naming: Naming) -> tree_sitter.Node:
    """The innermost function around a place; the whole where the parser sees none."""
    node, found = root, root
    while True:
        inner = next((child for child in node.children if child.start_byte < at < child.end_byte), None)
        if inner is None:
            return found
        node = inner
        if node.type in naming.functions:
            found = node


def _names(tree: SyntaxTree, root: tree_sitter.Node, naming: Naming) -> Iterator[_Name]:
    """Every identifier that is a variable's name, in the order of the text."""
    waiting = [(root, Role.USED)]
    while waiting:
        node, role = waiting.pop()
        if node.type in naming.identifiers and not node.is_missing:
            text = tree.text[node.start_byte : node.end_byte].decode("utf-8", "surrogatepass")
            yield _Name(text, node.start_byte, Role.BOUND if node.type in naming.bound_identifiers else role)
        below = [
            (child, child_role)
            for at, child in enumerate(node.children)
            if (child_role := naming.role_of(node.type, node.field_name_for_child(at), role)) is not None
        ]
        waiting.extend(reversed(below))
