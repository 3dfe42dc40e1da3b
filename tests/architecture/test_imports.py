"""The import table of ARCHITECTURE.md, checked against every import statement of the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("core", "syntax", "context", "backend", "telemetry", "engine", "lsp_server", "evaluation", "cli", "tuning")

# Who may import which folders of ours. engine.wiring, the one place that names concrete parts, may import more.
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "syntax": {"core"},
    "context": {"core", "syntax"},
    "backend": {"core", "syntax"},
    "telemetry": {"core"},
    "engine": {"core", "syntax", "context"},
    "lsp_server": {"core", "engine"},
    "evaluation": {"core", "syntax", "engine"},
    "cli": set(FOLDERS),
    "tuning": {"core", "syntax", "context", "backend", "evaluation"},
}
WIRING_ALSO = {"backend", "telemetry"}

# Third parties with one home, by the longest dotted prefix of our modules that may import them.
HOMES: dict[str, tuple[str, ...]] = {
    "pygls": ("lsp_server", "evaluation.server"),
    "lsprotocol": ("lsp_server", "evaluation.server"),
    "tree_sitter": ("syntax",),
    "llama_cpp": ("backend.llama",),
    "llguidance": ("backend.decode.user_grammar",),
    "sqlite3": ("telemetry", "context.index"),
    "ray": ("tuning.mine.cluster",),
    "torch": ("tuning.training",),
    "transformers": ("tuning.training",),
    "peft": ("tuning.training",),
    "matplotlib": ("evaluation",),
}
# The network: nothing outside these opens a connection (docs/privacy.md).
NETWORK = {"httpx", "requests", "urllib.request", "http.client", "socket", "aiohttp"}
NETWORK_HOMES = ("backend.catalog", "evaluation", "telemetry.otlp")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything a module imports, `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def modules() -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


MODULES = modules()


def within(module: str, home: str) -> bool:
    return module == home or module.startswith(home + ".")


def test_there_is_something_to_check() -> None:
    assert {"core", "engine", "backend", "cli"} <= {module.split(".")[0] for module, _ in MODULES}
    assert len(MODULES) > 30


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[module for module, _ in MODULES])
def test_imports_follow_the_table(module: str, path: Path) -> None:
    folder = module.split(".")[0]
    allowed = ALLOWED[folder] | {folder} | (WIRING_ALSO if module == "engine.wiring" else set())
    for line, name in imports(path):
        if name == "fimble" or name.startswith("fimble."):
            target = name.split(".")[1]
            assert target in allowed, f"{path}:{line}: {folder} may not import {target}"
            continue
        for third_party, homes in HOMES.items():
            if within(name, third_party) or name.startswith(third_party + "_"):
                assert any(within(module, home) for home in homes), f"{path}:{line}: {third_party} belongs in {homes}"
        if any(within(name, network) for network in NETWORK):
            assert any(within(module, home) for home in NETWORK_HOMES), f"{path}:{line}: {name} opens connections"


def test_core_needs_the_standard_library_only() -> None:
    import sys

    for module, path in MODULES:
        if module.startswith("core"):
            for line, name in imports(path):
                top = name.split(".")[0]
                assert top == "fimble" or top in sys.stdlib_module_names, f"{path}:{line}: {name}"


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[module for module, _ in MODULES])
def test_files_stay_small(module: str, path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 500, f"{module}: split it"
