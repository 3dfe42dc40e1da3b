"""Which models suit which machine."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from fimble.backend.catalog.catalog import load_catalog
from fimble.backend.catalog.fit import Fit, Hardware, explain, fit, read_hardware, recommend
from fimble.backend.host import cores

CATALOG = load_catalog()
SMALL, MIDDLE = "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"


@pytest.mark.parametrize(
    ("total_mb", "available_mb", "n_cores", "advised"),
    [
        (16_000, 12_000, 8, [MIDDLE, SMALL]),
        (16_000, 12_000, 4, [SMALL]),
        (16_000, 12_000, 2, [SMALL]),
        (16_000, 12_000, 1, [SMALL]),  # slow, and still the smallest
        (2_000, 1_500, 8, [SMALL]),  # room for one only
        (16_000, 500, 2, [SMALL]),  # once other programs have made room
        (1_000, 900, 8, []),
    ],
)
def test_advice(total_mb: int, available_mb: int, n_cores: int, advised: list[str]) -> None:
    assert [entry.id for entry in recommend(CATALOG, Hardware(total_mb, available_mb, n_cores))] == advised


@pytest.mark.parametrize(
    ("total_mb", "available_mb", "expected", "sentence"),
    [
        (16_000, 4_000, Fit.FITS, "GiB are free."),
        (16_000, 1_000, Fit.TIGHT, "close other programs"),
        (1_000, 1_000, Fit.TOO_LARGE, "too much for this machine"),
    ],
)
def test_memory(total_mb: int, available_mb: int, expected: Fit, sentence: str) -> None:
    hardware = Hardware(total_mb, available_mb, 4)
    assert fit(CATALOG.default, hardware) is expected
    assert sentence in explain(CATALOG.default, hardware)


def test_advice_is_of_tested_models_alone() -> None:
    advised = recommend(CATALOG, Hardware(1_000_000, 1_000_000, 256))
    assert {entry.id for entry in advised} == {entry.id for entry in CATALOG.entries if entry.tested}


def test_this_machine(tmp_path: Path) -> None:
    hardware = read_hardware(tmp_path)  # no cgroup there
    assert hardware.total_memory_mb == psutil.virtual_memory().total >> 20
    assert 0 < hardware.available_memory_mb <= hardware.total_memory_mb
    assert 1 <= hardware.n_cores <= (os.cpu_count() or 1)


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{512 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{112 << 20}\n")
    hardware = read_hardware(tmp_path)
    assert (hardware.total_memory_mb, hardware.available_memory_mb) == (512, 400)


def test_a_container_without_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert read_hardware(tmp_path).total_memory_mb == psutil.virtual_memory().total >> 20


def test_a_cpu_quota_counts_as_fewer_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "masked_cores", lambda: 16)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16)
    monkeypatch.setattr(cores, "quota_cores", lambda: 1.5)
    assert read_hardware().n_cores == 1
