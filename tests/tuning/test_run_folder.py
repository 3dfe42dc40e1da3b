"""A run's folder after a kill: half a line of the curve, half a description. Needs no torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from fimble.core.errors import InputError
from fimble.tuning.training.run_folder import METRICS, RUN, RunFolder, TrainConfig


def begin(path: Path) -> RunFolder:
    folder = RunFolder(path)
    folder.begin(TrainConfig(), "data", "weights", {})
    return folder


def test_half_a_line_of_the_curve_is_passed_over_and_not_joined(tmp_path: Path) -> None:
    folder = begin(tmp_path)
    for step in (1, 2):
        folder.log({"step": step, "loss": 1.0 / step})
    curve = tmp_path / METRICS
    curve.write_text(curve.read_text("utf-8")[:-9], "utf-8")
    assert [value["step"] for value in folder.metrics()] == [1]
    begin(tmp_path).log({"step": 2, "loss": 0.5})
    assert [value["step"] for value in folder.metrics()] == [1, 2]


def test_a_run_is_described_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(InputError, match="No space left"):
            begin(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not begin(tmp_path).is_done
    assert (tmp_path / RUN).is_file()
