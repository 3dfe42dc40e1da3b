"""A file's text -> what the index keeps of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fimble.context.index.files import Stamp
from fimble.context.index.ignore import is_unfit
from fimble.context.index.secrets import without_secrets
from fimble.context.index.store import DefinitionEntry, FileEntry
from fimble.syntax.languages import Language
from fimble.syntax.outline.model import Definition, Outline
from fimble.syntax.outline.read import outline_of

WINDOW_LINES = 12
_STEP_LINES = 8  # windows overlap, so that no function of a few lines is always cut
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,60}")
_BASE_NAME = re.compile(r"([A-Za-z_]\w*)\s*(?:<.*|\(.*|\[.*)?$")


def entry_of(path: str, language: Language, stamp: Stamp, text: str) -> FileEntry:
    """What is kept; a generated, minified or binary file is known to be there and no more."""
    if is_unfit(text):
        return FileEntry(path, language.name, stamp, 0, (), (), ())
    text = without_secrets(text)
    outline = outline_of(language, text)
    return FileEntry(
        path,
        language.name,
        stamp,
        text.count("\n") + 1,
        tuple(_definitions(outline)),
        tuple(dict.fromkeys(_bases(outline))),
        tuple(windows_of(text)),
    )


def words_of_code(text: str) -> list[str]:
    """Names and keywords of a text, each once, in their order."""
    return list(dict.fromkeys(_WORD.findall(text)))


def windows_of(text: str) -> Iterator[tuple[int, str]]:
    """First line and words of every window that says something."""
    lines = text.split("\n")
    for first_line in range(0, max(1, len(lines) - WINDOW_LINES + _STEP_LINES), _STEP_LINES):
        words = words_of_code("\n".join(lines[first_line : first_line + WINDOW_LINES]))
        if len(words) >= 3:
            yield first_line, " ".join(words)


def _definitions(outline: Outline) -> Iterator[DefinitionEntry]:
    def walk(definition: Definition, owner: str) -> Iterator[DefinitionEntry]:
        yield DefinitionEntry(definition.name, str(definition.kind), owner, definition.first_line)
        for member in definition.members:
            yield from walk(member, definition.name)

    for definition in outline.definitions:
        yield from walk(definition, "")
    for extension in outline.extensions:
        for member in extension.members:
            yield from walk(member, extension.type_name)


def _bases(outline: Outline) -> Iterator[tuple[str, str]]:
    pairs = [(definition.name, base) for definition in outline.walk() for base in definition.bases]
    pairs += [(extension.type_name, base) for extension in outline.extensions for base in extension.bases]
    for type_name, base in pairs:
        if match := _BASE_NAME.search(base):
            yield type_name, match[1]
