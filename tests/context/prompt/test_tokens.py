"""Tokenizing parts: blanks that SentencePiece adds, vocabularies that list markers among the words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fimble.context.prompt.fim import FAMILIES
from fimble.context.prompt.tokens import Encoder, Part, open_encoder
from fimble.core.errors import InvariantBrokenError
from fimble.core.flow import Stability, TokenId

FAMILY = {family.name: family for family in FAMILIES}
LLAMA_CODE = st.lists(st.sampled_from(["\n", "    ", " ", "\t", "x", "def", "(", "é", "漢", "1"]), max_size=12).map(
    "".join
)


def text(content: str, *, opens: bool = False) -> Part:
    return Part(content, Stability.WINDOWED, "text", opens=opens)


class LeakyTokenizer:
    """A vocabulary whose markers have the type of ordinary words, so that they are found in any text."""

    def __init__(self, markers: Sequence[str], *, hides: bool = True) -> None:
        self._markers = list(markers)
        self._pattern = re.compile("|".join(map(re.escape, markers)) + "|.", re.DOTALL)
        self._hides = hides

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        found = [self._pattern.findall(text) if self._hides else self._markers for text in texts]
        return tuple(tuple(self._id(token) for token in tokens) for tokens in found)

    async def marker_ids(self, markers: Sequence[str]) -> tuple[TokenId | None, ...]:
        return tuple(self._id(marker) if marker in self._markers else None for marker in markers)

    def _id(self, token: str) -> TokenId:
        return TokenId(1_000_000 + self._markers.index(token)) if token in self._markers else TokenId(ord(token))


@pytest.mark.parametrize("content", ["{}", "a{}b", "{}{}", "<{}>", "x\n{} y {}"])
async def test_markers_among_the_words_are_cut_apart(content: str) -> None:
    family = replace(FAMILY["codestral"], has_space_prefix=False)
    encoder = await open_encoder(LeakyTokenizer(family.all_markers), family)
    written = content.format(*family.prompt_markers[1:3] * 2)
    ids = await encoder.encode(text(written, opens=True))
    assert "".join(map(chr, ids)) == written


async def test_a_tokenizer_that_gives_markers_for_anything_is_found_out() -> None:
    family = FAMILY["starcoder"]
    encoder = await open_encoder(LeakyTokenizer(family.all_markers, hides=False), family)
    with pytest.raises(InvariantBrokenError):
        await encoder.encode(text("x = 1"))


async def test_blank_of_sentencepiece_opens_the_prefix_and_nothing_else(vocabulary: Callable[[str], Any]) -> None:
    llama = vocabulary("llama-spm")
    encoder = Encoder(llama, FAMILY["codellama"], {"<s>": TokenId(1)})
    assert await encoder.encode(text("x", opens=True)) == (await llama.tokenize(["x"]))[0]
    (plain,) = await llama.tokenize(["y\nx"])
    assert await encoder.encode(text("x")) == plain[-1:]
    assert await encoder.encode(text("x")) != await encoder.encode(text("x", opens=True))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(above=LLAMA_CODE, line=LLAMA_CODE)
async def test_sentencepiece_lines_join_without_seam(vocabulary: Callable[[str], Any], above: str, line: str) -> None:
    line = line.replace("\n", "")
    llama = vocabulary("llama-spm")
    encoder = Encoder(llama, FAMILY["codellama"], {"<s>": TokenId(1)})
    whole = await encoder.encode(text(f"{above}\n{line}", opens=True))
    parts = [await encoder.encode(text(f"{above}\n", opens=True)), await encoder.encode(text(line))]
    assert (*parts[0], *parts[1]) == whole


async def test_each_text_is_asked_for_once_and_together(merging_tokenizer: Any) -> None:
    encoder = await open_encoder(merging_tokenizer, FAMILY["starcoder"])
    parts = [text("a"), text("b"), text("a"), text("")]
    assert await encoder.count(parts) == 3
    assert await encoder.encode(text("b")) == await encoder.encode(text("b"))
    assert merging_tokenizer.questions == [("a", "b")]
