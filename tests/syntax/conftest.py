"""Code to cut: written for these tests (samples/), or from packages that the development environment has anyway."""

from __future__ import annotations

import random
import re
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from fimble.syntax.grammar import Grammar, grammar_for
from fimble.syntax.languages import Language, language_for
from fimble.syntax.parse import parse

_SAMPLES = Path(__file__).parent / "samples"
_MAX_FILE_BYTES = 12_000
_N_FILES = 30
# Cuts text into pieces of about the size of a model's tokens.
_TOKEN = re.compile(
    rb" ?[A-Za-z_]{1,6}|\r?\n[ \t]*| ?[0-9]{1,3}| ?[^\sA-Za-z_0-9\x80-\xff]{1,2}|[ \t]+|[\x80-\xff]{1,2}|\s"
)


def _packaged(pattern: str) -> Iterator[Path]:
    for folder in (Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))):
        yield from sorted(folder.rglob(pattern))


_PACKAGED = {
    "python": "*.py",
    "javascript": "*.js",
    "c": "*.h",
    "cpp": "*.h",
}


@cache
def corpus(name: str) -> tuple[bytes, ...]:
    """Files of a language, at most 30 and 12 KB each, that its grammar finds nothing wrong with."""
    language, grammar = language_and_grammar(name)
    paths = sorted(path for path in (_SAMPLES / name).glob("*") if path.is_file())
    texts = [path.read_bytes() for path in paths]
    if name in _PACKAGED:
        packaged = list(islice(_packaged(_PACKAGED[name]), 4_000))
        random.Random(name).shuffle(packaged)
        for path in packaged:
            if len(texts) >= _N_FILES:
                break
            text = path.read_bytes() if 400 < path.stat().st_size < _MAX_FILE_BYTES else b""
            if _is_utf8(text) and not (language.name == "c" and re.search(rb"\b(?:class|namespace|template)\b", text)):
                tree = parse(grammar, text)
                if text and tree is not None and tree.is_clean:
                    texts.append(text)
    assert texts, f"no code to cut for {name}"
    return tuple(texts)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def language_and_grammar(name: str) -> tuple[Language, Grammar]:
    """A language that has a grammar."""
    language = language_for(name)
    assert language is not None
    grammar = grammar_for(language)
    assert grammar is not None
    return language, grammar


def pieces_of(text: bytes) -> list[bytes]:
    """The text in pieces like a model's tokens; characters beyond ASCII may be cut in two."""
    pieces = _TOKEN.findall(text)
    assert b"".join(pieces) == text
    return pieces


@pytest.fixture(name="corpus_of", scope="session")
def _corpus_of() -> Callable[[str], tuple[bytes, ...]]:
    return corpus


@pytest.fixture(name="pieces_of", scope="session")
def _pieces_of() -> Callable[[bytes], list[bytes]]:
    return pieces_of


@pytest.fixture(name="grammar_of", scope="session")
def _grammar_of() -> Callable[[str], tuple[Language, Grammar]]:
    return language_and_grammar
