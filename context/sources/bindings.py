"""What local names were last bound to before the cursor: types as written, or expressions to guess them from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fimble.context.sources.expression import read_chain
from fimble.context.sources.shapes import bound_by_shape, switched_type

_MAX_CHARS = 12_000


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name was bound to: a type, else the expression whose value, or one of whose elements, it is.

    `is_payload`: the expression names a variant of an enum, and the name is what that variant holds.
    """

    type_text: str = ""
    value_text: str = ""
    is_payload: bool = False


# Groups: n name, t type, v value, e a value that is iterated. What follows a name is looked at and not taken, so that
# the next parameter of the same line is found too. A search begins at every name of a line, and a line of data may be
# as long as the text: what it may run through from each is bounded, for values by what `read_chain` reads of them.
_N = r"(?P<n>[A-Za-z_$][\w$]{0,79})"
_GENERIC = r"<[^;(){}\n]{0,200}?>"
_CAST = r"\((?P<t>[A-Z][\w.]*(?:<[^;()]{0,200}>)?)\)[ \t]*(?=[\w(])"
_SOURCES = {
    "python": (
        rf"(?<![\w.]){_N}[ \t]*:[ \t]*(?=(?P<t>[A-Za-z\"'][^=\n,)#]{{0,200}})(?:=|,|\)|$))",
        rf"(?<![\w.]){_N}[ \t]*:?=(?!=)[ \t]*(?=(?P<v>[^\n]{{1,400}}))",
        rf"(?<![\w.])(?P<v>[\w.]{{1,200}}\([^\n]{{0,400}}?)[ \t]+as[ \t]+{_N}\b",
        rf"\bexcept[ \t]+(?P<t>[\w.]+)[ \t]+as[ \t]+{_N}\b",
        rf"\bfor[ \t]+{_N}[ \t]+in[ \t]+(?=(?P<e>[^\n:]{{1,400}}))",
        rf"\bisinstance\({_N},[ \t]*(?P<t>[\w.]+)\)",
        rf"(?<![\w.]){_N}[ \t]*=[ \t]*(?:\w+\.)?cast\([ \t]*+(?P<t>[\"'\w.\[\]| ]{{1,200}}),",
    ),
    "script": (
        rf"(?<![\w.$]){_N}[ \t]*+[?!]?[ \t]*:[ \t]*(?=(?P<t>[A-Z][\w.<>\[\]|& ]{{0,200}}))",
        rf"(?<![\w.$]){_N}[ \t]*=(?![=>])[ \t]*(?=(?P<v>[^\n;]{{1,400}}))",
        rf"\b(?:const|let|var)[ \t]+{_N}[ \t]+of[ \t]+(?=(?P<e>[^\n)]{{1,400}}))",
        rf"(?<![\w.$]){_N}[ \t]+instanceof[ \t]+(?P<t>[\w.]+)",
        rf"(?<![\w.$]){_N}[ \t]*=(?![=>])[^\n;=]*[)\w\]][ \t]+as[ \t]+(?P<t>[A-Z][\w.<>\[\]|& ]*)",
    ),
    "java": (
        rf"(?<![\w.])(?P<t>[A-Z][\w.]*(?:{_GENERIC})?(?:\[\])?)(?:\.\.\.)?[ \t]+{_N}(?=\s*(?:=|;|:|,|\)|->))",
        rf"\bvar[ \t]+{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]{{1,400}}))",
        rf"\bvar[ \t]+{_N}[ \t]*:[ \t]*(?=(?P<e>[^\n)]{{1,400}}))",
        rf"\bvar[ \t]+{_N}[ \t]*=[ \t]*{_CAST}",
        rf"\binstanceof[ \t]+(?:final[ \t]+)?(?P<t>[\w.]+(?:<[^>]{{0,200}}>)?)[ \t]+{_N}\b",
    ),
    "csharp": (
        rf"(?<![\w.])(?P<t>[A-Z][\w.]*(?:{_GENERIC})?(?:\[\])?\??)[ \t]+{_N}(?=\s*(?:=|;|,|\)|\bin\b))",
        rf"\bvar[ \t]+{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]{{1,400}}))",
        rf"\bvar[ \t]+{_N}[ \t]+in[ \t]+(?=(?P<e>[^\n)]{{1,400}}))",
        rf"\bvar[ \t]+{_N}[ \t]*=[ \t]*{_CAST}",
        rf"\bvar[ \t]+{_N}[ \t]*=[^\n;=]*[)\w\]][ \t]+as[ \t]+(?P<t>[A-Z][\w.]*(?:<[^;()]{{0,200}}>)?)",
        rf"\bis[ \t]+(?P<t>[\w.]+(?:<[^>]{{0,200}}>)?)[ \t]+{_N}\b",
    ),
    "go": (
        rf"(?<![\w.]){_N}(?:[ \t]*,[ \t]*\w+){{0,8}}[ \t]*:?=(?!=)[ \t]*(?=(?P<v>[^\n]{{1,400}}))",
        rf"(?<![\w.]){_N}(?=(?:[ \t]*,[ \t]*\w{{1,80}}){{0,8}}[ \t]+"
        r"(?P<t>(?:\.\.\.|\[\]|\*|map\[\w+\])*[A-Za-z_][\w.]*)[ \t]*(?:[,)={\n]|$))",
        rf"\bfor[ \t]+(?:\w+[ \t]*,[ \t]*)?{_N}[ \t]*:=[ \t]*range[ \t]+(?=(?P<e>[^\n{{]{{1,400}}))",
        rf"(?<![\w.]){_N}(?:[ \t]*,[ \t]*\w+)?[ \t]*:?=(?!=)[^\n;=]*\.\((?!type\))(?P<t>\*?[A-Za-z_][\w.]*)\)"
        r"[ \t]*(?:[;{]|$)",
    ),
    "rust": (
        rf"(?<![\w.:]){_N}[ \t]*:(?!:)[ \t]*"
        r"(?=(?P<t>[&A-Za-z_\[(][\w:<>&' ,\[\]]{0,200}?)[ \t]*(?:=|[,)|{]|$))",
        rf"\blet[ \t]+(?:mut[ \t]+)?{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]{{1,400}}))",
        rf"\blet[ \t]+\w+\((?:ref[ \t]+|mut[ \t]+)*{_N}\)[ \t]*=[ \t]*(?=(?P<v>[^\n{{]{{1,400}}))",
        rf"\bfor[ \t]+{_N}[ \t]+in[ \t]+(?=(?P<e>[^\n{{]{{1,400}}))",
    ),
    "c": (
        r"(?<![\w.>])(?:(?:const|struct|static|unsigned)[ \t]+){0,4}"
        r"(?P<t>[A-Za-z_][\w:]{0,120}(?:<[^;(){}\n]{0,200}>)?)"
        rf"(?:[ \t]*[*&]+[ \t]*|[ \t]+)(?:const[ \t]+)?{_N}(?=\s*(?:[=;,)({{\[]|:(?!:)))",
        rf"\bauto[ \t]*+[&*]*[ \t]*{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]{{1,400}}))",
        rf"\bauto[ \t]*+[&*]*[ \t]*{_N}[ \t]*:[ \t]*(?=(?P<e>[^\n)]{{1,400}}))",
    ),
}
_FAMILIES = {
    "javascript": "script",
    "typescript": "script",
    "typescriptreact": "script",
    "cpp": "c",
}
_PATTERNS = {
    family: tuple(re.compile(source, re.MULTILINE) for source in sources) for family, sources in _SOURCES.items()
}
_NOT_TYPES = re.compile(r"(?:return|else|new|case|in|await|throw|typeof|delete|auto|var|let|const|using|package)\b")


