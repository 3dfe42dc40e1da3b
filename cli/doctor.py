"""`fimble doctor`: what works on this machine, what does not, and how to mend it.

Native code is tried in processes of its own: a build for another CPU dies there, not here.
"""

from __future__ import annotations

import asyncio
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from fimble.backend.catalog.catalog import Catalog, load_catalog
from fimble.backend.catalog.fit import explain, read_hardware, recommend
from fimble.backend.catalog.store import ModelStore
from fimble.backend.decode.user_grammar import require_usable
from fimble.core.errors import FimbleError, InputError
from fimble.core.flow import UserGrammar
from fimble.engine.grammars import FOLDER, UserGrammars
from fimble.engine.settings import Settings, load_settings
from fimble.engine.wiring import build_engine
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import languages
from fimble.syntax.parse_log import LOG_CHANGED_NOTE, log_is_understood

_PROBE_TIMEOUT_S = 180
_COMFORT_MS = 300.0
# A usual request with a warm cache: the typed tokens and a line of this length.
_N_LINE_TOKENS = 8
_GPU_HINT = (
    "CPU build. For an NVIDIA GPU reinstall llama-cpp-python with CMAKE_ARGS='-DGGML_CUDA=on' "
    "(needs the CUDA toolkit): docs/models.md."
)
_STYLE = {"ok": "green", "note": "yellow", "fail": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing. `state` is ok, note or fail; `mend` says what to do."""

    name: str
    state: str
    detail: str
    mend: str = ""
    facts: dict[str, Any] | None = None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quick", is_flag=True, help="Leave out the speed measurement.")
def doctor(as_json: bool, quick: bool) -> None:
    """Check the installation, the model and this machine's speed."""
    settings = load_settings()
    checks: list[Callable[[Settings], Finding]] = [_settings, _build, _hardware, _syntax, _grammars, _weights, _model]
    if not quick:
        checks.append(_speed)
    findings: list[Finding] = []
    for check in checks:
        try:
            findings.append(check(settings))
        except FimbleError as error:
            findings.append(Finding(check.__name__.strip("_"), "fail", error.message, error.mend))
        if not as_json:
            _print(findings[-1])
    if as_json:
        click.echo(json.dumps({"fimble": version("fimble"), "findings": [asdict(one) for one in findings]}))
    if any(one.state == "fail" for one in findings):
        sys.exit(1)


def _print(finding: Finding) -> None:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=9, style="bold")
    table.add_column(width=4, style=_STYLE[finding.state])
    table.add_column(overflow="fold")
    table.add_row(finding.name, finding.state, finding.detail + (f"\n-> {finding.mend}" if finding.mend else ""))
    Console().print(table)


def _settings(settings: Settings) -> Finding:
    where = f"fimble {version('fimble')}, Python {platform.python_version()}; config {settings.paths.config}"
    if settings.problems:
        listed = "; ".join(map(str, settings.problems))
        return Finding("settings", "note", f"{where}. Not used: {listed}", "See docs/configuration.md.")
    return Finding("settings", "ok", where)


def _build(settings: Settings) -> Finding:
    del settings
    facts = _probe("fimble.backend.llama.facts", [])
    detail = f"llama-cpp-python {facts['version']}; {facts['system_info']}"
    if facts["can_use_gpu"]:
        return Finding("llama.cpp", "ok", f"{detail}; GPU offload on", facts=facts)
    return Finding("llama.cpp", "ok", f"{detail}. {_GPU_HINT}", facts=facts)


def _hardware(settings: Settings) -> Finding:
    del settings
    hardware = read_hardware()
    suited = ", ".join(entry.id for entry in recommend(load_catalog(), hardware)) or "none"
    detail = (
        f"{hardware.n_cores} cores, {hardware.total_memory_mb} MiB memory ({hardware.available_memory_mb} free); "
        f"suited on the CPU: {suited}"
    )
    return Finding("machine", "ok", detail, facts=asdict(hardware))


def _syntax(settings: Settings) -> Finding:
    known = [language for language in languages() if language.grammar]
    missing = [language.name for language in known if grammar_for(language) is None]
    if not log_is_understood():
        mend = "Install the tree-sitter that fimble names: pip install --force-reinstall fimble"
        return Finding("syntax", "note", f"{LOG_CHANGED_NOTE[0].upper()}{LOG_CHANGED_NOTE[1:]}.", mend)
    if missing:
        return Finding("syntax", "note", f"No grammar could be loaded for {', '.join(missing)}.", "Reinstall fimble.")
    if not settings.config.completion.check_syntax:
        return Finding("syntax", "ok", "Switched off (`completion.check_syntax` is false).")
    if settings.config.completion.syntax_check_percent == 0:
        return Finding("syntax", "ok", "Switched off but for ends (`completion.syntax_check_percent` is 0).")
    checked = ", ".join(language.name for language in known if language.qualified)
    return Finding("syntax", "ok", f"every piece of a completion is checked in {checked}")


