"""Typing only appends tokens: what stands before the cursor's line is the same prompt, key after key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimble.context.prompt.assemble import assemble
from fimble.context.prompt.budget import step_lines
from fimble.context.prompt.cache import CachingTokenizer
from fimble.context.prompt.fim import FAMILIES, Family, Layout
from fimble.core.config import PromptOptions
from fimble.core.flow import Chunk, Context, LineMode, Prompt, StopRules

STOP = StopRules(max_new_tokens=8, line_mode=LineMode.SINGLE)
FAMILY = {family.name: family for family in FAMILIES}
CHUNKS = (Chunk(path="b.py", text="def helper(x):\n    return x\n", source="test", score=1.0),)

ABOVE = "import os\n\n\nclass Store:\n    def put(self, key, value):\n        self.items[key] = value\n\n"
BELOW = "\n\n    def drop(self, key):\n        del self.items[key]\n\n\nprint(Store())\n"
TYPED = (
    "    def get(self, key):\n        if key in self.items:\n            return self.items[key]\n\n        raise Key"
)

KEYS = st.lists(
    st.sampled_from([*"abz_.,:()[]{}'\"=+-# \t019é漢😀", "    ", "def", "self", "return"]), max_size=30
).map("".join)


def options(layout: Layout, **changed: Any) -> PromptOptions:
    return replace(PromptOptions(), layout=str(layout), **changed)


def head(prompt: Prompt) -> tuple[int, ...]:
    """Tokens up to the cursor's line."""
    n_tokens = 0
    for segment in prompt.segments:
        n_tokens += segment.n_tokens
        if segment.label == "prefix":
            break
    return prompt.tokens[:n_tokens]


def n_shared(one: Prompt, other: Prompt) -> int:
    """Length of the tokens that both begin with: what the KV cache can keep."""
    pairs = zip(one.tokens, other.tokens, strict=False)
    return next((i for i, (left, right) in enumerate(pairs) if left != right), min(one.n_tokens, other.n_tokens))


async def typed(tokenizer: Any, family: Family, asked: PromptOptions, *, above: str, keys: str) -> list[Prompt]:
    """The prompts at every key of `keys`."""
    return [
        await assemble(Context("python", "a.py", above + keys[:n], BELOW, CHUNKS), family, tokenizer, asked, STOP)
        for n in range(len(keys) + 1)
    ]


@settings(max_examples=60)
@given(keys=KEYS, family=st.sampled_from(FAMILIES), layout=st.sampled_from(Layout))
async def test_typing_in_a_line_leaves_the_head_as_it_is(
    make_tokenizer: Callable[[], Any], keys: str, family: Family, layout: Layout
) -> None:
    prompts = await typed(make_tokenizer(), family, options(layout), above=ABOVE * 5, keys=keys)
    assert len({head(prompt) for prompt in prompts}) == 1
    if family.choose_layout(str(layout)) is Layout.SUFFIX_FIRST:
        assert all(n_shared(*pair) >= len(head(pair[1])) for pair in pairwise(prompts))


REAL = [
    ("qwen2", "qwen2.5-coder"),
    ("deepseek-coder", "deepseek-coder"),
    ("starcoder", "starcoder2"),
    ("refact", "refact"),
]


class WithMarkers:
    """llama.cpp's qwen2 vocabulary is that of Qwen before Coder: everything but the markers is the same."""

    def __init__(self, vocabulary: Any) -> None:
        self._vocabulary = vocabulary
        self.tokenize = vocabulary.tokenize

    async def marker_ids(self, markers: list[str]) -> tuple[int | None, ...]:
        ids = await self._vocabulary.marker_ids(markers)
        return tuple(self._vocabulary.model.n_vocab + i if known is None else known for i, known in enumerate(ids))


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(("name", "family_name"), REAL)
async def test_real_vocabularies_only_append(
    vocabulary: Callable[[str], Any], name: str, family_name: str, layout: Layout
) -> None:
    family, tokenizer = FAMILY[family_name], CachingTokenizer(WithMarkers(vocabulary(name)))
    prompts = await typed(tokenizer, family, options(layout), above=ABOVE * 5, keys=TYPED)
    n_evaluated: list[int] = []
    for key, (before, after) in zip(TYPED, pairwise(prompts), strict=True):
        if key != "\n":
            assert head(before) == head(after)
        else:  # a line end may melt into the last token of its line, or the blanks before it
            assert n_shared(before, after) >= len(head(before)) - 2
        n_evaluated.append(after.n_tokens - n_shared(before, after))
    if family.choose_layout(str(layout)) is Layout.SUFFIX_FIRST:
        assert max(n_evaluated) <= 4
        assert sum(n_evaluated) / len(n_evaluated) <= 1.6


@pytest.mark.model
async def test_default_model_only_appends(qwen_coder: Any) -> None:
    tokenizer = CachingTokenizer(qwen_coder)
    prompts = await typed(tokenizer, FAMILY["qwen2.5-coder"], PromptOptions(), above=ABOVE * 5, keys=TYPED)
    assert max(after.n_tokens - n_shared(before, after) for before, after in pairwise(prompts)) <= 4


async def test_new_lines_move_the_window_once_a_step(merging_tokenizer: Any) -> None:
    asked = options(Layout.SUFFIX_FIRST, prefix_lines=30, max_tokens=4000)
    above = "".join(f"line {i}\n" for i in range(100))
    prompts = await typed(
        merging_tokenizer, FAMILY["qwen2.5-coder"], asked, above=above, keys="".join(f"{i}\n" for i in range(10, 50))
    )
    starts = [text_of(prompt, "prefix").split("\n")[0] for prompt in prompts]
    moves = [after for before, after in pairwise(starts) if before != after]
    assert step_lines(30) == 8
    assert len(moves) == 40 // 8
    assert len({text_of(prompt, "suffix") for prompt in prompts}) == 1  # a move costs the prefix alone


def text_of(prompt: Prompt, label: str) -> str:
    return next(segment.text for segment in prompt.segments if segment.label == label)


async def test_suffix_does_not_give_way_to_a_growing_prefix(merging_tokenizer: Any) -> None:
    """At a full budget, too: the prefix loses its far end, the suffix stays."""
    asked = options(Layout.SUFFIX_FIRST, max_tokens=160, suffix_lines=8)
    long_below = "".join(f"after {i}\n" for i in range(50))
    prompts = [
        await assemble(
            Context("python", "a.py", ABOVE * 9 + "x = " + "word " * n, long_below),
            FAMILY["qwen2.5-coder"],
            merging_tokenizer,
            asked,
            STOP,
        )
        for n in range(120)
    ]
    assert len({text_of(prompt, "suffix") for prompt in prompts}) == 1
    assert max(prompt.n_tokens for prompt in prompts) <= 160
    assert text_of(prompts[-1], "line").endswith("word word ")


async def test_a_key_asks_the_tokenizer_for_the_cursors_line_only(merging_tokenizer: Any) -> None:
    tokenizer = CachingTokenizer(merging_tokenizer)
    await typed(tokenizer, FAMILY["qwen2.5-coder"], PromptOptions(), above=ABOVE * 5, keys="")
    merging_tokenizer.questions.clear()
    await typed(tokenizer, FAMILY["qwen2.5-coder"], PromptOptions(), above=ABOVE * 5, keys="val")
    assert merging_tokenizer.questions == [("v",), ("va",), ("val",)]
