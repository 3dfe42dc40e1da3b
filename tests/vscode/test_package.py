"""The extension builds as its users get it: types, lint, unit tests, and an installable file that is whole."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.editor, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_npm_script(extension_folder: Path, node_modules: Path, script: str) -> None:
    done = subprocess.run(
        ["npm", "run", "--silent", script],
        cwd=extension_folder,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_package_holds_what_it_needs_and_nothing_else(vsix: Path) -> None:
    with zipfile.ZipFile(vsix) as package:
        names = {name.removeprefix("extension/") for name in package.namelist() if name.startswith("extension/")}
        manifest = json.loads(package.read("extension/package.json"))
        notices = package.read("extension/dist/NOTICES.txt").decode()
    assert manifest["main"].removeprefix("./") in names
    assert manifest["icon"] in names
    assert {"readme.md", "changelog.md", "LICENSE.txt", "dist/NOTICES.txt", "images/ghost.png"} <= names
    assert "vscode-languageclient" in notices
    assert not [name for name in names if name.startswith(("src/", "test/", "e2e/", "node_modules/"))]


def test_package_brings_its_server(vsix: Path) -> None:
    with zipfile.ZipFile(vsix) as package:
        manifest = json.loads(package.read("extension/package.json"))
        wheels = [name for name in package.namelist() if name.endswith(".whl")]
    assert wheels == [f"extension/bundled/fimble-{manifest['version']}-py3-none-any.whl"]
