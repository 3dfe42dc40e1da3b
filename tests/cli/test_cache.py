"""`fimble cache`: what it says, and that purging leaves nothing behind."""

from __future__ import annotations

import os

import numpy as np
import pytest
from click.testing import CliRunner

from fimble.backend.host.launch import places
from fimble.backend.llama.kvdisk import KvShelf, prepare
from fimble.cli.main import root
from fimble.core.flow import TokenId
from fimble.engine.settings import user_paths


def said(*arguments: str) -> str:
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_it_is_off_unless_asked_for() -> None:
    assert "Keeping is off (host.kv_disk_mb)" in said("cache", "show")
    assert "Deleted: 0 files" in said("cache", "purge")


def test_purging_deletes_every_state_and_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIMBLE_HOST_KV_DISK_MB", "7")
    folder = places(user_paths(os.environ)).kv_states
    prepare(folder, 1 << 20)
    for first in (0, 1000):
        tokens = tuple(TokenId(first + i) for i in range(100))
        KvShelf(folder, "key", 1 << 20).save(tokens, np.zeros(50_000, np.uint8))
    assert "on, up to 7 MiB" in said("cache", "show")
    assert f"{folder}: 2 files, 0.1 MB" in said("cache", "show")
    assert "Deleted: 2 files, 0.1 MB" in said("cache", "purge")
    assert not folder.exists()
