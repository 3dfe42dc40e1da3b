"""The module that an unfinished import statement at the cursor takes names from."""

from __future__ import annotations

import re

from fimble.syntax.outline.model import WILDCARD, Import

# Each pattern is matched once, where its keyword stands last before the cursor: no pattern may search a whole file.
_PYTHON_NAMES = re.compile(r"import\b[ \t]*\(?[\w*,\s]*\Z")
_PYTHON_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+\Z")
_PYTHON_MODULE = re.compile(r"^[ \t]*(?:from|import)[ \t]+([\w.]*\.)\w*\Z")
_SCRIPT_BEFORE = re.compile(r"(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?\{[\w$*,\s]*\Z")
_SCRIPT_AFTER = re.compile(r"[\w$*,\s]*\}\s*from\s*['\"]([^'\"\n]+)['\"]")
_REQUIRE_BEFORE = re.compile(r"(?:const|let|var)\s+\{[\w$,:\s]*\Z")
_REQUIRE_AFTER = re.compile(r"[\w$,:\s]*\}\s*=\s*require\(\s*['\"]([^'\"\n]+)['\"]")
_RUST = re.compile(r"use\s+((?:\w+::)*\w+)::(?:\{[\w,\s:]*)?\w*\Z")
_DOTTED = re.compile(r"[ \t]*(?:import|using)[ \t]+(?:static[ \t]+)?([\w.]+)\.\w*\Z")
_BACK_CHARS = 2_000
# As whole words: `exportData` and `import_module` are names in the list.
_IMPORT = re.compile(r"(?<![\w$])import(?![\w$])")
_IMPORT_OR_EXPORT = re.compile(r"(?<![\w$])(?:import|export)(?![\w$])")
_DECLARATION = re.compile(r"(?<![\w$])(?:const|let|var)(?![\w$])")
_USE = re.compile(r"\buse\b")


def import_at_cursor(language_name: str, before: str, after: str) -> Import | None:
    """All of the module, as an import; None where the cursor is in no import statement."""
    before = before[-_BACK_CHARS:]
    line = before[before.rfind("\n") + 1 :]
    match: re.Match[str] | None = None
    if language_name == "python":
        return _in_python(before, line)
    if language_name in ("javascript", "typescript", "typescriptreact"):
        if _SCRIPT_BEFORE.match(before, _last(_IMPORT_OR_EXPORT, before)):
            match = _SCRIPT_AFTER.match(after)
        elif _REQUIRE_BEFORE.match(before, _last(_DECLARATION, before)):
            match = _REQUIRE_AFTER.match(after)
    elif language_name == "rust":
        match = _RUST.match(before, _last(_USE, before))
    elif language_name in ("java", "csharp"):
        match = _DOTTED.match(line)
    return Import(match[1], WILDCARD) if match else None


def _in_python(before: str, line: str) -> Import | None:
    at = _last(_IMPORT, before)
    if _PYTHON_NAMES.match(before, at):
        match = _PYTHON_FROM.match(before[before.rfind("\n", 0, at) + 1 : at])
        return Import(match[1], WILDCARD) if match else None
    match = _PYTHON_MODULE.match(line)
    return Import(match[1].rstrip("."), "") if match else None


def _last(word: re.Pattern[str], text: str) -> int:
    """Where the word stands last; 0 where it does not."""
    return max((match.start() for match in word.finditer(text)), default=0)
