"""Gaps: the kinds in each language, and what holds for any text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tuning.conftest import MONEY, ORDERS

from fimble.core.position import CharIndex
from fimble.syntax.grammar import grammar_for
from fimble.syntax.holes import HoleKind, find_holes
from fimble.syntax.languages import language_for
from fimble.syntax.parse import parse
from fimble.tuning.mine.difficulty import N_STAGES, stages, structural_difficulty
from fimble.tuning.mine.near import NearDuplicates
from fimble.tuning.mine.shingles import shingles
from fimble.tuning.mine.spans import MAX_CHARS, Span, SpanOptions, spans_of

CODE = {
    "python": "import os.path\nclass A:\n    x = [1, 2]\n    def f(self, n):\n        try:\n"
    "            return n.go(3)\n        except ValueError as e:\n            raise\nif a and b:\n    pass\n",
    "typescript": "import { a } from './b';\nclass A {\n  f(n: number): string {\n    try { return n.go(3); }\n"
    "    catch (e) { throw new Error('x'); }\n  }\n}\nconst o = {a: 1, b: 2};\nif (o.a > 1) { o.b(); }\n",
    "go": 'package a\n\nimport "fmt"\n\nfunc F(n int) error {\n\terr := n.go2(3)\n\tif err != nil {\n\t\treturn err\n'
    "\t}\n\tfmt.Println(n)\n\tx := []int{1, 2}\n\treturn nil\n}\n",
    "java": "import java.util.List;\nclass A {\n  int f(int n) {\n    try { return this.go(3); }\n"
    "    catch (Exception e) { throw new Error(e.x); }\n  }\n  int[] a = {1, 2};\n}\n",
    "rust": "use std::io;\nimpl A {\n    fn f(&self, n: i32) -> i32 {\n        if n > 1 { go(3); }\n        self.x\n"
    "    }\n}\nconst X: [i32; 2] = [1, 2];\n",
}
EVERYWHERE = {HoleKind.IMPORT, HoleKind.CALL, HoleKind.FUNCTION_BODY, HoleKind.SIGNATURE, HoleKind.PROPERTY}


def found(language_id: str, text: str) -> dict[HoleKind, list[str]]:
    language = language_for(language_id)
    assert language is not None
    grammar = grammar_for(language)
    assert grammar is not None
    tree = parse(grammar, text.encode())
    assert tree is not None
    kinds: dict[HoleKind, list[str]] = {}
    for hole in find_holes(tree):
        kinds.setdefault(hole.kind, []).append(text.encode()[hole.start : hole.end].decode())
    return kinds


@pytest.mark.parametrize("language_id", CODE)
def test_each_language_has_its_kinds(language_id: str) -> None:
    kinds = found(language_id, CODE[language_id])
    assert set(kinds) >= EVERYWHERE | {HoleKind.LITERAL, HoleKind.CONDITION} - (
        {HoleKind.CONDITION} if language_id == "java" else set()
    )
    if language_id != "rust":
        assert HoleKind.ERROR_HANDLING in kinds
    if language_id != "go":
        assert HoleKind.CLASS_BODY in kinds


def test_gaps_are_what_a_user_would_write_there() -> None:
    kinds = found("python", CODE["python"])
    assert kinds[HoleKind.IMPORT] == ["os.path"]
    assert kinds[HoleKind.LITERAL] == ["1, 2"]
    assert kinds[HoleKind.SIGNATURE] == ["f(self, n)"]
    assert kinds[HoleKind.PROPERTY] == ["go"]
    assert kinds[HoleKind.CONDITION] == ["a and b"]
    assert kinds[HoleKind.CALL] == ["n.go(3)"]
    assert "ValueError as e:\n            raise" in kinds[HoleKind.ERROR_HANDLING]


def test_code_with_errors_gives_no_gaps_around_them() -> None:
    assert found("python", "f(1, 2\n") == {}


@given(st.text(max_size=600), st.integers(0, 3))
def test_any_text_is_cut_into_parts_that_join_to_it(text: str, seed: int) -> None:
    text = text + "\nx = f(a.b, {'k': 1, 'l': 2})\r\n" + text
    language = language_for("python")
    assert language is not None
    for span in spans_of(language, text, SpanOptions(n_per_file=12, seed=seed), "name"):
        prefix, middle, suffix = text[: span.start], text[span.start : span.end], text[span.end :]
        assert prefix + middle + suffix == text
        assert middle.strip()
        assert len(middle) <= MAX_CHARS
        assert not (prefix.endswith("\r") and middle.startswith("\n"))


def random_middles(text: str) -> list[tuple[str, str]]:
    """The gap and what stands right of it, of many random cuts."""
    language = language_for("python")
    assert language is not None
    options = SpanOptions(n_per_file=200, random_share=1.0)
    return [(text[span.start : span.end], text[span.end :]) for span in spans_of(language, text, options, "name")]


def test_random_cuts_begin_anywhere_and_end_with_a_word() -> None:
    middles = random_middles(ORDERS)
    for kind in (r"\w", r"[ \t]"):
        assert not any(re.match(kind, middle[-1]) and re.match(kind, rest) for middle, rest in middles)
    assert any(re.match(r"\w", ORDERS[ORDERS.index(middle + rest) - 1]) and re.match(r"\w", middle)
               for middle, rest in middles)  # fmt: skip


def test_ruled_lines_are_not_learned() -> None:
    text = ORDERS.replace("\n\n", "\n#" + "-" * 70 + "\n")
    middles = random_middles(text)
    assert len(middles) > 20
    assert not any("-" * 8 in middle for middle, _ in middles)


def test_kinds_take_turns() -> None:
    language = language_for("python")
    assert language is not None
    spans = spans_of(language, ORDERS, SpanOptions(n_per_file=12, random_share=0.25), "orders")
    kinds = [span.kind for span in spans]
    assert 7 <= len(set(kinds)) <= len(kinds) == 12
    assert 1 <= kinds.count(HoleKind.RANDOM) <= 3


def test_harder_gaps_come_later() -> None:
    name = Span(
        HoleKind.PROPERTY, CharIndex(ORDERS.index("price.times")), CharIndex(ORDERS.index("price.times") + 5), 4
    )
    start = ORDERS.index("try:")
    block = Span(HoleKind.FUNCTION_BODY, CharIndex(start), CharIndex(len(ORDERS) - 1), 4)
    assert structural_difficulty(name, ORDERS) < structural_difficulty(block, ORDERS)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_stages_follow_difficulty(difficulties: list[float]) -> None:
    ranked = stages(difficulties)
    assert all(0 <= stage < N_STAGES for stage in ranked)
    for one, stage in zip(difficulties, ranked, strict=True):
        assert all(
            other_stage <= stage for other, other_stage in zip(difficulties, ranked, strict=True) if other <= one
        )


def test_shingles_see_words_not_blanks() -> None:
    assert set(shingles("a  b\n\tc d", 3).tolist()) == set(shingles("a b c d", 3).tolist())
    assert len(shingles("a b c d", 3)) == 2
    assert not len(shingles("a b", 3))
    assert not set(shingles("a b c", 3).tolist()) & set(shingles("a c b", 3).tolist())


def test_near_duplicates_are_told_from_others() -> None:
    near = NearDuplicates()
    assert near.add("orders", ORDERS) is None
    assert near.add("again", ORDERS.replace("no room", "no space") + "\n# end\n") == "orders"
    assert near.add("money", MONEY) is None
