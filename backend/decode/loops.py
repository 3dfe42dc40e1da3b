"""Does what is written go round in circles? Small models with nothing to say repeat a few tokens for ever."""

from __future__ import annotations

from collections.abc import Sequence

from fimble.core.flow import TokenId

_MAX_PERIOD = 24
# A table may hold a dozen zeros, and a ruled line its dashes: less than this is no circle.
_MIN_TOKENS, _MIN_COPIES = 32, 3


def n_before_circle(tokens: Sequence[TokenId]) -> int | None:
    """How many tokens stand before the second copy of what `tokens` ends with over and over; None where it does not."""
    for period in range(1, _MAX_PERIOD + 1):
        n_tokens = max(_MIN_TOKENS, _MIN_COPIES * period)
        if len(tokens) < n_tokens:
            return None
        tail = tokens[-n_tokens:]
        if tail[period:] == tail[:-period]:
            start = len(tokens) - n_tokens
            while start and tokens[start - 1] == tokens[start - 1 + period]:
                start -= 1
            return start + period
    return None
