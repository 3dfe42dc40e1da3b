"""The peer for real: llama.cpp's server over the real weights, in a process of its own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import psutil
import pytest

from fimble.core.errors import BackendError, FimbleError
from fimble.core.flow import Completion, CompletionRequest, Document, RequestId, Trigger
from fimble.core.position import ByteOffset
from fimble.evaluation.peers import llama_server
from fimble.evaluation.peers.llama_server import LlamaVim, run_llama_server

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="the extra `peers` is not installed"
)


def ask(text: str, folder: Path) -> CompletionRequest:
    document = Document((folder / "a.py").as_uri(), "python", 1, text + "\n\nprint(add(1, 2))\n")
    return CompletionRequest(RequestId("1"), document, ByteOffset(len(text)), Trigger.INVOKED)


@needs_package
@pytest.mark.model
async def test_it_answers_reuses_and_ends(model_path: Path, tmp_path: Path) -> None:
    async with run_llama_server(model_path, model_id="m", n_threads=1, n_gpu_layers=0) as server:
        editor = LlamaVim(server, tmp_path)
        first = await editor.complete(ask("def add(a, b):\n    return", tmp_path))
        assert isinstance(first, Completion)
        assert "a + b" in first.text
        assert first.n_prompt_tokens > first.n_reused_tokens == 0
        again = await LlamaVim(server, tmp_path).complete(ask("def add(a, b):\n    return", tmp_path))
        assert isinstance(again, Completion)
        assert again.text == first.text  # seeded
        assert again.n_reused_tokens == again.n_prompt_tokens - 1
        process = psutil.Process(server.pid)
        listening = {connection.laddr.ip for connection in process.net_connections() if connection.status == "LISTEN"}
        assert listening == {"127.0.0.1"}
    assert not psutil.pid_exists(server.pid)


@needs_package
async def test_weights_that_cannot_be_loaded_are_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    with pytest.raises(BackendError, match="did not start") as caught:
        async with run_llama_server(broken, model_id="m", n_threads=1, n_gpu_layers=0):
            pytest.fail("it started")
    assert caught.value.mend


async def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FimbleError, match="xllamacpp") as caught:
        async with llama_server.run_llama_server(tmp_path, model_id="m", n_threads=1, n_gpu_layers=0):
            pytest.fail("it started")
    assert "fimble[peers]" in caught.value.mend
