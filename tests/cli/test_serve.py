"""`fimble serve` outside of the protocol: its options, and how the server has a model fetched."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gguf
import numpy as np
import pytest
from click.testing import CliRunner

from fimble.backend.catalog import catalog as catalog_module
from fimble.backend.catalog.catalog import Catalog, CatalogEntry, HttpsSource
from fimble.cli import serve as serve_module
from fimble.cli.serve import CatalogInstaller
from fimble.core.config import Layer
from fimble.core.errors import DownloadError, FimbleError
from fimble.engine.settings import Settings, load_settings
from fimble.lsp_server.ports import Download


def _settings(**values: object) -> Settings:
    return load_settings([Layer("test", {"model.id": "tiny", **{k.replace("__", "."): v for k, v in values.items()}})])


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    """A small whole GGUF."""
    path = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_tensor("numbers", np.zeros(500_000, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


class _Files:
    """A file server that can be told to wait in the middle."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.url = ""


@pytest.fixture
def files(weights: bytes) -> Iterator[_Files]:
    """Serves the weights."""
    state = _Files(weights)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            half = len(state.body) // 2
            try:
                self.wfile.write(state.body[:half])
                state.may_go_on.wait(30)
                self.wfile.write(state.body[half:])
            except ConnectionError:
                pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/tiny.gguf"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state
    state.may_go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def entry(files: _Files, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> CatalogEntry:
    """The only model of the catalog."""
    made = CatalogEntry(
        id="tiny",
        family="tiny",
        quantization="F32",
        licence="Apache-2.0",
        memory_mb=1,
        n_ctx=512,
        description="",
        sources=(HttpsSource(files.url),),
        size_bytes=len(weights),
        sha256=hashlib.sha256(weights).hexdigest(),
        default=True,
    )
    monkeypatch.setattr(catalog_module, "load_catalog", lambda: Catalog((made,)))
    return made


def test_what_is_offered(entry: CatalogEntry) -> None:
    installer = CatalogInstaller()
    assert installer.offer(_settings()) == "it, 2 MB, licence Apache-2.0, from 127.0.0.1"
    assert installer.offer(_settings(network__offline=True)) is None
    assert installer.offer(_settings(model__id="/some/file.gguf")) is None


async def test_a_model_is_fetched_with_progress(entry: CatalogEntry, weights: bytes) -> None:
    reports: list[Download] = []
    settings = _settings()
    await CatalogInstaller().install(settings, reports.append)
    assert (settings.paths.models / "tiny.gguf").read_bytes() == weights
    assert reports[-1].percent == 100.0
    assert all(report.n_total_bytes == len(weights) for report in reports)


async def test_cancelling_stops_and_keeps_what_came(entry: CatalogEntry, files: _Files) -> None:
    files.may_go_on.clear()
    reports: list[Download] = []
    settings = _settings()
    task = asyncio.ensure_future(CatalogInstaller().install(settings, reports.append))
    while not reports:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    files.may_go_on.set()
    n_reports = len(reports)
    for thread in threading.enumerate():
        if thread.name == "download":
            await asyncio.to_thread(thread.join, 30)
    assert len(reports) == n_reports
    assert not (settings.paths.models / "tiny.gguf").exists()
    assert list((settings.paths.models / ".partial" / "tiny").rglob("*"))
    await CatalogInstaller().install(settings, reports.append)
    assert (settings.paths.models / "tiny.gguf").exists()


async def test_a_wrong_file_is_refused(entry: CatalogEntry, files: _Files) -> None:
    files.body = files.body[:-1] + b"!"
    with pytest.raises(DownloadError):
        await CatalogInstaller().install(_settings(), lambda download: None)


async def test_models_that_are_not_in_the_catalog(entry: CatalogEntry) -> None:
    with pytest.raises(FimbleError):
        await CatalogInstaller().install(_settings(model__id="huge"), lambda download: None)


def test_a_log_file_that_cannot_be_written(tmp_path: Path) -> None:
    done = CliRunner().invoke(serve_module.serve, ["--log-file", str(tmp_path / "none" / "x.log")])
    assert done.exit_code == 2
    assert "Cannot log to" in done.output
