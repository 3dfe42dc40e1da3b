"""Short expressions as the steps from one value to the next: `self.store.find(key).name`. Reads text, not trees.

Code around a cursor is broken most of the time; a reader of characters copes with that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A word counts as a keyword where an operand follows it: `out.write` is a name in most languages.
_PREFIX = re.compile(
    r"(?:(?:await|new|yield|return|throw|co_await|typeof|not|mut|ref|dyn|const|out|go|defer)\b(?=\s*[\w$&*!~(\[{\"'`])"
    r"|[&*!~(\s]|\.\.\.)+"
)
_NAME = re.compile(r"[A-Za-z_$#][\w$]*")
_LINK = re.compile(r"\s*(?:\?\.|!\.|\.|->|::)\s*")
_LINK_BEFORE = re.compile(r"(?:\?\.|!\.|(?<!\.)\.|->|::)\s*\Z")
# Not across a line end: the full stop of a comment above is no link.
_LINK_AT_CURSOR = re.compile(r"(?:\?\.|!\.|(?<!\.)\.|->|::)[ \t]*\Z")
_COMMENT = re.compile(r"^\s*\*|//|#|/\*")
_MARKS = re.compile(r"[?!]+(?![.=])")
_OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = {closer: opener for opener, closer in _OPENERS.items()}
_MAX_CHARS = 400
_MAX_STEPS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a chain, and whether it is called. `value = name(...)` is called, `value = name` is not."""

    name: str
    is_called: bool = False


def read_chain(text: str) -> tuple[Step, ...]:
    """The chain that an expression begins with; empty for literals and operators."""
    text = text[:_MAX_CHARS]
    prefix = _PREFIX.match(text)
    at = prefix.end() if prefix else 0
    steps: list[Step] = []
    while len(steps) < _MAX_STEPS:
        name = _NAME.match(text, at)
        if name is None:
            break
        at = name.end()
        is_called = False
        while at < len(text):
            marks = _MARKS.match(text, at)
            if marks:
                at = marks.end()
            elif text[at] == "<" or text.startswith("::<", at):
                end = _generic_end(text, at)
                if end is None:
                    break
                at = end
            elif text[at] in "([" or (text[at] == "{" and steps == [] and name[0][:1].isupper()):
                is_called = is_called or text[at] != "["
                at = _closing(text, at)
            else:
                break
        steps.append(Step(name[0], is_called))
        link = _LINK.match(text, at)
        if link is None:
            break
        at = link.end()
    return tuple(steps)


def chain_before(text: str) -> tuple[str, bool]:
    """The expression that ends at the end of a text, and whether it is followed by a link (`.`, `->`, `::`).

    A half-typed name at the end is left out: `self.sto` is `self` with a link.
    """
    end = len(text)
    while end and (text[end - 1].isalnum() or text[end - 1] in "_$"):
        end -= 1
    head = text[max(0, end - _MAX_CHARS) : end]
    link = _LINK_AT_CURSOR.search(head)
    if link is None:
        return "", False
    return _primary_before(head[: link.start()]), True


def callee_before(text: str) -> str:
    """The expression that is called, where a text ends right before its opening bracket."""
    stripped = text[-_MAX_CHARS:].rstrip()
    return _primary_before(stripped[: _before_generic(stripped, len(stripped))])


def _primary_before(text: str) -> str:
    """The names, calls and links that a text ends with."""
    at = len(text.rstrip())
    start = at
    while at:
        char = text[at - 1]
        if char == ">" and (opened := _before_generic(text, at)) < at:
            at = opened
        elif char in ")]":
            opened = _opening(text, at - 1)
            if opened is None:
                break
            at = _before_generic(text, opened)
        elif char.isalnum() or char in "_$#":
            while at and (text[at - 1].isalnum() or text[at - 1] in "_$#"):
                at -= 1
        elif char in "?!" and at < len(text):
            at -= 1
            continue
        else:
            break
        start = at
        link = _LINK_BEFORE.search(text[max(0, at - 40) : at])
        if link is not None and "\n" in link[0] and _COMMENT.search(text[:at].rstrip().rpartition("\n")[2]):
            break  # the full stop of the comment above
        if link is not None:
            at = len(text[: at - (link.end() - link.start())].rstrip())
        elif text[at : at + 1] not in ("(", "[", "<", ":"):
            break  # a name after a bracket belongs to another expression: `) name`
    return text[start:].strip()


def _before_generic(text: str, at: int) -> int:
    """Where type arguments that end at `at` begin; `at` itself where none do."""
    if not text[:at].endswith(">") or text[:at].endswith(("->", "=>")):
        return at
    depth = 0
    for i in range(at - 1, max(0, at - 120), -1):
        depth += (text[i] == ">") - (text[i] == "<")
        if depth == 0:
            return i - 2 if text[:i].endswith("::") else i
    return at


def _closing(text: str, at: int) -> int:
    """Behind the bracket that closes the one at `at`; the end of the text where none does."""
    depth = 0
    for i in range(at, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i + 1
    return len(text)


def _opening(text: str, at: int) -> int | None:
    """The bracket that is closed by the one at `at`."""
    depth = 0
    for i in range(at, -1, -1):
        if text[i] in ")]}":
            depth += 1
        elif text[i] in "([{":
            depth -= 1
            if depth == 0:
                return i
    return None


def _generic_end(text: str, at: int) -> int | None:
    """Behind type arguments that begin at `at`; None where `<` compares."""
    match = re.compile(r"(?:::)?<[\w\s,.:<>\[\]?&'*|]*>(?=\s*[({:.])").match(text, at)
    return match.end() if match else None
