"""Indexes as a crash may leave them: whole but for one page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

_PAGE_BYTES = 4096


def damaged_pages(path: Path) -> Iterator[int]:
    """Damages each page of a closed index but the first, first by zeros and then by junk; the others are whole."""
    whole = path.read_bytes()
    junk = random.Random(1)
    for content in (lambda: bytes(_PAGE_BYTES), lambda: junk.randbytes(_PAGE_BYTES)):
        for start in range(_PAGE_BYTES, len(whole), _PAGE_BYTES):
            for part in path.parent.glob(f"{path.name}*"):
                part.unlink()
            path.write_bytes(whole[:start] + content() + whole[start + _PAGE_BYTES :])
            yield start // _PAGE_BYTES
