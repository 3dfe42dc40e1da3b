"""Windows: whole lines near the cursor, in steps, never above the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.context.prompt.budget import prefix_start, step_lines, suffix_end

LINES = st.lists(st.text(alphabet="ab é😀", max_size=30), max_size=60).map("\n".join)


async def count_chars(text: str) -> int:
    return len(text)


async def count_bytes(text: str) -> int:
    return len(text.encode())


def numbered(n_lines: int) -> str:
    return "".join(f"line {i}\n" for i in range(n_lines))


@pytest.mark.parametrize(("n_lines", "step"), [(1, 1), (3, 1), (6, 2), (10, 2), (32, 8), (96, 32), (1000, 32)])
def test_steps_are_about_a_third_of_the_window(n_lines: int, step: int) -> None:
    assert step_lines(n_lines) == step


@given(st.integers(1, 2000))
def test_steps_leave_two_thirds_of_the_window(n_lines: int) -> None:
    assert step_lines(n_lines) <= max(1, n_lines // 3)


@pytest.mark.parametrize(
    ("n_above", "first"),
    [(0, 0), (1, 0), (95, 0), (96, 0), (97, 32), (128, 32), (129, 64), (1000, 928)],
)
async def test_prefix_starts_at_a_multiple_of_the_step(n_above: int, first: int) -> None:
    prefix = numbered(n_above) + "here"
    start = await prefix_start(prefix, 96, 10**6, count_chars)
    assert prefix[start:].startswith(f"line {first}\n" if n_above else "here")


async def test_too_little_room_takes_finer_steps_towards_the_cursor() -> None:
    prefix = numbered(100) + "here"  # lines of 7 and, from the tenth on, 8 characters
    taken = {}
    for n_chars in (1000, 600, 300, 200, 100, 40, 20, 12, 4):
        start = await prefix_start(prefix, 96, n_chars, count_chars)
        taken[n_chars] = prefix[start:].split("\n", 1)[0]
        assert len(prefix) - start <= n_chars
    assert taken == {
        1000: "line 32",
        600: "line 32",
        300: "line 64",
        200: "line 96",
        100: "line 96",
        40: "line 96",
        20: "line 98",
        12: "line 99",
        4: "here",
    }


@given(LINES, st.integers(1, 20), st.integers(0, 200))
async def test_prefix_window_fits_and_takes_whole_lines(prefix: str, n_lines: int, n_tokens: int) -> None:
    start = await prefix_start(prefix, n_lines, n_tokens, count_bytes)
    window = prefix[start:]
    assert len(window.encode()) <= n_tokens
    assert window.count("\n") <= n_lines
    line_start = prefix.rfind("\n") + 1
    if start < line_start:
        assert start == 0 or prefix[start - 1] == "\n"
    elif len(prefix[line_start:].encode()) <= n_tokens:
        assert start == line_start


@given(LINES, st.integers(0, 20), st.integers(0, 200))
async def test_suffix_window_fits_and_takes_all_lines_that_do(suffix: str, n_lines: int, n_tokens: int) -> None:
    end = await suffix_end(suffix, n_lines, n_tokens, count_bytes)
    fitting = [0]
    lines = suffix.splitlines(keepends=True)[: n_lines + 1]
    for line in lines:
        fitting.append(fitting[-1] + len(line))
    fitting = [at for at in fitting if len(suffix[:at].encode()) <= n_tokens]
    assert len(suffix[:end].encode()) <= n_tokens
    if len(fitting) > 1:
        assert end == fitting[-1]
    elif lines:  # not even the first line: cut between characters, taking what fits
        assert end <= len(lines[0])
        assert end == len(lines[0].rstrip("\n")) or len(suffix[: end + 1].encode()) > n_tokens - 4


async def test_long_line_is_cut_in_steps_and_without_reading_it_all() -> None:
    line = "x" * 5_000_000
    longest = 0

    async def count(text: str) -> int:
        nonlocal longest
        longest = max(longest, len(text))
        return len(text) // 3

    starts = [await prefix_start(f"a\n{line[: 4_000_000 + typed]}", 96, 1000, count) for typed in range(200)]
    assert longest <= 1000 * 8
    assert len(set(starts)) <= 2  # 200 keys, steps of 256 characters
    assert all((start - 2) % 256 == 0 for start in starts)
    assert all(2 * 1000 <= 4_000_000 + 2 + typed - start <= 3 * 1000 + 2 for typed, start in enumerate(starts))
    end = await suffix_end(line, 32, 1000, count)
    assert 2_900 <= end <= 3_002


async def test_no_room_at_all() -> None:
    assert await prefix_start("abc", 10, 0, count_chars) == 3
    assert await suffix_end("abc", 10, 0, count_chars) == 0
    assert await prefix_start("", 10, 5, count_chars) == 0
    assert await suffix_end("", 10, 5, count_chars) == 0
