"""The Makefile as a new user meets it: a folder with a blank in its name, a Python that is too old."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_FILES = ("Makefile", "pyproject.toml", "hatch_build.py", "constraints.txt")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Enough of a checkout for make to say what it would do."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path / "my code"
    folder.mkdir()
    for name in _FILES:
        shutil.copy(Path(__file__).parents[2] / name, folder)
    return folder


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As the user calls it, though the tests may themselves be run by make."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "FIMBLE_"))}
    return subprocess.run(["make", *arguments], cwd=checkout, env=environ, capture_output=True, text=True, check=False)


def test_no_command_names_the_folder(checkout: Path) -> None:
    """An unquoted path with a blank is two arguments."""
    shown = make(checkout, "-n", "demo", "dev", "editors")
    assert shown.returncode == 0, shown.stderr
    assert "pip wheel" in shown.stdout
    assert str(checkout) not in shown.stdout


def test_an_old_python_is_refused_before_anything_is_made(checkout: Path) -> None:
    refused = make(checkout, "demo", "PYTHON=false")
    assert refused.returncode != 0
    assert "make PYTHON=" in refused.stderr
    assert sorted(path.name for path in checkout.iterdir()) == sorted(_FILES)
