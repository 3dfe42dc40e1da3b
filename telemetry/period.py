"""Stretches of time as people write them: 7d, 24h, 90m, 2026-11-01, all."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from fimble.core.errors import InputError

_UNIT_MS: Final = {"m": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0, "w": 7 * 86_400_000.0}


def moment(text: str, now_ms: float) -> float:
    """Unix milliseconds of so long ago, or of a local day's beginning; 0 for `all`.

    Raises:
        InputError: it is none of these.
    """
    text = text.strip().lower()
    if text == "all":
        return 0.0
    if found := re.fullmatch(r"(\d{1,6})\s*([mhdw])", text):
        return max(0.0, now_ms - int(found[1]) * _UNIT_MS[found[2]])
    try:
        return datetime.strptime(text, "%Y-%m-%d").timestamp() * 1000.0
    except ValueError:
        raise InputError(
            f"{text!r} is no stretch of time.", mend="Write 90m, 24h, 7d, 4w, a day such as 2026-11-01, or all."
        ) from None