def last_bindings(language_name: str, text: str) -> dict[str, Binding]:
    """Each local name's binding that stands nearest to the end of `text`."""
    text = text[-_MAX_CHARS:]
    family = _FAMILIES.get(language_name, language_name)
    found: dict[str, tuple[int, Binding]] = {}
    for pattern in _PATTERNS.get(family, ()):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            type_text = (groups.get("t") or "").strip(" '\"")
            value_text = (groups.get("v") or groups.get("e") or "").strip()
            name = match["n"]
            if not _NOT_TYPES.match(type_text) and not (value_text.startswith(name) and _is_renewed(name, value_text)):
                _take(found, name, match.start("n"), Binding(type_text, value_text))
    for shape in bound_by_shape(family, text):
        _take(found, shape.name, shape.at, Binding("", shape.chain, shape.is_payload))
    if family == "go" and (switched := switched_type(text)) is not None:
        _take(found, switched.name, switched.at, Binding(switched.chain))
    return {name: binding for name, (_, binding) in found.items()}


def bound_of(type_text: str, text: str) -> str:
    """What a type parameter must be, as the last declaration in `text` says: `T extends Item`, `I: Iterator`."""
    name = re.sub(r"^[&*\s]*(?:'\w+\s+)?(?:mut\s+)?", "", type_text)
    if not re.fullmatch(r"[A-Z]\w*", name):
        return ""
    gap = r"\s{0,80}"
    pattern = rf"(?:[<,({{]|\bwhere|^){gap}{name}{gap}(?::|\bextends\b){gap}([A-Z][\w.:<>]*)"
    bounds = re.findall(pattern, text, re.MULTILINE)
    return str(bounds[-1]) if bounds else ""


def _take(found: dict[str, tuple[int, Binding]], name: str, at: int, binding: Binding) -> None:
    known = found.get(name)
    if known is None or at > known[0] or (at == known[0] and not known[1].type_text):
        found[name] = (at, binding)  # at one place a declared type says more than the value beside it


def _is_renewed(name: str, value_text: str) -> bool:
    """`let Some(name) = name else`, `path = path.parent`: most likely still what it was before."""
    steps = read_chain(value_text)
    return bool(steps) and steps[0].name == name and not steps[0].is_called
