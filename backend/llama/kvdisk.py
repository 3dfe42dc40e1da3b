"""KV states on disk: what the model has read, kept for its next start. Knows files and token ids, not llama.cpp.

One file a state, written whole or not at all: a line of JSON that describes it, the token ids, the bytes that llama.cpp
gave. Only this user may read them, for they hold code: token ids are its text in other words. A state of another
model or another build is left to its owner; what is no state, or a damaged one, is deleted and logged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fimble.backend.llama.kvplan import common_prefix
from fimble.core.flow import TokenId

_log = logging.getLogger(__name__)
_SUFFIX = ".kv"
_UNFINISHED = ".kv.part"
_VERSION = 1  # of the files; one of another version counts as damaged
_MAX_HEAD_BYTES = 1024
_TOKEN = np.dtype("<i4")
_MAX_AGE_S = 30 * 86_400.0
_MAX_WRITING_S = 3600.0
# Loading costs less than a three-hundredth of evaluating (docs/LOG.md): so many tokens pay for a whole place's file.
LEAST_GAIN_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Stored:
    """A state on disk and the tokens that it is of."""

    path: Path
    tokens: tuple[TokenId, ...]


@dataclass(frozen=True, slots=True)
class _Head:
    """A file's first line. `digest` is over its other fields and all that follows; `key` is the model and build."""

    key: str
    n_tokens: int
    n_state_bytes: int
    digest: str

    def digest_of(self, *parts: bytes | memoryview) -> str:
        """What `digest` has to be."""
        digest = hashlib.sha256(f"{self.key} {self.n_tokens} {self.n_state_bytes} ".encode())
        for part in parts:
            digest.update(part)
        return digest.hexdigest()


class KvShelf:
    """The states of one model and build (`key`) in a folder that holds at most `max_bytes` of all of them.

    One thread saves and loads; `best` may be asked from any.
    """

    def __init__(self, folder: Path, key: str, max_bytes: int) -> None:
        """Look what is there; delete what is damaged or was not used for 30 days. A missing folder is an empty one."""
        self._folder = folder
        self._key = key
        self._max_bytes = max_bytes
        self._stored: tuple[Stored, ...] = tuple(self._look())

    def best(self, wanted: Sequence[TokenId], n_held: int) -> Stored | None:
        """The state that shares most with `wanted`, if it spares enough where `n_held` tokens are in memory."""
        shared = [(common_prefix(one.tokens, wanted), one) for one in self._stored]
        n_shared, one = max(shared, key=lambda pair: pair[0], default=(0, None))
        return one if n_shared - n_held >= LEAST_GAIN_TOKENS else None

    def load(self, stored: Stored) -> npt.NDArray[np.uint8] | None:
        """The bytes of a state, shape (n_state_bytes,); None, and it is gone, where the file no longer holds them."""
        try:
            with stored.path.open("rb") as file:
                head = _read_head(file)
                body = file.read()
            if head.digest_of(body) != head.digest:
                raise ValueError("its checksum does not hold")
            os.utime(stored.path)
        except (OSError, ValueError) as error:
            self.drop(stored, str(error))
            return None
        except MemoryError:
            return None
        return np.frombuffer(body, np.uint8, offset=head.n_tokens * _TOKEN.itemsize)

    def drop(self, stored: Stored, reason: str) -> None:
        """Delete a state that turned out to be of no use."""
        self._stored = tuple(one for one in self._stored if one != stored)
        _delete(stored.path, reason)

    def save(self, tokens: tuple[TokenId, ...], state: npt.NDArray[np.uint8]) -> None:
        """Keep a state; those that say little more than it are replaced, the longest unused make room.

        Raises:
            OSError: it cannot be written; FileNotFoundError says that somebody deleted the folder and wants none.
        """
        ids = np.asarray(tokens, _TOKEN).tobytes()
        path = self._folder / f"{self._key[:16]}-{hashlib.sha256(ids).hexdigest()[:16]}{_SUFFIX}"
        head = _Head(self._key, len(tokens), state.nbytes, digest="")
        line = _line(replace(head, digest=head.digest_of(ids, state.data)))
        if len(line) + len(ids) + state.nbytes > self._max_bytes:
            return
        _write(path, line, ids, state.data)
        covered = [one for one in self._stored if one.path == path or _says_little_more(one.tokens, tokens)]
        for one in covered:
            if one.path != path:
                one.path.unlink(missing_ok=True)
        self._stored = (*(one for one in self._stored if one not in covered), Stored(path, tokens))
        self._make_room()

    def _look(self) -> Iterator[Stored]:
        now = time.time()
        for path in sorted(self._folder.glob(f"*{_UNFINISHED}")):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > _MAX_WRITING_S:
                    path.unlink()
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                if now - path.stat().st_mtime > _MAX_AGE_S:
                    path.unlink(missing_ok=True)
                    continue
                with path.open("rb") as file:
                    head = _read_head(file)
                    if head.key == self._key:
                        ids = np.frombuffer(file.read(head.n_tokens * _TOKEN.itemsize), _TOKEN)
                        yield Stored(path, tuple(TokenId(token) for token in ids.tolist()))
            except FileNotFoundError:
                continue  # another model process dropped it
            except (OSError, ValueError) as error:
                _delete(path, str(error))

    def _make_room(self) -> None:
        facts: list[tuple[float, int, Path]] = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                facts.append((found.st_mtime, found.st_size, path))
        n_bytes = sum(size for _, size, _ in facts)
        gone: set[Path] = set()
        for _, size, path in sorted(facts):
            if n_bytes <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            gone.add(path)
            n_bytes -= size
        self._stored = tuple(one for one in self._stored if one.path not in gone)


