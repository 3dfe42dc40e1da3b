"""Tuning on one's own repository: sizes that are safe, and a folder that knows whether a run can be gone on with.

A run that was stopped, or killed, goes on at the stage it was in; one that came to a verdict is followed by a new one.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from fimble.core.config import PromptOptions
from fimble.core.errors import InputError
from fimble.tuning.mine.examples import REPORT
from fimble.tuning.mine.spans import SpanOptions
from fimble.tuning.prepare.dataset import ABOUT, TASKS
from fimble.tuning.prepare.run import PrepareOptions
from fimble.tuning.training.run_folder import TrainConfig

_STATE = "own.json"
# With fewer tasks no adapter can win: five better and none worse is chance in 1 of 16 (sign test, both sides).
MIN_TASKS = 6


@dataclass(frozen=True, slots=True)
class Sizes:
    """What each stage gets."""

    spans: SpanOptions
    prepare: PrepareOptions
    train: TrainConfig


def sizes(prompt: PromptOptions, *, has_gpu: bool, n_examples: int = 0) -> Sizes:
    """With a GPU many examples, in the prompts that serving makes; on a CPU 600 short ones (docs/tuning.md).

    `n_examples` takes the place of either number where it is not 0.
    """
    if has_gpu:
        return Sizes(
            SpanOptions(),
            PrepareOptions(prompt, limit=n_examples or 20_000),
            TrainConfig(row_tokens=max(2048, prompt.max_tokens + 256), rows_per_step=16, evaluate_every=100),
        )
    short = replace(prompt, max_tokens=min(prompt.max_tokens, 256), chunk_tokens=min(prompt.chunk_tokens, 85))
    # A step takes half a minute of one core: a killed run loses few of them.
    return Sizes(
        SpanOptions(n_per_file=12),
        PrepareOptions(short, limit=n_examples or 600, n_tasks=60),
        TrainConfig(row_tokens=420, rows_per_step=4, evaluate_every=40, n_held_out_rows=24, checkpoint_every=5),
    )


class OwnFolder:
    """What lies between the stages of one repository's tuning."""

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self.path = path
        self.mined = path / "mined"
        self.prepared = path / "prepared"
        self.run = path / "run"
        self.adapter = self.run / "adapter.gguf"

    @property
    def is_mined(self) -> bool:
        """Whether the first stage is done."""
        return (self.mined / REPORT).is_file()

    @property
    def is_prepared(self) -> bool:
        """Whether the second stage is done."""
        return (self.prepared / ABOUT).is_file()

    @contextlib.contextmanager
    def alone(self) -> Generator[None]:
        """Keep others out: a run that was thought dead may still be at work.

        Raises:
            InputError: another process is at work here, or the folder cannot be written to.
        """
        lock = filelock.FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except filelock.Timeout as error:
            raise InputError(
                f"Another `fimble tune own` is at work in {self.path}.", mend="Wait for it, or stop it."
            ) from error
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            yield
        finally:
            lock.release()

    def take_up(self, wanted: Mapping[str, Any]) -> bool:
        """True where a stopped run of the very same goes on; else what an earlier one left is deleted.

        `wanted` is everything that decides the outcome, but for the repository's files: those are read once.

        Raises:
            InputError: the folder is somebody else's, or cannot be written to.
        """
        state = self.path / _STATE
        stages = (self.mined, self.prepared, self.run)
        asked = json.dumps(wanted, sort_keys=True, default=str)
        try:
            if state.is_file():
                if state.read_text("utf-8") == asked:
                    return True
            elif any(stage.exists() for stage in stages):
                raise InputError(
                    f"{self.path} holds something that `fimble tune own` did not make.", mend="Choose another --work."
                )
            state.unlink(missing_ok=True)
            for stage in stages:
                shutil.rmtree(stage, ignore_errors=True)
            self.path.mkdir(parents=True, exist_ok=True)
            state.write_text(asked, "utf-8")
        except OSError as error:
            raise self._not_writable(error) from error
        return False

    def require_tasks(self) -> int:
        """How many held-out tasks there are, said before hours of training.

        Raises:
            InputError: too few for a verdict.
        """
        n_tasks = len((self.prepared / TASKS).read_text("utf-8").splitlines())
        if n_tasks < MIN_TASKS:
            raise InputError(
                f"The repository gives {n_tasks} held-out tasks; with fewer than {MIN_TASKS} nobody could tell "
                "whether an adapter helps.",
                mend="Tune on more code: `fimble tune mine` takes several repositories (docs/tuning.md).",
            )
        return n_tasks

    def finish(self) -> None:
        """There is a verdict: the next run begins anew. The adapter stays, to be looked at."""
        (self.path / _STATE).write_text("", "utf-8")

    def _not_writable(self, error: OSError) -> InputError:
        return InputError(f"{self.path} cannot be written to: {error.strerror}.", mend="Choose another --work.")


def default_name(repository: Path) -> str:
    """The folder's name, as far as an adapter can have it."""
    return re.sub(r"[^a-z0-9._-]+", "-", repository.resolve().name.lower()).strip("-._")[:64] or "own"


def wanted(
    repository: Path, model_id: str, weights_sha256: str, chosen: Sizes, evaluation: tuple[Path, ...]
) -> dict[str, Any]:
    """Everything that decides a run of `own`, for OwnFolder.take_up."""
    return {
        "repository": str(repository.resolve()),
        "model": model_id,
        "weights_sha256": weights_sha256,
        "spans": asdict(chosen.spans),
        "prepare": asdict(chosen.prepare),
        "train": asdict(chosen.train),
        "evaluation": [str(path.resolve()) for path in evaluation],
    }
