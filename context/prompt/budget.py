"""How much of a text fits: windows of whole lines, moving in steps, measured by the real tokenizer.

Every function depends on its arguments alone, so equal documents give equal windows. Knows no markers and no layouts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

Count = Callable[[str], Awaitable[int]]

# What a cold cache leaves time for, largest first: tokens, lines above the cursor, lines below it. Serving falls back
# to these, so tuning shows them to the model too.
COLD_SIZES = ((384, 24, 8), (128, 8, 3))

# Text is not even tokenized beyond this many characters for each token it may have: code has 3 to 4, and a 5 MB line
# must not be tokenized to learn that it is too long.
MAX_CHARS_PER_TOKEN = 8
_MAX_STEP_LINES = 32
_MAX_STEP_CHARS = 256


def suffix_share(n_tokens: int) -> int:
    """Tokens of `n_tokens` that text behind the cursor may have.

    A share of its own, so that the suffix does not shrink while the prefix grows under the user's hands.
    """
    return n_tokens // 4


def step_lines(n_lines: int) -> int:
    """Lines by which the start of a window of `n_lines` moves: a power of two, about a third of the window, 32 at most.

    The window then holds between two thirds of its lines and all, and its text stays the same for so many new lines.
    """
    step = 1
    while step * 2 <= min(_MAX_STEP_LINES, n_lines // 3):
        step *= 2
    return step


async def prefix_start(prefix: str, n_lines: int, n_tokens: int, count: Count) -> int:
    """Where the visible part of the text before the cursor starts, at most `n_lines` above the cursor's line.

    Starts are at multiples of `step_lines` counted from the file's first line: neither typing nor Enter moves them
    until a step is complete. Where not even the last step fits in `n_tokens`, finer steps are taken, then the
    cursor's line alone, then the end of that line, cut between code points.
    """
    for start in _line_starts(prefix, n_lines):
        if len(prefix) - start <= n_tokens * MAX_CHARS_PER_TOKEN and await count(prefix[start:]) <= n_tokens:
            return start
    line_start = prefix.rfind("\n") + 1
    return line_start + await _cut_start(prefix[line_start:], n_tokens, count)


async def suffix_end(suffix: str, n_lines: int, n_tokens: int, count: Count) -> int:
    """Where the visible part of the text after the cursor ends: the rest of the line and at most `n_lines` more.

    No steps here: typing and Enter leave the text behind the cursor as it is, and when the cursor moves, the suffix
    begins elsewhere, so that nothing of it could be kept whichever way it ended.
    """
    ends = [end for end in _line_ends(suffix, n_lines) if end <= n_tokens * MAX_CHARS_PER_TOKEN]
    best, low, high = 0, 0, len(ends) - 1
    middle = high  # mostly all lines fit
    while low <= high:
        if await count(suffix[: ends[middle]]) <= n_tokens:
            best, low = ends[middle], middle + 1
        else:
            high = middle - 1
        middle = (low + high) // 2
    return best or await _cut_end(suffix, n_tokens, count)


def _line_starts(prefix: str, n_lines: int) -> Iterator[int]:
    """Candidate starts, farthest first: coarse steps, then ever finer ones towards the cursor's line."""
    n_above = prefix.count("\n")
    starts = _last_line_starts(prefix, n_lines)
    first = n_above - len(starts) + 1
    step = step_lines(n_lines)
    last = first - 1
    while step:
        for line in range((last // step + 1) * step, n_above, step):
            yield starts[line - first]
            last = line
        step //= 2
    yield starts[-1]


def _last_line_starts(prefix: str, n_lines: int) -> list[int]:
    """Starts of the cursor's line and of up to `n_lines` before it, in the order of the text."""
    starts: list[int] = []
    end = len(prefix)
    while len(starts) <= n_lines:
        newline = prefix.rfind("\n", 0, end)
        starts.append(newline + 1)
        if newline < 0:
            break
        end = newline
    starts.reverse()
    return starts


def _line_ends(suffix: str, n_lines: int) -> list[int]:
    """Ends, behind their line ends, of the rest of the cursor's line and of up to `n_lines` after it."""
    ends: list[int] = []
    end = 0
    while len(ends) <= n_lines:
        newline = suffix.find("\n", end)
        if newline < 0:
            ends.append(len(suffix))
            break
        end = newline + 1
        ends.append(end)
    return ends


async def _cut_start(line: str, n_tokens: int, count: Count) -> int:
    """Where the part of a long line that fits starts; at steps counted from the line's start, if these are not lost."""
    step = 1
    while step * 2 <= min(_MAX_STEP_CHARS, n_tokens):
        step *= 2
    start = _round_up(len(line) - n_tokens * MAX_CHARS_PER_TOKEN, step)
    while start < len(line):
        n_found = await count(line[start:])
        if n_found <= n_tokens:
            return start
        wanted = len(line) - (len(line) - start) * n_tokens // n_found
        while step > 1 and _round_up(wanted, step) >= len(line):
            step //= 2
        start = max(start + 1, _round_up(wanted, step))
    return len(line)


async def _cut_end(text: str, n_tokens: int, count: Count) -> int:
    """Where the part of the first line that fits ends; the line is too long to fit whole."""
    newline = text.find("\n", 0, n_tokens * MAX_CHARS_PER_TOKEN)
    end = newline if newline >= 0 else min(len(text), n_tokens * MAX_CHARS_PER_TOKEN)
    while end > 0:
        n_found = await count(text[:end])
        if n_found <= n_tokens:
            return end
        end = min(end - 1, end * n_tokens // n_found)
    return 0


def _round_up(at: int, step: int) -> int:
    return -(-max(at, 0) // step) * step
