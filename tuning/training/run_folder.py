"""A run's folder: what it is of, its loss curve, and where it can go on. Needs no torch.

`run.json` (config, data, weights, versions), `metrics.jsonl` (one line a step or measurement), `checkpoint.pt`,
and, once it is done, `adapter.npz`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fimble.core.errors import InputError
from fimble.evaluation.results import write_atomically

RUN = "run.json"
METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint.pt"
ADAPTER = "adapter.npz"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a run, beside data and weights.

    `rank` and `alpha` are LoRA's; `horizon_weight` is the share of the horizon loss (arXiv 2410.03103 takes 0.1), 0
    turns it off. A step is `rows_per_step` rows of `row_tokens` tokens. `order` is curriculum or random. `dtype` is
    that of the frozen weights; what is trained is always float32.
    """

    rank: int = 16
    alpha: float = 32.0
    horizon_weight: float = 0.1
    learning_rate: float = 3e-4
    warmup_share: float = 0.06
    row_tokens: int = 1024
    rows_per_step: int = 8
    epochs: int = 1
    max_steps: int = 0
    order: str = "curriculum"
    dtype: str = "auto"
    evaluate_every: int = 50
    n_held_out_rows: int = 64
    checkpoint_every: int = 25
    seed: int = 0


class RunFolder:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self.path = path

    def begin(self, config: TrainConfig, data_hash: str, weights_sha256: str, facts: Mapping[str, object]) -> bool:
        """Make the folder, or take it up again; returns whether there is a checkpoint to go on from.

        Raises:
            InputError: another run lives there, or the folder cannot be written to.
        """
        wanted: dict[str, Any] = {
            "config": asdict(config),
            "data_hash": data_hash,
            "weights_sha256": weights_sha256,
        }
        run = self.path / RUN
        if run.is_file():
            known = self.about()
            if {key: known.get(key) for key in wanted} != wanted:
                raise InputError(
                    f"{self.path} holds a run with other settings, data or weights.",
                    mend="Choose another --out, or delete that folder.",
                )
            self._end_torn_line()
            return (self.path / CHECKPOINT).is_file()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_atomically(run, json.dumps({**wanted, **facts}, indent=2) + "\n")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written to: {error.strerror}.", mend="Choose another.") from error
        return False

    def about(self) -> dict[str, Any]:
        """What run.json says.

        Raises:
            InputError: this is no run's folder.
        """
        try:
            return dict(json.loads((self.path / RUN).read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path} is no folder of a training run.", mend="Make one with `fimble tune train`."
            ) from error

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to train."""
        return (self.path / ADAPTER).is_file()

    def log(self, values: Mapping[str, float | int]) -> None:
        """Add a line to the loss curve."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(values)) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Every line of the loss curve; a step that was done twice, after an interruption, counts once.

        A line that was being written when the run was killed is passed over.
        """
        try:
            lines = (self.path / METRICS).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: dict[tuple[int, bool], dict[str, Any]] = {}
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            found[value["step"], "held_out_loss" in value] = value
        return [found[key] for key in sorted(found)]

    def _end_torn_line(self) -> None:
        """A killed run may have left half a line: the next must not join it."""
        path = self.path / METRICS
        if path.is_file() and not path.read_bytes().endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")

    def save_adapter(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Write what was learned; the run is done then."""
        fresh = self.path / f".{ADAPTER}.new"
        with fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, **dict(weights))
        fresh.replace(self.path / ADAPTER)

    def adapter(self) -> dict[str, NDArray[np.float32]]:
        """What was learned, by the names of the trained model.

        Raises:
            InputError: the run is not done.
        """
        self.about()
        try:
            with np.load(self.path / ADAPTER, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (OSError, ValueError) as error:
            raise InputError(
                f"The run in {self.path} is not done.", mend="Run `fimble tune train` again: it goes on where it was."
            ) from error
