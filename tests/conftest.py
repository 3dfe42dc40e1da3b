"""Every test runs with its own home, cache and runtime folder, and with broken invariants raising."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from fimble.backend.catalog.catalog import load_catalog
from fimble.backend.catalog.store import ModelStore
from fimble.core import errors
from fimble.core.config import Config
from fimble.engine.settings import user_paths

# A deadline is wall-clock, which a busy machine breaks; pytest-timeout ends what hangs.
settings.register_profile("fimble", deadline=None)
settings.load_profile("fimble")

# Read before any test puts its own home in place: the weights that `make model` fetched are the user's.
_USER_MODELS = user_paths(os.environ).models


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FIMBLE_HOME", str(home))
    # A model process that a test starts must not outlive the test run by much.
    monkeypatch.setenv("FIMBLE_HOST_LINGER_S", "2")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))


@pytest.fixture(autouse=True)
def _strict_invariants() -> Iterator[None]:
    errors.set_strict_invariants(True)
    yield
    errors.set_strict_invariants(False)


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout under test."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The default model's weights, as `make model` fetched them."""
    try:
        return ModelStore(_USER_MODELS, load_catalog()).resolve(Config().model.id)
    except errors.ModelError as error:
        if os.environ.get("FIMBLE_REQUIRE_MODEL"):
            pytest.fail(f"the model tests must run here: {error}")
        pytest.skip(f"the default model is not installed (`make model`): {error.message}")


@pytest.fixture
def counted(tmp_path: Path) -> Callable[[Path], list[dict[str, Any]]]:
    """What was counted under a FIMBLE_HOME: the rows of `fimble telemetry export`, as a user gets them."""

    def rows(home: Path) -> list[dict[str, Any]]:
        target = tmp_path / "counted.jsonl"
        environ = {**os.environ, "FIMBLE_HOME": str(home)}
        command = [sys.executable, "-P", "-m", "fimble.cli.main", "telemetry", "export", str(target)]
        subprocess.run(command, env=environ, check=True, capture_output=True, timeout=60)
        return [json.loads(line) for line in target.read_text("utf-8").splitlines()]

    return rows
