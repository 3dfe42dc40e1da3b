"""What can go wrong, for people: each error says what happened, how to mend it, and its exit code.

FimbleError
|- InputError             exit 2   the file, position or option the user gave
|  |- ConfigError
|- ModelError             exit 3   the weights
|  |- ModelMissingError            not downloaded, not in the catalog, file gone
|  |- ModelCorruptError            wrong checksum, truncated, not a GGUF
|  |- ModelUnsuitableError         no fill-in-the-middle markers, too large for this machine
|- BackendError           exit 4   the process that runs the model
|  |- ModelProcessDiedError
|- DownloadError          exit 5   network, mirror, disk
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import ClassVar

_log = logging.getLogger(__name__)


class FimbleError(Exception):
    """An expected failure. `message` says what happened; `mend` says what the user can do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, mend: str = "") -> None:
        """Keep both parts; `str()` joins them."""
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        """Message, then the mend on its own line."""
        return f"{self.message}\n{self.mend}" if self.mend else self.message


class InputError(FimbleError):
    """The file, position or option that the user gave cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """An option has a value that it cannot have."""


class ModelError(FimbleError):
    """The model's weights cannot be used."""

    exit_code = 3


class ModelMissingError(ModelError):
    """The weights are not on this machine."""


class ModelCorruptError(ModelError):
    """The weights are there and are not what they should be."""


class ModelUnsuitableError(ModelError):
    """The weights are whole, and fimble cannot complete code with them."""


class BackendError(FimbleError):
    """The model process could not answer."""

    exit_code = 4


class ModelProcessDiedError(BackendError):
    """The model process ended while it owed an answer."""


class DownloadError(FimbleError):
    """Weights could not be fetched."""

    exit_code = 5


class InvariantBrokenError(AssertionError):
    """A promise of our own code does not hold. Raised under tests only."""


class _Invariants:
    strict = False
    broken: ClassVar[Counter[str]] = Counter()


def set_strict_invariants(strict: bool) -> None:
    """Under tests a broken invariant raises; in production it is logged and counted."""
    _Invariants.strict = strict


def invariant_broken(message: str) -> None:
    """Report a bug of ours without taking the user's editor down.

    Raises:
        InvariantBrokenError: under tests.
    """
    if _Invariants.strict:
        raise InvariantBrokenError(message)
    _Invariants.broken[message] += 1
    _log.error("invariant broken (%d times so far): %s", _Invariants.broken[message], message)
