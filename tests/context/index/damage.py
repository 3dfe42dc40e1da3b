"""Indexes as a crash may leave them, whole but for one page, and as another program may hold them."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Generator, Iterator
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


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """While it lasts, nobody else can open the index."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        yield
