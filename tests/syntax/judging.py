"""The judges of a completion, made for a text with `$0` at the cursor."""

from __future__ import annotations

from tests.syntax.conftest import language_and_grammar

from fimble.syntax.around import Hole
from fimble.syntax.ends import EndJudge
from fimble.syntax.parse import TreeCache
from fimble.syntax.viable import Viability, viability_for


def viability_of(language: str, text: str) -> Viability:
    prefix, suffix = text.split("$0")
    viability = viability_for(language, prefix, suffix)
    assert viability is not None
    return viability


def ends_of(language: str, text: str) -> EndJudge:
    prefix, suffix = text.split("$0")
    return EndJudge(*language_and_grammar(language), Hole.of(prefix.encode(), suffix.encode()), TreeCache())
