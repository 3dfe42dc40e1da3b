"""The caching tokenizer gives what the tokenizer gives, and forgets the longest unused."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fimble.context.prompt.cache import CachingTokenizer


@given(
    st.lists(st.lists(st.sampled_from(["", "a", "bb", "ccc", "dd dd", "é"]), max_size=5), max_size=8), st.integers(0, 9)
)
async def test_same_answers_as_without(make_tokenizer: Any, batches: list[list[str]], max_chars: int) -> None:
    tokenizer = make_tokenizer()
    caching = CachingTokenizer(tokenizer, max_chars=max_chars)
    for batch in batches:
        assert await caching.tokenize(batch) == await tokenizer.tokenize(batch)


async def test_asks_once_for_what_it_keeps(merging_tokenizer: Any) -> None:
    caching = CachingTokenizer(merging_tokenizer, max_chars=6)
    await caching.tokenize(["aa", "bb", "aa"])
    await caching.tokenize(["bb", "aa", "cc"])
    assert merging_tokenizer.questions == [("aa", "bb"), ("cc",)]
    await caching.tokenize(["dd"])  # bb is now the longest unused
    await caching.tokenize(["aa", "bb"])
    assert merging_tokenizer.questions[2:] == [("dd",), ("bb",)]


async def test_a_text_larger_than_the_cache_is_answered_and_not_kept(merging_tokenizer: Any) -> None:
    caching = CachingTokenizer(merging_tokenizer, max_chars=3)
    assert await caching.tokenize(["aaaaaaaa"]) == await merging_tokenizer.tokenize(["aaaaaaaa"])
    await caching.tokenize(["aaaaaaaa"])
    assert merging_tokenizer.questions == [("aaaaaaaa",)] * 3


async def test_markers_are_asked_for_once(merging_tokenizer: Any) -> None:
    asked: list[list[str]] = []

    class Counting:
        tokenize = merging_tokenizer.tokenize

        async def marker_ids(self, markers: list[str]) -> Any:
            asked.append(list(markers))
            return await merging_tokenizer.marker_ids(markers)

    caching = CachingTokenizer(Counting())
    first = await caching.marker_ids(["<a>", "<b>"])
    assert await caching.marker_ids(["<b>", "<a>", "<c>"]) == (
        first[1],
        first[0],
        *await merging_tokenizer.marker_ids(["<c>"]),
    )
    assert asked == [["<a>", "<b>"], ["<c>"]]
