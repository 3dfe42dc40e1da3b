"""Which grammars may constrain decoding: cut clean files never look broken, and broken ones do by the line's end.

The `qualified` flag of each language is the declared outcome of these two tests.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

import pytest

from fimble.syntax.grammar import Grammar
from fimble.syntax.indent import read_lines
from fimble.syntax.judge import Judgement, LeftJudge, Standing
from fimble.syntax.keywords import misplaced_keyword
from fimble.syntax.languages import BlockStyle, Language, languages
from fimble.syntax.parse import TreeCache, parse
from fimble.syntax.viable import LeftConstraint, Viability

_NAMES = [language.name for language in languages() if language.grammar]
_N_CUTS = 400
_N_CORRUPTIONS = 100
_MIN_DETECTED = 0.95
_BRACKET_JUNK = (b") ]", b" = = ", b", ,", b"; )", b" ( } ", b" ] = ", b" ) ( ] ", b"} ) ", b" => => ")
_JUNK = {
    "python": (*_BRACKET_JUNK, b" else ", b" import ", b" x y ", b" class ", b" : : ", b"??"),
    "html": (b"</ >", b"<a <b ", b" <p </p ", b"< div>", b"</a b c", b"<p =>", b"<!-x "),
    "shellscript": (b" ) ) ", b" ;; ) ", b" | | ", b" && ; ", b" } ) ", b" fi ; )", b" (( ] ) ", b" << << "),
    "json": (b") ]", b" : : ", b", ,", b"} ]", b" [ } ", b" ] [ ", b" = "),
}

CorpusOf = Callable[[str], tuple[bytes, ...]]
GrammarOf = Callable[[str], tuple[Language, Grammar]]


@pytest.mark.parametrize("name", _NAMES)
def test_a_cut_clean_file_is_viable(name: str, corpus_of: CorpusOf, grammar_of: GrammarOf) -> None:
    """0 of 400 false rejects, reading on from cut to cut; every eighth cut also from nothing, with the same verdict."""
    language, grammar = grammar_of(name)
    judge = LeftJudge(language, grammar)
    texts = corpus_of(name)
    refused: list[tuple[bytes, bytes]] = []
    last: Judgement | None = None
    last_idx = -1
    cuts = _cuts(texts, random.Random(f"cuts of {name}"))
    for n_cuts, (idx, cut) in enumerate(cuts):
        if idx != last_idx:
            last, last_idx = None, idx
        text = texts[idx]
        judgement = judge.judge(text[:cut], last)
        if n_cuts % 8 == 0:
            assert judge.judge(text[:cut]).is_viable == judgement.is_viable
        if judgement.is_viable and not _breaks_other_rules(language, judgement, text[:cut]):
            last = judgement
        elif _is_whole(text[:cut]):
            refused.append((text[max(cut - 40, 0) : cut], text[cut : cut + 20]))
    assert len(cuts) == _N_CUTS
    assert refused == []


def _cuts(texts: tuple[bytes, ...], rng: random.Random) -> list[tuple[int, int]]:
    """Indices of texts and where to cut them, each byte of each text being as likely as any other."""
    starts = [0, *accumulate(len(text) for text in texts)]
    places = sorted(rng.sample(range(starts[-1]), _N_CUTS))
    found = [(bisect_right(starts, place) - 1, place) for place in places]
    return [(idx, place - starts[idx] + 1) for idx, place in found]


def _is_whole(text: bytes) -> bool:
    return text.decode("utf-8", "ignore").encode() == text


def _breaks_other_rules(language: Language, judgement: Judgement, text: bytes) -> bool:
    if language.block_style is BlockStyle.INDENT and read_lines(text).wrong:
        return True
    if judgement.standing is Standing.OPEN:
        return False
    return misplaced_keyword(language, judgement.reading.tree.root, text, 0, len(text))


@pytest.mark.parametrize("name", _NAMES)
def test_junk_is_refused_by_the_end_of_its_line(
    name: str, corpus_of: CorpusOf, grammar_of: GrammarOf, pieces_of: Callable[[bytes], list[bytes]]
) -> None:
    language, grammar = grammar_of(name)
    rng = random.Random(f"junk in {name}")
    n_broken = 0
    missed: list[tuple[bytes, bytes, bytes]] = []
    trees = TreeCache()
    while n_broken < _N_CORRUPTIONS:
        text = rng.choice(corpus_of(name))
        cut = _between_tokens(grammar, text, rng)
        if cut is None:
            continue
        line_end = text.find(b"\n", cut) % (len(text) + 1)
        junk = rng.choice(_JUNK.get(name, _BRACKET_JUNK))
        broken = parse(grammar, text[:cut] + junk + text[cut:])
        if broken is None or broken.is_clean:
            continue
        viability = Viability(language, grammar, text[:cut], text[line_end:], trees=trees)
        if viability.left_constraint is not LeftConstraint.ON:
            continue
        n_broken += 1
        if _accepts_all(viability, [junk, *pieces_of(text[cut:line_end])]):
            missed.append((text[max(cut - 30, 0) : cut], junk, text[cut:line_end]))
    assert len(missed) <= (1 - _MIN_DETECTED) * n_broken, missed


def _accepts_all(viability: Viability, pieces: list[bytes]) -> bool:
    for piece in pieces:
        if not viability.viable(piece):
            return False
        viability.accept(piece)
    return True


def _between_tokens(grammar: Grammar, text: bytes, rng: random.Random) -> int | None:
    """The end of a token of code, not of one in a string or comment."""
    tree = parse(grammar, text)
    assert tree is not None
    leaf = tree.root.descendant_for_byte_range(at := rng.randrange(len(text)), at)
    while leaf is not None and not leaf.child_count:
        kinds = [leaf.type, leaf.parent.type if leaf.parent else ""]
        if any(
            part in kind for kind in kinds for part in ("comment", "string", "text", "content", "heredoc", "preproc")
        ):
            return None
        return leaf.end_byte
    return None


def test_enough_languages_are_qualified() -> None:
    assert sum(language.qualified for language in languages()) >= 12
    assert all(language.qualified for language in languages() if language.grammar)
