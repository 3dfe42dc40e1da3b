"""What a GGUF file's header promises: version, metadata scalars, and where the last tensor ends.

A light reader: the `gguf` package's own maps the whole file and keeps every token in memory. Layout of the format:
ggml's docs/gguf.md (little-endian; header, key-values, tensor infos, padding, tensor data).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT_BYTES = 32
_STRING, _ARRAY = 8, 9
# Value types of the format: number -> struct code. 7 is bool.
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
# ggml allows 4 dimensions and the longest text is a chat template; more is noise read as a header.
_MAX_DIMENSIONS = 8
_MAX_TEXT_BYTES = 16 << 20

Scalar = str | int | float | bool


class NotGgufError(Exception):
    """The file does not begin as a GGUF of a version that llama.cpp reads."""


class TruncatedError(Exception):
    """The file ends before what its header promises."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """`metadata` has the scalar values only. `min_size_bytes` is where the last tensor's data ends, `n_weights` how
    many numbers all tensors hold.
    """

    version: int
    n_tensors: int
    metadata: dict[str, Scalar]
    min_size_bytes: int
    n_weights: int = 0


def read_header(path: Path) -> GgufHeader:
    """Read the header of `path`.

    Raises:
        NotGgufError: wrong magic or version, or a header that makes no sense.
        TruncatedError: the file ends within the header.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return _read(_Reader(file, path.stat().st_size))


class _Reader:
    """Little-endian values from a file whose length bounds every count in it."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self.size_bytes = size_bytes

    def tell(self) -> int:
        return self._file.tell()

    def take(self, n_bytes: int) -> bytes:
        data = self._file.read(n_bytes)
        if len(data) < n_bytes:
            raise TruncatedError("the file ends within its header")
        return data

    def skip(self, n_bytes: int) -> None:
        if self.tell() + n_bytes > self.size_bytes:
            raise TruncatedError("the file ends within its header")
        self._file.seek(n_bytes, 1)

    def scalar(self, code: str) -> int | float | bool:
        value: int | float | bool = struct.unpack(code, self.take(struct.calcsize(code)))[0]
        return value

    def whole(self, code: str) -> int:
        return int(self.scalar(code))

    def text(self) -> str:
        n_bytes = self.whole("<Q")
        if n_bytes > _MAX_TEXT_BYTES:  # before allocating: a damaged length may be anything up to 2**64
            raise NotGgufError(f"its header has a text of {n_bytes:,} bytes")
        return self.take(n_bytes).decode("utf-8", "replace")


def _read(reader: _Reader) -> GgufHeader:
    if reader.size_bytes < len(MAGIC) or reader.take(len(MAGIC)) != MAGIC:
        raise NotGgufError("it does not begin with the letters GGUF")
    version = reader.whole("<I")
    if version not in _VERSIONS:
        big_endian = int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS
        raise NotGgufError("it is big-endian" if big_endian else f"its GGUF version is {version}")
    n_tensors, n_pairs = reader.whole("<Q"), reader.whole("<Q")
    metadata: dict[str, Scalar] = {}
    for _ in range(n_pairs):
        key = reader.text()
        value = _value(reader, reader.whole("<I"))
        if value is not None:
            metadata[key] = value
    tensors = [_tensor(reader) for _ in range(n_tensors)]
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT_BYTES)
    if not isinstance(alignment, int) or alignment < 1:
        raise NotGgufError(f"its alignment is {alignment!r}")
    data_start = math.ceil(reader.tell() / alignment) * alignment
    # A file without tensors (a bare vocabulary) need not be padded.
    min_size_bytes = data_start + max(end for end, _ in tensors) if tensors else reader.tell()
    return GgufHeader(version, n_tensors, metadata, min_size_bytes, sum(n_items for _, n_items in tensors))


def _value(reader: _Reader, kind: int) -> Scalar | None:
    """One value; arrays are passed over."""
    if kind == _STRING:
        return reader.text()
    if kind == _ARRAY:
        _skip_array(reader)
        return None
    if kind not in _SCALARS:
        raise NotGgufError(f"a value of unknown type {kind}")
    return reader.scalar(_SCALARS[kind])


def _skip_array(reader: _Reader) -> None:
    kind, n_items = reader.whole("<I"), reader.whole("<Q")
    if kind in _SCALARS:
        reader.skip(n_items * struct.calcsize(_SCALARS[kind]))
    elif kind == _STRING:
        for _ in range(n_items):
            reader.skip(reader.whole("<Q"))
    else:
        raise NotGgufError(f"an array of unknown type {kind}")


def _tensor(reader: _Reader) -> tuple[int, int]:
    """Where a tensor's data ends, in bytes from the start of the data, and how many numbers it holds."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType  # brings numpy in: 0.15 s

    name, n_dimensions = reader.text(), reader.whole("<I")
    if n_dimensions > _MAX_DIMENSIONS:
        raise NotGgufError(f"tensor {name!r} has {n_dimensions} dimensions")
    n_items = math.prod(reader.whole("<Q") for _ in range(n_dimensions))
    kind, offset = reader.whole("<I"), reader.whole("<Q")
    try:
        block_items, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        return offset, n_items  # newer than our table: only its start is sure
    return offset + math.ceil(n_items / block_items) * block_bytes, n_items
