"""Puts the repositories behind the cross-file sets together, from packages and the sets' own files. Not a test.

    python tests/context/get_repositories.py FOLDER --data DATA

FOLDER then holds them as OWNER__NAME, for `needed_definitions.py` and `fimble eval --context repository`. Needs pip,
npm and apt-get (none installs anything). They are not the very commits of the sets: a record counts only where the file
that it needs is there and defines what it needs. Nothing of them may be trained or tuned on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_WHEELS = {
    "encode/httpx": "httpx==0.28.1",
    "openlawlibrary/pygls": "pygls==2.1.1",
    "pappasam/jedi-language-server": "jedi-language-server==0.47.0",
    "simonw/llm": "llm==0.36",
}
_RUFF = "0.14.10"
_ESLINT, _CONTINUE = "eslint@10.15.0", "@continuedev/cli@1.5.47"
# pip asks a source distribution for its metadata before it keeps it; ruff's own build tool would want all of Rust.
_NO_BUILD = f"""
import os
def get_requires_for_build_wheel(config_settings=None): return []
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    name = "ruff-{_RUFF}.dist-info"
    os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, name, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: ruff\\nVersion: {_RUFF}\\n")
    return name
"""


def wheels(folder: Path, work: Path) -> None:
    """Python projects whose wheels hold their packages as they lie in the repository."""
    for repository, requirement in _WHEELS.items():
        place = work / requirement
        _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(place), requirement)
        for wheel in place.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(_root(folder, repository))


def ruff(folder: Path, work: Path) -> None:
    """ruff's source distribution has its crates."""
    stub = work / "stub"
    stub.mkdir()
    (stub / "maturin.py").write_text(_NO_BUILD, "utf-8")
    pip = ("-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation")
    _run(sys.executable, *pip, "--dest", str(work), f"ruff=={_RUFF}", environment={"PYTHONPATH": str(stub)})
    _unpack(work / f"ruff-{_RUFF}.tar.gz", _root(folder, "astral-sh/ruff"))


def eslint(folder: Path, work: Path) -> None:
    """eslint's package is its repository without the tests."""
    _unpack(_npm(_ESLINT, work), _root(folder, "eslint/eslint"))


def continue_cli(folder: Path, work: Path) -> None:
    """The source map of continue's command-line program has all the TypeScript that it was made of."""
    _unpack(_npm(_CONTINUE, work), work / "cli")
    source_map = json.loads((work / "cli" / "dist" / "index.js.map").read_text("utf-8"))
    # Named from extensions/cli/dist on.
    top = _root(folder, "continuedev/continue").resolve()
    for name, text in zip(source_map["sources"], source_map.get("sourcesContent") or (), strict=False):
        place = (top / "extensions" / "cli" / "dist" / name).resolve()
        if text is not None and place.is_relative_to(top) and "node_modules" not in place.parts:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")


def go_tools(folder: Path, work: Path) -> None:
    """Debian's package of Go's tools."""
    subprocess.run(["apt-get", "download", "-qq", "golang-golang-x-tools-dev"], cwd=work, check=True)
    (package,) = work.glob("golang-golang-x-tools-dev_*.deb")
    _run("dpkg", "-x", str(package), str(work / "go"))
    shutil.copytree(
        work / "go/usr/share/gocode/src/golang.org/x/tools", _root(folder, "golang/tools"), dirs_exist_ok=True
    )


def own_files(folder: Path, data: Path) -> None:
    """The true files of the sets' records, and the whole files that came with them."""
    for set_name, has_whole_files in (("commitfim", True), ("xfile", False)):
        for record in _records(data / f"{set_name}.jsonl.gz"):
            root = _root(folder, record["meta"]["repo"])
            given = (record["cross_file"] or ()) if has_whole_files else ()
            files = {piece["path"]: piece["text"] for piece in given if not (root / piece["path"]).exists()}
            files[record["path"]] = record["prefix"] + record["middle"] + record["suffix"]
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, "utf-8", "surrogatepass")


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _root(folder: Path, repository: str) -> Path:
    return folder / repository.replace("/", "__")


def _npm(package: str, work: Path) -> Path:
    done = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=work, check=True, capture_output=True, text=True, timeout=600
    )
    return work / done.stdout.strip().splitlines()[-1]


def _unpack(archive: Path, target: Path) -> None:
    """Without the folder that everything in it lies in."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        (top,) = Path(folder).iterdir()
        shutil.copytree(top, target, dirs_exist_ok=True)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, timeout=600, env={**os.environ, **(environment or {})})


def main() -> None:
    """Fetch what can be fetched; what cannot is said and left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    steps: tuple[Callable[[Path, Path], None], ...] = (wheels, ruff, eslint, continue_cli, go_tools)
    for step in steps:
        with tempfile.TemporaryDirectory() as work:
            try:
                step(arguments.folder, Path(work))
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                print(f"left out: {step.__name__}: {error}", file=sys.stderr)
    own_files(arguments.folder, arguments.data)
    for root in sorted(arguments.folder.iterdir()):
        print(f"{root.name}: {sum(path.is_file() for path in root.rglob('*'))} files")


if __name__ == "__main__":
    main()
