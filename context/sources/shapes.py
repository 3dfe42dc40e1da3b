"""Names bound by a shape instead of by a type or a value: taken out of an object, by a case, as a closure's parameter.

What such a name is bound to is written as the chain that leads to it: `const { a } = load()` is `load().a`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fimble.context.sources.expression import callee_before, read_chain

_MAX_CALLEE_CHARS = 400


@dataclass(frozen=True, slots=True)
class Shape:
    """A name, where it stands in the text, and the chain that leads to its value.

    `is_payload`: the chain names a variant, and the name is what the variant holds.
    """

    at: int
    name: str
    chain: str
    is_payload: bool = False


# What a search may run through from every place is bounded, as in `bindings`.
_RUST_PATH = r"(?:\b\w+::)"
_FIELDS = r"\{(?P<fields>[^{}]{1,300})\}"
# Where the fields of an object get names of their own: groups fields, t the object's type, v its value.
_OBJECTS = {
    "script": (
        rf"\b(?:const|let|var)[ \t]+{_FIELDS}[ \t]*(?::[ \t]*(?P<t>[A-Z][\w.]*)[ \t]*)?=(?!=)[ \t]*(?P<v>[^\n;]+)",
        rf"{_FIELDS}[ \t]*:[ \t]*(?P<t>[A-Z][\w.]*)(?=\s*[,)=])",
    ),
    "rust": (rf"(?P<t>{_RUST_PATH}{{0,8}}\b[A-Z]\w*)[ \t]*{_FIELDS}[ \t]*(?:=>|=(?!=)|if\b)",),
}
_FIELD = re.compile(
    r"\s*(?:ref[ \t]+|mut[ \t]+)*(?P<field>[A-Za-z_$][\w$]*)(?:[ \t]*:[ \t]*(?P<name>[A-Za-z_$][\w$]*))?\s*(?:=.*)?\Z",
    re.DOTALL,
)
# `Some(name)` and `Ok(name)` hold what the value does; other variants hold what they are declared with.
_VARIANT = re.compile(
    rf"(?P<t>{_RUST_PATH}{{1,8}}[A-Z]\w*)\((?:ref[ \t]+|mut[ \t]+|&)*(?P<n>[a-z_]\w*)\)(?=[ \t]*(?:=>|=(?!=)|if\b|\|))"
)
# The only parameter of a closure that is a call's first argument: an element of what the method is called on.
_CLOSURES = {
    "rust": r"\((?:move[ \t]+)?\|(?:mut[ \t]+|&)*(?P<n>[a-z_]\w*)\|",
    "script": r"\((?:async[ \t]+)?\(?(?P<n>[A-Za-z_$][\w$]*)\)?[ \t]*=>",
    "java": r"\(\(?(?P<n>[a-z_]\w*)\)?[ \t]*->",
    "csharp": r"\((?:async[ \t]+)?\(?(?P<n>[a-z_]\w*)\)?[ \t]*=>",
}
_SWITCH = re.compile(r"\bswitch[ \t]+(?:[^;\n]{0,400};[ \t]*)?(?P<n>\w+)[ \t]*:=[^\n]{0,400}\.\(type\)")
_CASE = re.compile(r"^[ \t]*case[ \t]+\*?(?P<t>[A-Za-z_][\w.]*)[ \t]*:", re.MULTILINE)
_COMPILED_OBJECTS = {family: tuple(map(re.compile, sources)) for family, sources in _OBJECTS.items()}
_COMPILED_CLOSURES = {family: re.compile(source) for family, source in _CLOSURES.items()}


def bound_by_shape(family: str, text: str) -> Iterator[Shape]:
    """Every name of a text in a family of languages (as in `bindings`) that is bound so."""
    for pattern in _COMPILED_OBJECTS.get(family, ()):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            whole = _chain(groups["t"] or groups.get("v") or "")
            for field, name, at in _fields(match["fields"]):
                if whole:
                    yield Shape(match.start("fields") + at, name, f"{whole}.{field}")
    if family == "rust":
        for match in _VARIANT.finditer(text):
            yield Shape(match.start("n"), match["n"], _chain(match["t"]), is_payload=True)
    if (closure := _COMPILED_CLOSURES.get(family)) is not None:
        for match in closure.finditer(text):
            callee = callee_before(text[max(0, match.start() - _MAX_CALLEE_CHARS) : match.start()])
            if whole := _chain(callee, n_dropped=1):
                yield Shape(match.start("n"), match["n"], whole)


def switched_type(text: str) -> Shape | None:
    """In Go: the name of the last type switch; its chain is the type of the case that the text ends in."""
    switches = list(_SWITCH.finditer(text))
    if not switches:
        return None
    cases = list(_CASE.finditer(text, switches[-1].end()))
    return Shape(cases[-1].start("t"), switches[-1]["n"], cases[-1]["t"]) if cases else None


def _fields(text: str) -> Iterator[tuple[str, str, int]]:
    """Each field with the name that it gets, and where that name stands."""
    at = 0
    for part in text.split(","):
        match = _FIELD.match(part)
        if match is not None:
            yield (
                match["field"],
                match["name"] or match["field"],
                at + match.start("name" if match["name"] else "field"),
            )
        at += len(part) + 1


def _chain(text: str, n_dropped: int = 0) -> str:
    """An expression's chain of names without its arguments; empty where it has none."""
    steps = read_chain(text)
    kept = steps[: len(steps) - n_dropped]
    return ".".join(step.name + ("()" if step.is_called else "") for step in kept)
