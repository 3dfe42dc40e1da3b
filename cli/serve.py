"""`fimble serve`: the language server, over stdio or TCP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from fimble.core.errors import FimbleError

if TYPE_CHECKING:
    from fimble.core.config import Layer
    from fimble.core.ports import CompletionWatcher, EventSink
    from fimble.engine.settings import Settings
    from fimble.lsp_server.ports import CompletionEngine, Download, RunningCount, Services

_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command()
@click.option("--stdio", "over_stdio", is_flag=True, help="Speak over standard input and output. The default.")
@click.option("--tcp", "address", metavar="HOST:PORT", help="Listen instead; port 0 takes a free one.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Log there, not to standard error.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least weight of what is logged. Code is never logged.",
)
def serve(over_stdio: bool, address: str | None, log_file: Path | None, log_level: str) -> None:
    """Run the language server for an editor."""
    if over_stdio and address:
        raise click.UsageError("--stdio and --tcp exclude each other.")
    endpoint = _parse_address(address) if address else None
    _set_up_logging(log_file, log_level)
    # The real standard output belongs to the protocol alone; whatever else prints goes to standard error.
    protocol_out = _take_stdout()
    try:
        code = asyncio.run(_serve(endpoint, protocol_out))
    except FimbleError as error:
        click.echo(f"fimble: {error}", err=True)
        code = error.exit_code
    except (asyncio.CancelledError, KeyboardInterrupt):
        code = 0
    logging.shutdown()
    sys.exit(code)


async def _serve(endpoint: tuple[str, int] | None, protocol_out: BinaryIO) -> int:
    from fimble.lsp_server.server import serve_stdio, serve_tcp

    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    if endpoint is None:
        return await serve_stdio(_services(), sys.stdin.buffer, protocol_out)
    await serve_tcp(_services(), *endpoint)
    return 0


def _services() -> Services:
    from fimble.engine.wiring import build_engine
    from fimble.lsp_server.ports import Services

    def build(settings: Settings, workspace: Path | None, sink: EventSink) -> CompletionEngine:
        return build_engine(settings, workspace=workspace, sink=sink, in_editor=True)

    return Services(build_engine=build, installer=CatalogInstaller(), start_counting=_start_counting)


def _start_counting(settings: Settings, on_problem: Callable[[FimbleError], None]) -> RunningCount | None:
    from importlib.metadata import version

    from fimble.engine.clock import SystemClock
    from fimble.telemetry.start import start_telemetry

    telemetry = start_telemetry(
        settings.config.telemetry, settings.paths.state, SystemClock(), version("fimble"), on_problem=on_problem
    )
    return None if telemetry is None else _Count(telemetry.watcher, telemetry.arm_layer, telemetry.recorder.close)


@dataclass(frozen=True, slots=True)
class _Count:
    """Telemetry, as the server knows it."""

    watcher: CompletionWatcher
    arm_layer: Layer | None
    finish: Callable[[], None]


class CatalogInstaller:
    """Fetches models of the catalog for the server, in a thread of its own."""

    def offer(self, settings: Settings) -> str | None:
        """What would be fetched, and from where; None for models that fimble cannot fetch."""
        from fimble.backend.catalog.catalog import load_catalog

        entry = load_catalog().find(settings.config.model.id)
        if entry is None or not entry.verified or settings.config.network.offline:
            return None
        size = f", {entry.size_bytes / 1e6:.0f} MB" if entry.size_bytes else ""
        return f"it{size}, licence {entry.licence}, from {entry.sources[0].label}"

    async def install(self, settings: Settings, on_progress: Callable[[Download], None]) -> None:
        """Fetch the configured model. Cancelling stops at the next piece; what came is kept.

        Raises:
            FimbleError: it could not be fetched.
        """
        from fimble.lsp_server.ports import Download

        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def tell(n_bytes: int, n_total_bytes: int) -> None:
            if done.done():
                raise _StoppedError
            loop.call_soon_threadsafe(on_progress, Download(n_bytes, n_total_bytes))

        def settle(error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def work() -> None:
            error: BaseException | None = None
            try:
                _pull(settings, tell)
            except Exception as failure:
                error = failure
            # The loop is closed when the process is about to end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, error)

        # A daemon: a network that stalls must not keep the process when the editor has gone.
        threading.Thread(target=work, name="download", daemon=True).start()
        await done


class _StoppedError(Exception):
    """Ends a download from within its progress report; nobody is waiting for it any more."""


def _pull(settings: Settings, tell: Callable[[int, int], None]) -> None:
    from fimble.backend.catalog.catalog import load_catalog
    from fimble.backend.catalog.download import pull
    from fimble.backend.catalog.store import ModelStore

    def report(n_bytes: int, n_total_bytes: int | None, _source: str) -> None:
        tell(n_bytes, n_total_bytes or 0)

    catalog = load_catalog()
    store = ModelStore(settings.paths.models, catalog)
    pull(catalog.get(settings.config.model.id), store, settings.config.network, on_progress=report)


def _parse_address(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise click.UsageError(f"--tcp needs HOST:PORT, as in 127.0.0.1:8765, not {address!r}.")
    return host.strip("[]") or "127.0.0.1", int(port)


def _set_up_logging(log_file: Path | None, log_level: str) -> None:
    try:
        handler = logging.FileHandler(log_file, encoding="utf-8") if log_file else logging.StreamHandler(sys.stderr)
    except OSError as error:
        raise click.UsageError(f"Cannot log to {log_file}: {error.strerror or error}.") from error
    logging.basicConfig(level=log_level.upper(), format=_LOG_FORMAT, handlers=[handler], force=True)


def _take_stdout() -> BinaryIO:
    sys.stdout.flush()
    mine = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return mine


if __name__ == "__main__":
    serve()
