"""What local names were last bound to before the cursor: types as written, or expressions to guess them from."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_CHARS = 12_000


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name was bound to: a type, else the expression whose value, or one of whose elements, it is."""

    type_text: str = ""
    value_text: str = ""


# Groups: n name, t type, v value, e a value that is iterated. What follows a name is looked at and not taken, so that
# the next parameter of the same line is found too.
_N = r"(?P<n>[A-Za-z_$][\w$]*)"
_SOURCES = {
    "python": (
        rf"(?<![\w.]){_N}[ \t]*:[ \t]*(?=(?P<t>[A-Za-z\"'][^=\n,)#]*)(?:=|,|\)|$))",
        rf"(?<![\w.]){_N}[ \t]*:?=(?!=)[ \t]*(?=(?P<v>[^\n]+))",
        rf"(?P<v>[\w.]+\([^\n]*?)[ \t]+as[ \t]+{_N}\b",
        rf"\bexcept[ \t]+(?P<t>[\w.]+)[ \t]+as[ \t]+{_N}\b",
        rf"\bfor[ \t]+{_N}[ \t]+in[ \t]+(?=(?P<e>[^\n:]+))",
        rf"\bisinstance\({_N},[ \t]*(?P<t>[\w.]+)\)",
    ),
    "script": (
        rf"(?<![\w.$]){_N}[ \t]*[?!]?[ \t]*:[ \t]*(?=(?P<t>[A-Z][\w.<>\[\]|& ]*))",
        rf"(?<![\w.$]){_N}[ \t]*=(?![=>])[ \t]*(?=(?P<v>[^\n;]+))",
        rf"\b(?:const|let|var)[ \t]+{_N}[ \t]+of[ \t]+(?=(?P<e>[^\n)]+))",
        rf"(?<![\w.$]){_N}[ \t]+instanceof[ \t]+(?P<t>[\w.]+)",
    ),
    "java": (
        rf"(?<![\w.])(?P<t>[A-Z][\w.]*(?:<[^;(){{}}\n]*?>)?(?:\[\])?)(?:\.\.\.)?[ \t]+{_N}(?=\s*(?:=|;|:|,|\)|->))",
        rf"\bvar[ \t]+{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]+))",
        rf"\bvar[ \t]+{_N}[ \t]*:[ \t]*(?=(?P<e>[^\n)]+))",
        rf"\binstanceof[ \t]+(?:final[ \t]+)?(?P<t>[\w.]+(?:<[^>]*>)?)[ \t]+{_N}\b",
    ),
    "csharp": (
        rf"(?<![\w.])(?P<t>[A-Z][\w.]*(?:<[^;(){{}}\n]*?>)?(?:\[\])?\??)[ \t]+{_N}(?=\s*(?:=|;|,|\)|\bin\b))",
        rf"\bvar[ \t]+{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]+))",
        rf"\bvar[ \t]+{_N}[ \t]+in[ \t]+(?=(?P<e>[^\n)]+))",
        rf"\bis[ \t]+(?P<t>[\w.]+(?:<[^>]*>)?)[ \t]+{_N}\b",
    ),
    "go": (
        rf"(?<![\w.]){_N}(?:[ \t]*,[ \t]*\w+)*[ \t]*:?=(?!=)[ \t]*(?=(?P<v>[^\n]+))",
        rf"(?<![\w.]){_N}(?:[ \t]*,[ \t]*\w+)*[ \t]+(?=(?P<t>(?:\.\.\.|\[\]|\*|map\[\w+\])*[A-Za-z_][\w.]*)[ \t]*"
        r"(?:[,)={\n]|$))",
        rf"\bfor[ \t]+(?:\w+[ \t]*,[ \t]*)?{_N}[ \t]*:=[ \t]*range[ \t]+(?=(?P<e>[^\n{{]+))",
    ),
    "rust": (
        rf"(?<![\w.:]){_N}[ \t]*:(?!:)[ \t]*(?=(?P<t>[&A-Za-z_\[(][\w:<>&' ,\[\]]*?)[ \t]*(?:=|[,)|{{]|$))",
        rf"\blet[ \t]+(?:mut[ \t]+)?{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]+))",
        rf"\blet[ \t]+\w+\((?:ref[ \t]+|mut[ \t]+)*{_N}\)[ \t]*=[ \t]*(?=(?P<v>[^\n{{]+))",
        rf"\bfor[ \t]+{_N}[ \t]+in[ \t]+(?=(?P<e>[^\n{{]+))",
    ),
    "c": (
        r"(?<![\w.>])(?:(?:const|struct|static|unsigned)[ \t]+)*(?P<t>[A-Za-z_][\w:]*(?:<[^;(){}\n]*>)?)"
        rf"(?:[ \t]*[*&]+[ \t]*|[ \t]+)(?:const[ \t]+)?{_N}(?=\s*(?:[=;,)({{\[]|:(?!:)))",
        rf"\bauto[ \t]*[&*]*[ \t]*{_N}[ \t]*=[ \t]*(?=(?P<v>[^\n;]+))",
        rf"\bauto[ \t]*[&*]*[ \t]*{_N}[ \t]*:[ \t]*(?=(?P<e>[^\n)]+))",
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
    found: dict[str, tuple[int, Binding]] = {}
    for pattern in _PATTERNS.get(_FAMILIES.get(language_name, language_name), ()):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            type_text = (groups.get("t") or "").strip(" '\"")
            if _NOT_TYPES.match(type_text):
                continue
            name = match["n"]
            if name not in found or match.start("n") >= found[name][0]:
                value_text = (groups.get("v") or groups.get("e") or "").strip()
                # A declared type says more than the value beside it.
                if name in found and found[name][0] == match.start("n") and found[name][1].type_text:
                    continue
                found[name] = (match.start("n"), Binding(type_text, value_text))
    return {name: binding for name, (_, binding) in found.items()}
