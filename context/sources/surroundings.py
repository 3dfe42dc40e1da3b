"""What stands around the cursor: the definitions it is in, what it follows, the calls it is inside, names nearby.

All of it is read without the half-typed name at the cursor, so that typing on within a name changes nothing.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from fimble.context.index.workspace import code_language
from fimble.context.sources.expression import callee_before, chain_before
from fimble.syntax.languages import BlockStyle, Language
from fimble.syntax.outline.model import Definition, Kind, Outline
from fimble.syntax.outline.read import outline_of

_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")
_MAX_BACK_CHARS = 3_000
_MAX_SCOPE_LINES = 200
_LOOSE_LINES = 40
_DEFINING = re.compile(r"\b(?:def|func|function|fn|class|catch|if|while|for|switch)\s+(?:\([^()]*\)\s*)?$")
# Decorators, annotations and attributes with a line of their own; in C# brackets alone would mean an index, too.
_DECORATORS = {
    "python": r"@",
    "java": r"@(?!interface\b)",
    "typescript": r"@",
    "typescriptreact": r"@",
    "javascript": r"@",
    "rust": r"#\[",
    "csharp": r"\[\w[\w.]*(?:\(.*\))?\]\s*$",
}
_DECORATOR = {name: re.compile(rf"[ \t]*{pattern}") for name, pattern in _DECORATORS.items()}
# What a comment's mark may stand between without being one; elsewhere `"`, for `'` is a character's or a lifetime's.
_SCRIPT_QUOTES = "\"'`"
_QUOTES = {
    "python": "\"'",
    "javascript": _SCRIPT_QUOTES,
    "typescript": _SCRIPT_QUOTES,
    "typescriptreact": _SCRIPT_QUOTES,
    "go": '"`',
}
_PYTHON_HEADER = re.compile(r"\s*(?:async\s+def|def|class)\b.*:\s*(?:#.*)?$")

_CALLBACK = re.compile(r"\s*([\w$.]+\s*\(.{0,100}?)(?:=>|\bfunction\b[^{}]*|\bfunc\b[^{}]*)\s*\{\s*$")


@dataclass(frozen=True, slots=True)
class Bracket:
    """An open bracket before the cursor: which, what stands before it, and how many commas stand behind it."""

    opener: str
    head: str
    n_commas: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The cursor's place in its file. `path` is relative to the workspace.

    `types` and `function` are what encloses the cursor, outermost first; a type without a signature stands in another
    file. `scope_text` is the text of the function without the cursor's line, or of some lines around the cursor where
    there is none; `scope_key` names that scope, or the call or the definition that the cursor stands in or behind.
    `receiver` is the expression that the cursor continues with a link, `has_link` whether there is a link. `is_prose`
    says that the cursor is in a comment or a docstring.
    """

    path: str
    language: Language
    outline: Outline
    line: int
    types: tuple[Definition, ...]
    function: Definition | None
    scope_key: str
    scope_text: str
    before: str
    after: str
    receiver: str
    has_link: bool
    brackets: tuple[Bracket, ...]
    is_prose: bool


