"""The recipes, run as they are with a tiny random model: from archives to a verdict, and by way of another machine.

What needs torch is skipped without the extra `tune`; `make test-tune` installs it and runs these.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.tuning.conftest import make_large_repository
from tests.tuning.tiny_model import write_tiny_model

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
TINY = {
    "PACKAGES": "",
    "HELD_OUT": "kiosk",
    "LIMIT": "60",
    "TASKS": "4",
    "ARM_EXAMPLES": "40",
    "PREPARE": "--max-tokens 128",
    "TRAIN": "--row-tokens 320 --rows-per-step 2 --max-steps 2 --held-out-rows 2 --threads 1",
    "PART_SIZE": "100k",
    "FIMBLE_MODEL_ID": "tiny",
    "FIMBLE_MODEL_N_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


@pytest.mark.parametrize("recipe", sorted(path.name for path in RECIPES.glob("*.sh")))
def test_every_recipe_is_a_program(recipe: str) -> None:
    path = RECIPES / recipe
    assert os.access(path, os.X_OK)
    for shell in filter(shutil.which, ("sh", "bash")):
        subprocess.run([shell, "-n", str(path)], check=True, capture_output=True)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with two packages: one to train on, one held out."""
    packages = tmp_path / "work" / "packages"
    packages.mkdir(parents=True)
    for name, nouns in {"webshop": ("Basket", "Invoice", "Parcel", "Coupon"), "kiosk": ("Paper", "Ticket")}.items():
        root = make_large_repository(tmp_path / "sources" / name, nouns)
        if name == "kiosk":
            for shared in ("orders.py", "money.py"):
                (root / "shop" / shared).unlink()
        with tarfile.open(packages / f"{name}-1.0.tar.gz", "w:gz") as archive:
            archive.add(root, f"{name}-1.0")
    return packages.parent


def run(tmp_path: Path, *command: object, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "fimble").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m fimble.cli.main "$@"\n', "utf-8")
    (programs / "fimble").chmod(0o755)
    environ = {**os.environ, **TINY, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    environ["FIMBLE_HOME"] = str(home or tmp_path / "home")
    words = [str(word) for word in command]
    return subprocess.run(words, env=environ, check=False, capture_output=True, text=True, timeout=280)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny model, taken in under the name that TINY sets; only where it can be trained."""
    for name in ("torch", "transformers", "peft"):
        pytest.importorskip(name, reason='the extra is not installed: pip install "fimble[tune]"')
    path = write_tiny_model(tmp_path / "tiny.gguf")
    taken = run(tmp_path, tmp_path / "bin" / "fimble", "models", "import", path)
    assert taken.returncode == 0, taken.stderr
    return path


@pytest.mark.usefixtures("model")
def test_packages_from_archives_to_a_verdict(work: Path, tmp_path: Path) -> None:
    done = run(tmp_path, RECIPES / "packages.sh", work)
    assert "The adapter does not win" in done.stderr, done.stderr
    assert done.returncode == 1
    assert "held-out loss" in done.stdout
    assert "em_first_line" in done.stdout
    assert (work / "run" / "adapter.gguf").is_file()
    again = run(tmp_path, RECIPES / "packages.sh", work)
    assert "does not win" in again.stderr
    assert "examples from" not in again.stdout  # what was made is kept


@pytest.mark.usefixtures("model")
@pytest.mark.timeout(900)
def test_training_on_a_machine_without_a_network(work: Path, tmp_path: Path) -> None:
    parts, there = tmp_path / "parts", tmp_path / "there"
    for command in (("data.sh", work), ("ablation.sh", "prepare", work), ("offline.sh", "pack", work, parts)):
        done = run(tmp_path, RECIPES / command[0], *command[1:])
        assert done.returncode == 0, done.stderr
    assert len(list(parts.glob("tiny.gguf.*"))) > 2
    assert max(path.stat().st_size for path in parts.iterdir()) <= 100 * 1024

    first = next(parts.glob("tiny.gguf.*"))
    whole = first.read_bytes()
    first.write_bytes(whole[:-1] + b"?")
    damaged = run(tmp_path, RECIPES / "offline.sh", "train", parts, there, home=tmp_path / "elsewhere")
    assert damaged.returncode == 1
    assert "is not whole" in damaged.stderr
    assert not there.exists()
    first.write_bytes(whole)

    done = run(tmp_path, RECIPES / "offline.sh", "train", parts, there, home=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    runs = ("run", "arm-random", "arm-curriculum", "arm-context", "arm-horizon")
    assert sorted(path.name for path in (there / "back").iterdir()) == sorted(runs)
    home = run(tmp_path, RECIPES / "offline.sh", "unpack", there / "back", work)
    assert home.returncode == 0, home.stderr
    judged = run(tmp_path, RECIPES / "ablation.sh", "judge", work)
    assert judged.returncode == 0, judged.stderr
    assert judged.stdout.count("em_first_line") == 4
