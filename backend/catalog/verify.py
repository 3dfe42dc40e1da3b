"""Is this file a whole GGUF, and the one it should be? Checksums and header sanity, each failure with its mend.

Whether the model can fill in the middle is not asked here: the prompt's family record decides that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from fimble.backend.catalog.gguf_header import NotGgufError, TruncatedError, read_header
from fimble.core.errors import ModelCorruptError

_CHUNK_BYTES = 1 << 20

OnBytes = Callable[[int, int | None], None]
"""Told the bytes done and the bytes in all, None while unknown."""

OnProgress = Callable[[int, int | None, str], None]
"""As OnBytes, with where the bytes come from, or "checksum" while they are compared."""


def no_progress(_done_bytes: int, _total_bytes: int | None) -> None:
    """An OnBytes for nobody."""


def sha256_of(path: Path, on_bytes: OnBytes = no_progress) -> str:
    """The file's SHA-256, in lower-case hex.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    total_bytes = path.stat().st_size
    done_bytes = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            done_bytes += len(chunk)
            on_bytes(done_bytes, total_bytes)
    return digest.hexdigest()


def check_gguf(path: Path, *, mend: str) -> None:
    """Refuse a file that is not a GGUF, is one of several pieces, or ends too early.

    Raises:
        ModelCorruptError: with `mend` as what to do.
    """
    try:
        header = read_header(path)
    except NotGgufError as error:
        raise ModelCorruptError(f"{path} is not a GGUF model: {error}.", mend=mend) from error
    except TruncatedError as error:
        raise ModelCorruptError(f"{path} is truncated: {error}.", mend=mend) from error
    except OSError as error:
        raise ModelCorruptError(f"{path} cannot be read: {error.strerror or error}.", mend=mend) from error
    size_bytes = path.stat().st_size
    if size_bytes < header.min_size_bytes:
        raise ModelCorruptError(
            f"{path} is truncated: it has {size_bytes:,} of the {header.min_size_bytes:,} bytes that its header names.",
            mend=mend,
        )
    n_pieces = header.metadata.get("split.count", 1)
    if isinstance(n_pieces, int) and n_pieces > 1:
        raise ModelCorruptError(
            f"{path} is one of {n_pieces} pieces of a model.",
            mend="Join the pieces with llama.cpp's `llama-gguf-split --merge` and use the result.",
        )


def check_sha256(path: Path, expected: str, *, mend: str, on_bytes: OnBytes = no_progress) -> None:
    """Refuse a file whose checksum is not `expected`.

    Raises:
        ModelCorruptError: with `mend` as what to do.
    """
    found = sha256_of(path, on_bytes)
    if found != expected:
        raise ModelCorruptError(f"{path} has a wrong checksum: sha256 is {found}, expected {expected}.", mend=mend)