def _grammars(settings: Settings) -> Finding:
    """Grammars of the user's own, in the folder that doctor is called in."""
    del settings
    found = UserGrammars(Path.cwd()).all_files()
    for file, kind in found:
        try:
            require_usable(UserGrammar(kind, file.read_text("utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            return Finding("grammars", "note", f"{file.name} cannot be read: {error}", "Correct it, or take it away.")
        except InputError as error:
            return Finding("grammars", "note", f"{file.name}: {error.message}", error.mend)
    names = ", ".join(file.name for file, _ in found)
    return Finding(
        "grammars", "ok", f"{names} ({FOLDER})" if found else f"none of your own ({FOLDER}; docs/grammars.md)"
    )


def _weights(settings: Settings) -> Finding:
    model_id, catalog = settings.config.model.id, load_catalog()
    path = ModelStore(settings.paths.models, catalog).resolve(model_id)
    entry = next((entry for entry in catalog.entries if entry.id == model_id), None)
    note = f" {explain(entry, read_hardware())}" if entry else ""
    return Finding("weights", "ok", f"{model_id}: {path} ({path.stat().st_size} bytes).{note}")


def _model(settings: Settings) -> Finding:
    async def load() -> tuple[str, dict[str, Any]]:
        engine = build_engine(settings)
        try:
            info = await engine.ready()
        finally:
            await engine.aclose()
        return f"{info.name} loads; fill-in-the-middle markers {', '.join(info.fim_tokens.values())}", {
            "n_gpu_layers": info.n_gpu_layers,
            "n_ctx": info.n_ctx,
        }

    detail, facts = asyncio.run(load())
    return Finding("model", "ok", detail, facts=facts)


def _speed(settings: Settings) -> Finding:
    model = settings.config.model
    path = ModelStore(settings.paths.models, load_catalog()).resolve(model.id)
    n_threads = model.n_threads or read_hardware().n_cores
    facts = _probe(
        "fimble.backend.llama.speed", [str(path), "--threads", str(n_threads), "--gpu-layers", str(model.n_gpu_layers)]
    )
    step_ms = {int(n_tokens): float(cost) for n_tokens, cost in facts["step_ms"].items()}
    line_ms = step_ms[4] + (_N_LINE_TOKENS - 1) * step_ms[1]
    steps = ", ".join(f"{n_tokens} tokens {cost:.0f} ms" for n_tokens, cost in step_ms.items())
    detail = (
        f"reads {facts['prefill_tokens_per_s']:.0f} tokens/s, writes {1000 / step_ms[1]:.0f} tokens/s with "
        f"{n_threads} threads ({steps}); a line of {_N_LINE_TOKENS} tokens takes about {line_ms:.0f} ms once warm. "
        f"{_fitting(load_catalog(), line_ms / path.stat().st_size)}"
    )
    if line_ms <= _COMFORT_MS:
        return Finding("speed", "ok", detail, facts=facts)
    return Finding(
        "speed", "note", detail, f"Slower than {_COMFORT_MS:.0f} ms: a smaller model will feel better.", facts
    )


def _fitting(catalog: Catalog, ms_per_byte: float) -> str:
    """Which models would write a line in time. Reading the weights is what a token costs, so the size decides."""
    sized = [(entry.id, entry.size_bytes * ms_per_byte) for entry in catalog.entries if entry.size_bytes]
    fitting = [f"{name} ({cost:.0f} ms)" for name, cost in sized if cost <= _COMFORT_MS]
    return f"Within {_COMFORT_MS:.0f} ms here, by size: {', '.join(fitting) or 'no model of the catalog'}"


def _probe(module: str, arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", module, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, cwd=Path("/"), check=False
        )
    except subprocess.TimeoutExpired:
        raise FimbleError(
            f"{module} took longer than {_PROBE_TIMEOUT_S} s.", mend="The machine may be too busy."
        ) from None
    if done.returncode < 0:
        raise FimbleError(
            f"llama.cpp died of signal {-done.returncode}: most likely it was built for another CPU.",
            # The flags: ggml-org/llama.cpp pull request 26954, as in the Makefile.
            mend="Rebuild it here: CXXFLAGS='-fno-tree-dse -fno-dse' pip install --no-cache-dir --force-reinstall"
            f" --no-deps --no-binary llama-cpp-python llama-cpp-python=={version('llama-cpp-python')} (the flags keep"
            " GCC 12 and older from miscompiling it for processors with AMX).",
        )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise FimbleError(f"llama.cpp could not be used: {reason[0]}", mend="Reinstall fimble.")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
