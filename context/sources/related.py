"""Definitions that no import leads to: the file under test, other implementations of the same base."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fimble.context.sources.surroundings import Surroundings
from fimble.context.sources.symbols import Found, Symbols
from fimble.context.sources.wants import Show, Want

# Names of test files by custom, with the name of what they test.
_TEST_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        r"^test_(?P<stem>.+)(?P<suffix>\.py)$",
        r"^(?P<stem>.+)_test(?P<suffix>\.(?:py|go|c|cc|cpp|rs|dart))$",
        r"^(?P<stem>.+)[._](?:test|spec)(?P<suffix>\.[mc]?[jt]sx?)$",
        r"^(?P<stem>.+?)(?:Tests?|IT|Spec)(?P<suffix>\.(?:java|cs|kt))$",
    )
)
_MAX_SUBJECTS = 2
_MAX_SIBLINGS = 3

# Base name -> path and name of types that have it.
FindImplementations = Callable[[str], list[tuple[str, str]]]


class Related:
    """Looks in the names of files, and asks an index for implementations."""

    def __init__(self, implementations: FindImplementations) -> None:
        """`implementations` may be slow to know of what was written a moment ago."""
        self._implementations = implementations

    def wants(self, around: Surroundings, symbols: Symbols) -> Iterator[Want]:
        """What else the scope should know of."""
        for rank, path in enumerate(subjects_of(around.path, symbols)):
            yield Want(Found((path,)), Show.MEMBERS, 1.9 - 0.1 * rank, "file under test")
        if around.types and around.function is None:
            yield from self._siblings(around, symbols)

    def _siblings(self, around: Surroundings, symbols: Symbols) -> Iterator[Want]:
        """What a type with the same base has: its members are likely to be written here too."""
        own = around.types[-1]
        n_found = 0
        for base in own.bases:
            name = re.split(r"[<(\[]", base)[0].split(".")[-1].split("::")[-1].strip()
            for path, type_name in self._implementations(name):
                if path == around.path or type_name == own.name:
                    continue
                definition = next((item for item in symbols.outline(path).definitions if item.name == type_name), None)
                if definition is None:
                    continue
                yield Want(Found((path,), definition), Show.MEMBERS, 1.8 - 0.2 * n_found, f"also a {name}")
                n_found += 1
                if n_found == _MAX_SIBLINGS:
                    return


def subjects_of(path: str, symbols: Symbols) -> list[str]:
    """The files that a test file tests, by its name: nearest folders first."""
    folder, _, name = path.rpartition("/")
    for pattern in _TEST_NAMES:
        match = pattern.match(name)
        if match is None:
            continue
        own = set(folder.split("/"))
        found = [at for at in symbols.files.named(match["stem"] + match["suffix"]) if at != path]
        found.sort(key=lambda at: (-len(own & set(at.split("/")[:-1])), at.count("/"), at))
        return found[:_MAX_SUBJECTS]
    return []