class Surveyor:
    """Surveys for several sources, which ask about the same cursor one after another. Safe from several threads."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._lock = threading.Lock()
        self._outline: tuple[str, str, Outline] | None = None
        self._last: tuple[tuple[str, str, str], Surroundings] | None = None

    def survey(self, path: str, before: str, after: str) -> Surroundings | None:
        """What stands around a cursor of the file `path`; None in a language without outlines."""
        language = code_language(path)
        if language is None:
            return None
        with self._lock:
            question = (path, before, after)
            if self._last is not None and self._last[0] == question:
                return self._last[1]
            text = stable_text(language, before, after)
            if self._outline is None or self._outline[:2] != (path, text):
                self._outline = (path, text, outline_of(language, text))
            found = survey(path, language, self._outline[2], before, after)
            self._last = (question, found)
            return found


def stable_text(language: Language, before: str, after: str) -> str:
    """The document without the cursor's line, which is kept where it opens or closes blocks.

    What is left stays the same while a line is typed, and half a statement does not break the definitions around it.
    """
    line_start = before.rfind("\n") + 1
    line_end = after.find("\n")
    line_end = len(after) if line_end < 0 else line_end
    line = before[line_start:] + after[:line_end]
    above, below = before[:line_start], after[line_end:]
    if any(_is_needed(opener, closer, above, line, below) for opener, closer in ("()", "[]", "{}")):
        return before + after
    if language.block_style is BlockStyle.INDENT and _PYTHON_HEADER.match(line):
        return before + after
    above = _without_decorators(language, above)
    if language.block_style is BlockStyle.INDENT:
        # A block must not become empty; `...` may stand for a statement and for an argument.
        return f"{above}{_indentation(line, above)}...{below}"
    return above + below


def _without_decorators(language: Language, above: str) -> str:
    """Without decorators right above the cursor's line: they are its own, not the next definition's."""
    pattern = _DECORATOR.get(language.name)
    lines = above.split("\n")
    at = len(lines) - 2  # a line end ends the text
    while pattern is not None and at >= 0 and pattern.match(lines[at]):
        lines[at] = ""
        at -= 1
    return "\n".join(lines)


def _indentation(line: str, above: str) -> str:
    """The line's own, or on an empty line what an editor would put there: that of the block above."""
    if line.strip():
        return line[: len(line) - len(line.lstrip())]
    last = next((text for text in reversed(above[-_MAX_BACK_CHARS:].split("\n")) if text.strip()), "")
    indent = last[: len(last) - len(last.lstrip())]
    return f"{indent}    " if last.rstrip().endswith(":") else indent


def _is_needed(opener: str, closer: str, above: str, line: str, below: str) -> bool:
    """Whether the rest of the file has a bracket whose partner stands on the line."""
    n_here = line.count(opener) - line.count(closer)
    if n_here == 0:
        return opener == "{" and "}" in line[: line.rfind("{") + 1]  # `} else {`
    n_rest = above.count(opener) + below.count(opener) - above.count(closer) - below.count(closer)
    return n_rest != 0 and (n_rest < 0) == (n_here > 0)


def survey(path: str, language: Language, outline: Outline, before: str, after: str) -> Surroundings:
    """Look around the cursor between `before` and `after`; `outline` is that of the whole text."""
    line = before.count("\n")
    types: list[Definition] = []
    function = _enclosing(outline.definitions, line, types)
    if function is None:
        function = _enclosing_apart(outline, line, types)
    receiver, has_link = chain_before(before)
    names = ".".join(definition.name for definition in (*types, *([function] if function else [])))
    if function is None:
        names += f":{_callback_around(language, before)}:{_definition_above(outline, types, line)}"
    return Surroundings(
        path=path,
        language=language,
        outline=outline,
        line=line,
        types=tuple(types),
        function=function,
        scope_key=f"{path}:{names}",
        scope_text=_scope_text(before, after, line, function),
        before=before,
        after=after,
        receiver=receiver,
        has_link=has_link,
        brackets=tuple(_open_brackets(before)),
        is_prose=_is_prose(language, before),
    )


def _is_prose(language: Language, before: str) -> bool:
    """Whether a text ends in a comment or a docstring, as far as marks tell."""
    quotes = _QUOTES.get(language.name, '"')
    if language.line_comment and _has_comment(before[before.rfind("\n") + 1 :], language.line_comment, quotes):
        return True
    if language.block_comment:
        opener, closer = language.block_comment
        last_closer = before.rfind(closer)
        at = before.rfind(opener)
        while at > last_closer and any(before.count(mark, before.rfind("\n", 0, at) + 1, at) % 2 for mark in quotes):
            at = before.rfind(opener, 0, at)  # a glob in a string
        return at > last_closer
    return language.name == "python" and (before.count('"""') % 2 == 1 or before.count("'''") % 2 == 1)


