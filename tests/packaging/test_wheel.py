"""Distributions: the wheel built from the sdist, in a clean environment, beside folders of a project with our names."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """The wheel built from the sdist, which is what `python -m build` does without options."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, repo_root, cwd=out)
    (built,) = out.glob("*.whl")
    assert list(out.glob("*.tar.gz"))
    return built


def test_the_wheel_holds_fimble_and_nothing_else(wheel: Path, repo_root: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"fimble"}
    shipped = {name for name in names if name.startswith("fimble/")}
    folders = {name.split("/")[1] for name in shipped}
    for folder in folders:
        for path in (repo_root / folder).rglob("*.py"):
            assert f"fimble/{path.relative_to(repo_root)}" in shipped
    assert "fimble/backend/catalog/models.toml" in shipped
    assert not [name for name in names if "__pycache__" in name or name.endswith(".gguf")]


def test_a_clean_environment_runs_it_beside_folders_of_the_same_names(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    # llama.cpp takes minutes to build and --version must not need it: that, too, is checked here.
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "click>=8.1,<9", cwd=tmp_path)
    project = tmp_path / "project"
    for name in ("backend", "context", "core", "fimble"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise RuntimeError('the project shadows fimble')\n")
    assert run(environment / "bin" / "fimble", "--version", cwd=project).startswith("fimble, version ")
    output = run(python, "-P", "-m", "fimble.cli.main", "--version", cwd=project)
    assert output.startswith("fimble, version ")
