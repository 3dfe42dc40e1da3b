"""The prompt as a whole: order, budget, line ends, oddities of text, code from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimble.context.prompt.assemble import assemble
from fimble.context.prompt.fim import FAMILIES, Family, Layout
from fimble.core.config import PromptOptions
from fimble.core.errors import ModelUnsuitableError
from fimble.core.flow import Chunk, Constraint, Context, LineMode, Prompt, Stability, StopRules, TokenId

STOP = StopRules(max_new_tokens=8, line_mode=LineMode.SINGLE, stop_tokens=(TokenId(10**6),), min_indent=4)
OPTIONS = PromptOptions()
FAMILY = {family.name: family for family in FAMILIES}
QWEN = FAMILY["qwen2.5-coder"]


def context(text: str, *chunks: Chunk, language_id: str = "python", path: str = "/home/u/app/main.py") -> Context:
    """`$0` marks the cursor."""
    prefix, suffix = text.split("$0")
    return Context(language_id, path, prefix, suffix, chunks)


def chunk(path: str, text: str, *, score: float = 1.0, first_line: int = 0) -> Chunk:
    return Chunk(path=path, text=text, source="test", score=score, first_line=first_line)


def rendered(prompt: Prompt) -> str:
    return "".join(segment.text for segment in prompt.segments)


async def check(text: str, family: Family, expected: str, *chunks: Chunk, tokenizer: Any, **options: Any) -> Prompt:
    asked = context(text, *chunks)
    prompt = await assemble(asked, family, tokenizer, replace(OPTIONS, **options), STOP)
    assert rendered(prompt) == expected
    return prompt


@pytest.mark.parametrize(
    ("family", "layout", "expected"),
    [
        ("qwen2.5-coder", "auto", "<|fim_prefix|><|fim_suffix|>)\nC\n<|fim_middle|>A\nB("),
        ("qwen2.5-coder", "psm", "<|fim_prefix|>A\nB(<|fim_suffix|>)\nC\n<|fim_middle|>"),
        ("starcoder2", "auto", "<fim_prefix>A\nB(<fim_suffix>)\nC\n<fim_middle>"),
        ("starcoder2", "suffix_first", "<fim_prefix><fim_suffix>)\nC\n<fim_middle>A\nB("),
        ("deepseek-coder", "auto", "<｜begin▁of▁sentence｜><｜fim▁begin｜>A\nB(<｜fim▁hole｜>)\nC\n<｜fim▁end｜>"),
        ("codellama", "auto", "<s>▁<PRE>A\nB(▁<SUF>)\nC\n▁<MID>"),
        ("codellama", "suffix_first", "<s>▁<PRE>▁<SUF>)\nC\n▁<MID>A\nB("),
        ("codegemma", "auto", "<bos><|fim_prefix|>A\nB(<|fim_suffix|>)\nC\n<|fim_middle|>"),
        ("codestral", "auto", "<s>[SUFFIX])\nC\n[PREFIX]A\nB("),
        ("mellum", "auto", "<fim_suffix>)\nC\n<fim_prefix>A\nB(<fim_middle>"),
        ("granite-code", "auto", "<fim_prefix>A\nB(<fim_suffix>)\nC\n<fim_middle>"),
        ("refact", "auto", "<fim_prefix>A\nB(<fim_suffix>)\nC\n<fim_middle>"),
    ],
)
async def test_order_of_each_family(merging_tokenizer: Any, family: str, layout: str, expected: str) -> None:
    await check("A\nB($0)\nC\n", FAMILY[family], expected, tokenizer=merging_tokenizer, layout=layout)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (
            "qwen2.5-coder",
            "<|repo_name|>project\n<|file_sep|>home/u/app/a.py\nX = 1\n<|file_sep|>home/u/app/b.py\ndef g(): ...\n"
            "<|file_sep|>home/u/app/main.py\n<|fim_prefix|><|fim_suffix|>)\n<|fim_middle|>f(",
        ),
        (
            "starcoder2",
            "<repo_name>project<file_sep>home/u/app/a.py\nX = 1\n<file_sep>home/u/app/b.py\ndef g(): ...\n"
            "<file_sep><fim_prefix>home/u/app/main.py\nf(<fim_suffix>)\n<fim_middle>",
        ),
        (
            "deepseek-coder",
            "<｜begin▁of▁sentence｜><｜fim▁begin｜># home/u/app/a.py\nX = 1\n# home/u/app/b.py\ndef g(): ...\n"
            "# home/u/app/main.py\nf(<｜fim▁hole｜>)\n<｜fim▁end｜>",
        ),
        (
            "codestral",
            "<s>[SUFFIX])\n[PREFIX]# home/u/app/a.py\nX = 1\n# home/u/app/b.py\ndef g(): ...\n# home/u/app/main.py\nf(",
        ),
        (
            "mellum",
            "<filename>home/u/app/a.py\nX = 1\n<filename>home/u/app/b.py\ndef g(): ...\n"
            "<filename>home/u/app/main.py\n<fim_suffix>)\n<fim_prefix>f(<fim_middle>",
        ),
    ],
)
async def test_format_for_several_files(merging_tokenizer: Any, family: str, expected: str) -> None:
    best_first = chunk("/home/u/app/b.py", "def g(): ...", score=2.0), chunk("/home/u/app/a.py", "X = 1\n")
    prompt = await check("f($0)\n", FAMILY[family], expected, *best_first, tokenizer=merging_tokenizer)
    again = await check("f($0)\n", FAMILY[family], expected, *reversed(best_first), tokenizer=merging_tokenizer)
    assert again.tokens == prompt.tokens  # a change of rank alone changes nothing


@pytest.mark.parametrize(
    ("language_id", "comment"),
    [("rust", "// src/b"), ("css", "/* src/b */"), ("html", "<!-- src/b -->"), ("never heard of", "# src/b")],
)
async def test_path_comments_follow_the_language(merging_tokenizer: Any, language_id: str, comment: str) -> None:
    asked = context("$0", chunk("src/b", "x\n"), language_id=language_id, path="src/a")
    prompt = await assemble(asked, FAMILY["deepseek-coder"], merging_tokenizer, OPTIONS, STOP)
    assert f"{comment}\nx\n" in rendered(prompt)


async def test_missing_file_marker_gives_path_comments(tokenizer_with: Callable[..., Any]) -> None:
    tokenizer = tokenizer_with("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
    expected = "# b.py\nx\n# home/u/app/main.py\n<|fim_prefix|><|fim_suffix|>b<|fim_middle|>a"
    await check("a$0b", QWEN, expected, chunk("b.py", "x"), tokenizer=tokenizer)


async def test_missing_prompt_marker_is_refused(tokenizer_with: Callable[..., Any]) -> None:
    with pytest.raises(ModelUnsuitableError, match=r"<\|fim_middle\|>") as caught:
        await assemble(context("a$0b"), QWEN, tokenizer_with("<|fim_prefix|>", "<|fim_suffix|>"), OPTIONS, STOP)
    assert caught.value.mend


async def test_constraint_and_stop_rules(merging_tokenizer: Any) -> None:
    text = "".join(f"line {i}\r\n" for i in range(500))
    prompt = await assemble(context(f"{text}x = $0\r\n{text}"), QWEN, merging_tokenizer, OPTIONS, STOP)
    assert prompt.constraint == Constraint("python", f"{text}x = ", f"\r\n{text}")
    ends = await merging_tokenizer.marker_ids(QWEN.all_markers)
    assert prompt.stop == replace(STOP, stop_tokens=(TokenId(10**6), *ends))


async def test_stability_grows_towards_the_cursor_in_the_append_only_layout(merging_tokenizer: Any) -> None:
    asked = context("import os\n\ndef f():\n    return o$0s\n", chunk("b.py", "x = 1\n"))
    prompt = await assemble(asked, QWEN, merging_tokenizer, OPTIONS, STOP)
    labels = [(segment.label, segment.stability) for segment in prompt.segments]
    assert labels == [
        ("repo", Stability.PINNED),
        ("repo name", Stability.PINNED),
        ("file", Stability.PINNED),
        ("chunk b.py:1", Stability.PINNED),
        ("file", Stability.PINNED),
        ("path", Stability.PINNED),
        ("pre", Stability.PINNED),
        ("suf", Stability.PINNED),
        ("suffix", Stability.WINDOWED),
        ("mid", Stability.WINDOWED),
        ("prefix", Stability.WINDOWED),
        ("line", Stability.TYPED),
    ]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
async def test_model_sees_line_feeds_only(merging_tokenizer: Any, line_end: str) -> None:
    text = "a = 1\nif a:\n    b$0 = 2\nc\n"
    plain = await assemble(context(text), QWEN, merging_tokenizer, OPTIONS, STOP)
    other = await assemble(
        context(text.replace("\n", line_end), chunk("b.py", f"x{line_end}y")), QWEN, merging_tokenizer, OPTIONS, STOP
    )
    assert "\r" not in rendered(other)
    assert other.tokens[-plain.n_tokens :] == plain.tokens


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\ufeffx = $0\n", "<|fim_prefix|><|fim_suffix|>\n<|fim_middle|>x = "),
        ("$0\ufeffx\n", "<|fim_prefix|><|fim_suffix|>x\n<|fim_middle|>"),
        ("a\r$0\nb", "<|fim_prefix|><|fim_suffix|>\nb<|fim_middle|>a"),  # within a line end: before it
        ("😀é$0漢\n", "<|fim_prefix|><|fim_suffix|>漢\n<|fim_middle|>😀é"),
        ("\ud83dx$0\ude00", "<|fim_prefix|><|fim_suffix|>?<|fim_middle|>?x"),  # halves of a surrogate pair
        ("$0", "<|fim_prefix|><|fim_suffix|><|fim_middle|>"),
    ],
    ids=["byte order mark", "before it", "inside CRLF", "emoji", "lone surrogates", "nothing"],
)
async def test_odd_texts(merging_tokenizer: Any, text: str, seen: str) -> None:
    await check(text, QWEN, seen, tokenizer=merging_tokenizer)


async def test_chunks_keep_to_their_share_and_long_ones_are_cut(merging_tokenizer: Any) -> None:
    chunks = [chunk(f"m{i}.py", "".join(f"x{i}{j} = {j}\n" for j in range(20)), score=-i) for i in range(10)]
    prompt = await assemble(context("a$0b", *chunks), QWEN, merging_tokenizer, replace(OPTIONS, chunk_tokens=300), STOP)
    pinned = [segment for segment in prompt.segments if segment.stability is Stability.PINNED][:-2]
    assert 200 < sum(segment.n_tokens for segment in pinned) <= 300
    shown = [segment for segment in pinned if segment.label.startswith("chunk")]
    assert shown[0].text.count("\n") == 21
    for segment in shown:  # each from its head, whole lines, in order of rank
        i = shown.index(segment)
        lines = segment.text.splitlines()
        assert lines == [f"m{i}.py", *(f"x{i}{j} = {j}" for j in range(len(lines) - 1))]


@pytest.mark.parametrize("n_tokens", [0, 5])
async def test_no_room_for_chunks_gives_the_plain_prompt(merging_tokenizer: Any, n_tokens: int) -> None:
    expected = "<|fim_prefix|><|fim_suffix|>b<|fim_middle|>a"
    await check("a$0b", QWEN, expected, chunk("b.py", "x\n"), tokenizer=merging_tokenizer, chunk_tokens=n_tokens)


async def test_blank_chunks_are_left_out(merging_tokenizer: Any) -> None:
    expected = "<|fim_prefix|><|fim_suffix|>b<|fim_middle|>a"
    await check("a$0b", QWEN, expected, chunk("b.py", " \n\n"), tokenizer=merging_tokenizer)


TEXT = st.lists(
    st.sampled_from(["\n", "\r\n", "    ", " ", "x", "name_of", "(", "):", "é", "😀", "<|fim_middle|>", "9" * 40]),
    max_size=120,
).map("".join)


@settings(max_examples=150)
@given(
    prefix=TEXT,
    suffix=TEXT,
    chunks=st.lists(TEXT, max_size=3),
    max_tokens=st.integers(64, 400),
    chunk_tokens=st.integers(0, 500),
    prefix_lines=st.integers(1, 40),
    suffix_lines=st.integers(0, 20),
    family=st.sampled_from(FAMILIES),
    layout=st.sampled_from(["auto", *Layout]),
)
async def test_never_above_the_budget_and_segments_join_to_the_tokens(
    make_tokenizer: Callable[[], Any],
    prefix: str,
    suffix: str,
    chunks: list[str],
    max_tokens: int,
    chunk_tokens: int,
    prefix_lines: int,
    suffix_lines: int,
    family: Family,
    layout: str,
) -> None:
    tokenizer = make_tokenizer()
    asked = Context("python", "a/b.py", prefix, suffix, tuple(chunk(f"c{i}.py", text) for i, text in enumerate(chunks)))
    options = PromptOptions(max_tokens, prefix_lines, suffix_lines, chunk_tokens, str(layout))
    prompt = await assemble(asked, family, tokenizer, options, STOP)
    assert prompt.n_tokens <= max_tokens
    assert sum(segment.n_tokens for segment in prompt.segments) == prompt.n_tokens
    assert all(segment.n_tokens == 1 for segment in prompt.segments if segment.is_marker)
    assert all(segment.text for segment in prompt.segments)
    texts = {segment.label: segment.text for segment in prompt.segments}
    as_seen = prefix[:-1] if prefix.endswith("\r") and suffix.startswith("\n") else prefix
    assert as_seen.replace("\r\n", "\n").endswith(texts.get("prefix", "") + texts.get("line", ""))
    assert suffix.replace("\r\n", "\n").startswith(texts.get("suffix", ""))
    again = await assemble(asked, family, make_tokenizer(), options, STOP)
    assert again == prompt