def _has_comment(line: str, mark: str, quotes: str) -> bool:
    """Whether a comment's mark stands outside of strings, as far as the quotes before it tell."""
    is_open = dict.fromkeys(quotes, False)
    for head in line.split(mark)[:-1]:
        for quote in quotes:
            is_open[quote] ^= head.count(quote) % 2 == 1
        if not any(is_open.values()):
            return True
    return False


def names_by_nearness(surroundings: Surroundings) -> list[str]:
    """Identifiers of the scope, nearest to the cursor first."""
    names = dict.fromkeys(reversed(_IDENTIFIER.findall(surroundings.scope_text)))
    return list(names)


def _enclosing(definitions: tuple[Definition, ...], line: int, types: list[Definition]) -> Definition | None:
    for definition in definitions:
        if definition.first_line <= line <= definition.last_line:
            if definition.members:
                types.append(definition)
                return _enclosing(definition.members, line, types)
            if definition.is_type:
                types.append(definition)
            elif definition.last_line > definition.first_line:
                return definition
    return None


def _enclosing_apart(outline: Outline, line: int, types: list[Definition]) -> Definition | None:
    """The member around a line that stands outside its type: a Go method, a C++ body, a JavaScript prototype's."""
    groups = [(extension.type_name, extension.members) for extension in outline.extensions]
    groups += [(definition.name, definition.members) for definition in outline.definitions]
    for owner_name, members in groups:
        for member in members:
            if member.first_line <= line <= member.last_line and member.kind is Kind.METHOD:
                known = [item for item in outline.definitions if item.name == owner_name]
                types[:] = known[:1] or [Definition(owner_name, Kind.CLASS, "", line, line)]
                return member
    return None


def _callback_around(language: Language, before: str) -> str:
    """What begins the innermost call around the cursor that is given a block: tests and routes have no other name."""
    if language.block_style is BlockStyle.INDENT:
        return ""
    *above, line = before.split("\n")
    indent = len(line) - len(line.lstrip()) or (0 if line else _MAX_BACK_CHARS)
    for text in reversed(above[-_MAX_SCOPE_LINES:]):
        here = len(text) - len(text.lstrip())
        if text.strip() and here < indent:
            if match := _CALLBACK.match(text):
                return match[1]
            indent = here
    return ""


def _definition_above(outline: Outline, types: list[Definition], line: int) -> str:
    """The last definition that ends before a line, of those of the innermost type."""
    siblings = types[-1].members if types else outline.definitions
    return next((item.name for item in reversed(siblings) if item.last_line < line), "")


def _scope_text(before: str, after: str, line: int, function: Definition | None) -> str:
    """The function's other lines, those after the cursor first, so that the nearest ones before it come last."""
    lines_before = before.split("\n")[:-1]
    lines_after = after.split("\n")[1:]
    if function is None:
        n_before, n_after = _LOOSE_LINES, _LOOSE_LINES // 2
    else:
        n_before = min(_MAX_SCOPE_LINES, line - function.first_line)
        n_after = max(0, min(_MAX_SCOPE_LINES, function.last_line - line))
    return "\n".join([*lines_after[:n_after], *(lines_before[-n_before:] if n_before else [])])


def _open_brackets(before: str) -> list[Bracket]:
    """Brackets that are open at the cursor, innermost first. Strings are not told apart: close enough."""
    text = before[-_MAX_BACK_CHARS:]
    found: list[Bracket] = []
    depth, n_commas = 0, 0
    for at in range(len(text) - 1, -1, -1):
        char = text[at]
        if char in ")]}":
            depth += 1
        elif char in "([{":
            if depth:
                depth -= 1
                continue
            head = text[max(0, at - 200) : at].split("\n")[-1].strip()
            if char == "(":
                callee = callee_before(head)
                is_defined_here = _DEFINING.search(head[: len(head) - len(callee)]) is not None
                head = "" if is_defined_here else callee
            found.append(Bracket(char, head, n_commas))
            n_commas = 0
            if len(found) == 4:
                break
        elif char == "," and depth == 0:
            n_commas += 1
    return found
