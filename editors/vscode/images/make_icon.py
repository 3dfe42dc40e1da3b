"""Draws icon.png: a cursor with written code before it and ghost text behind. `python images/make_icon.py`."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Final

SIZE: Final = 256
_SAMPLES: Final = 4  # per pixel and axis, against jagged edges

Rgb = tuple[int, int, int]
# Left, top, right, bottom, corner radius, in pixels; painted in order.
_SHAPES: Final[tuple[tuple[float, float, float, float, float, Rgb], ...]] = (
    (8, 8, 248, 248, 44, (20, 33, 61)),
    (40, 66, 112, 86, 10, (229, 229, 229)),
    (124, 66, 168, 86, 10, (229, 229, 229)),
    (64, 116, 116, 140, 10, (229, 229, 229)),
    (128, 100, 138, 156, 5, (252, 163, 17)),
    (150, 116, 216, 140, 10, (92, 108, 142)),
    (64, 170, 140, 190, 10, (92, 108, 142)),
    (152, 170, 192, 190, 10, (92, 108, 142)),
)


def _is_inside(x: float, y: float, shape: tuple[float, float, float, float, float, Rgb]) -> bool:
    left, top, right, bottom, radius, _ = shape
    if not (left <= x <= right and top <= y <= bottom):
        return False
    dx = max(left + radius - x, x - (right - radius), 0)
    dy = max(top + radius - y, y - (bottom - radius), 0)
    return dx * dx + dy * dy <= radius * radius


def _pixel(column: int, row: int) -> bytes:
    total = [0, 0, 0]
    n_covered = 0
    for i in range(_SAMPLES * _SAMPLES):
        x = column + (i % _SAMPLES + 0.5) / _SAMPLES
        y = row + (i // _SAMPLES + 0.5) / _SAMPLES
        for shape in reversed(_SHAPES):
            if _is_inside(x, y, shape):
                total = [sum(pair) for pair in zip(total, shape[5], strict=True)]
                n_covered += 1
                break
    if n_covered == 0:
        return bytes(4)
    return bytes([*(value // n_covered for value in total), 255 * n_covered // _SAMPLES**2])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def icon() -> bytes:
    """The picture as PNG, RGBA, SIZE by SIZE pixels."""
    rows = b"".join(b"\0" + b"".join(_pixel(column, row) for column in range(SIZE)) for row in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


if __name__ == "__main__":
    Path(__file__).with_name("icon.png").write_bytes(icon())