def prepare(folder: Path, max_bytes: int) -> bool:
    """Make the folder for this user alone; without room for anything, or where it is another user's, keep none.

    Returns whether states may be kept.
    """
    if max_bytes <= 0:
        forget(folder)
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = folder.stat()
        if facts.st_uid != os.getuid():
            _log.warning("%s belongs to another user: no KV states are kept", folder)
            return False
        if stat.S_IMODE(facts.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        _log.warning("no KV states are kept: %s", error)
        return False
    return True


def forget(folder: Path) -> tuple[int, int]:
    """Delete every state, and the folder: then a model process that runs writes none either.

    Returns how many there were, and their bytes.
    """
    n_files = n_bytes = 0
    for path in (*folder.glob(f"*{_SUFFIX}"), *folder.glob(f"*{_UNFINISHED}")):
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            n_files, n_bytes = n_files + 1, n_bytes + size
    with contextlib.suppress(OSError):
        folder.rmdir()
    return n_files, n_bytes


def _says_little_more(tokens: tuple[TokenId, ...], than: tuple[TokenId, ...]) -> bool:
    return len(tokens) - common_prefix(tokens, than) < LEAST_GAIN_TOKENS


def _write(path: Path, *parts: bytes | memoryview) -> None:
    """Write beside and rename: a reader sees all of it or nothing. The checksum is what a lost power supply needs."""
    unfinished = path.with_name(f"{path.stem}-{os.getpid()}{_UNFINISHED}")
    try:
        with open(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            for part in parts:
                file.write(part)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _line(head: _Head) -> bytes:
    return json.dumps({"fimble_kv": _VERSION, **asdict(head)}).encode() + b"\n"


def _read_head(file: BinaryIO) -> _Head:
    """The head of an open file, which then stands at the token ids.

    Raises:
        ValueError: it is no state, or not all of one.
    """
    line = file.readline(_MAX_HEAD_BYTES)
    try:
        found: Any = json.loads(line)
        if found["fimble_kv"] != _VERSION:
            raise ValueError("it is of another version of fimble")
        head = _Head(str(found["key"]), int(found["n_tokens"]), int(found["n_state_bytes"]), str(found["digest"]))
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError("it is no KV state") from error
    n_bytes = len(line) + head.n_tokens * _TOKEN.itemsize + head.n_state_bytes
    if min(head.n_tokens, head.n_state_bytes) < 0 or n_bytes != os.fstat(file.fileno()).st_size:
        raise ValueError("it is not as long as it should be")
    return head


def _delete(path: Path, reason: str) -> None:
    _log.warning("deleting the KV state %s: %s", path.name, reason)
    with contextlib.suppress(OSError):
        path.unlink()
