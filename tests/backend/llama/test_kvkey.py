"""The key of a KV state changes with everything that makes it another one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fimble.backend.llama.kvkey import state_key
from fimble.backend.llama.library import BuildFacts

BUILD = BuildFacts(version="0.3.36", can_use_gpu=False, system_info="AVX512 = 1")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(range(256)) * 20_000)  # 5 MB: the samples leave gaps
    return path


def key(
    weights: Path, adapter: Path | None = None, n_ctx: int = 8192, n_gpu: int = 0, build: BuildFacts = BUILD
) -> str:
    return state_key(weights, adapter, n_ctx=n_ctx, n_gpu_layers=n_gpu, build=build)


def test_the_same_is_the_same(weights: Path) -> None:
    assert key(weights) == key(weights)


def test_context_build_and_adapter_are_in_it(weights: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    adapter.write_bytes(b"lora")
    keys = {
        key(weights),
        key(weights, adapter),
        key(weights, n_ctx=4096),
        key(weights, n_gpu=999),
        key(weights, build=replace(BUILD, version="0.3.37")),
        key(weights, build=replace(BUILD, system_info="AVX2 = 1")),
    }
    assert len(keys) == 6


@pytest.mark.parametrize("place", [0, 2_500_000, -1])
def test_other_weights_of_the_same_size_and_time(weights: Path, place: int) -> None:
    before, facts = key(weights), weights.stat()
    raw = bytearray(weights.read_bytes())
    for i in range(100_000):
        raw[place - i] ^= 255  # tensors that were trained differ everywhere, not in one byte
    weights.write_bytes(raw)
    os.utime(weights, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert key(weights) != before


def test_a_file_written_anew_counts_as_another(weights: Path) -> None:
    before = key(weights)
    os.utime(weights, ns=(0, 0))
    assert key(weights) != before


def test_a_file_smaller_than_a_sample(tmp_path: Path) -> None:
    small = tmp_path / "small.gguf"
    small.write_bytes(b"x")
    assert key(small) == key(small)


def test_weights_that_are_gone_are_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        key(tmp_path / "gone.gguf")
