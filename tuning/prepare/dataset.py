"""A prepared folder: token sequences in arrays, what they are of, and the tasks that the gate asks.

`sequences.npz` holds the arrays, `about.json` names, counts and the data hash, `tasks.jsonl` held-out records for
`fimble tune eval`. Needs numpy only, so that it can be read anywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fimble.core.errors import InputError
from fimble.tuning.prepare.sequences import TokenSequence

ARRAYS = "sequences.npz"
ABOUT = "about.json"
TASKS = "tasks.jsonl"
_MEND = "Make it with `fimble tune prepare MINED --out FOLDER`."


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sequence and what the curriculum and the split need of its example."""

    sequence: TokenSequence
    stage: int
    is_held_out: bool
    kind: str
    n_chunks: int


@dataclass(frozen=True, slots=True)
class About:
    """What a prepared folder is of. `weights_sha256` names the GGUF whose vocabulary and format it speaks."""

    model_id: str
    weights_sha256: str
    family: str
    end_token: int
    n_train: int
    n_held_out: int
    n_tokens: int
    n_learned_tokens: int
    data_hash: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Sequences in memory. `tokens[offsets[i]:offsets[i + 1]]` is the i-th; `n_given[i]` of it carry no loss."""

    about: About
    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_given: NDArray[np.int32]
    stages: NDArray[np.int8]
    held_out: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many sequences."""
        return len(self.n_given)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence; shape (n_sequences,)."""
        return np.diff(self.offsets)

    def sequence(self, i: int) -> NDArray[np.int32]:
        """Token ids of the i-th; shape (length,)."""
        return self.tokens[self.offsets[i] : self.offsets[i + 1]]


def save(folder: Path, labelled: Sequence[Labelled], about: About, tasks: Sequence[dict[str, Any]]) -> About:
    """Write a prepared folder; returns `about` with its counts and the data hash.

    Raises:
        InputError: the folder cannot be written to.
    """
    lengths = [len(one.sequence.tokens) for one in labelled]
    arrays: dict[str, NDArray[Any]] = {
        "tokens": np.array([token for one in labelled for token in one.sequence.tokens], dtype=np.int32),
        "offsets": np.cumsum([0, *lengths], dtype=np.int64),
        "n_given": np.array([one.sequence.n_given for one in labelled], dtype=np.int32),
        "stages": np.array([one.stage for one in labelled], dtype=np.int8),
        "held_out": np.array([one.is_held_out for one in labelled], dtype=np.bool_),
    }
    n_held_out = int(arrays["held_out"].sum())
    values: dict[str, Any] = asdict(about) | {
        "n_train": len(labelled) - n_held_out,
        "n_held_out": n_held_out,
        "n_tokens": int(arrays["offsets"][-1]),
        "n_learned_tokens": sum(one.sequence.n_learned for one in labelled),
        "data_hash": _hash(arrays),
    }
    made = About(**values)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT).unlink(missing_ok=True)
        with (folder / ARRAYS).open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        lines = "".join(json.dumps(task, ensure_ascii=True) + "\n" for task in tasks)
        (folder / TASKS).write_text(lines, "utf-8")
        (folder / ABOUT).write_text(json.dumps(asdict(made), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror}.", mend="Choose another folder.") from error
    return made


def load(folder: Path) -> Prepared:
    """Read a prepared folder, and check it against its data hash.

    Raises:
        InputError: it is none, or unfinished, or not what it was.
    """
    if not (folder / ABOUT).is_file():
        raise InputError(f"{folder} is no finished folder of prepared sequences.", mend=_MEND)
    try:
        about = About(**json.loads((folder / ABOUT).read_text("utf-8")))
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("tokens", "offsets", "n_given", "stages", "held_out")}
    except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder} is damaged: {error}", mend=_MEND) from error
    if _hash(arrays) != about.data_hash:
        raise InputError(f"{folder} is not what was prepared: its data hash is another.", mend=_MEND)
    return Prepared(about, **arrays)


def _hash(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()
