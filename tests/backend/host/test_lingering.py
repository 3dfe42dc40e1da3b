"""How long the model process stays, without weights: before its first client, and after its last."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fimble.backend.host.client import HostBackend
from fimble.backend.host.protocol import ModelSpec
from fimble.backend.host.worker import Worker
from fimble.core.config import HostOptions
from fimble.core.errors import ModelMissingError
from fimble.engine.settings import user_paths


async def test_without_lingering_it_still_waits_for_its_first_client(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    serving = asyncio.create_task(Worker(socket, linger_s=0.0, idle_unload_s=60.0).serve())
    while not socket.exists() and not serving.done():
        await asyncio.sleep(0.01)
    # Longer than its housekeeping takes to come round.
    done, _ = await asyncio.wait([serving], timeout=1.5)
    assert not done, "it was gone before anybody came"
    _, writer = await asyncio.open_unix_connection(socket)
    writer.close()
    async with asyncio.timeout(20):
        await serving
    assert not socket.exists()


async def test_it_leaves_the_socket_of_another_that_took_its_place(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    serving = asyncio.create_task(Worker(socket, linger_s=0.0, idle_unload_s=60.0).serve())
    while not socket.exists() and not serving.done():
        await asyncio.sleep(0.01)
    socket.unlink()
    other = await asyncio.start_unix_server(lambda _, writer: writer.close(), socket)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert socket.exists()
    other.close()


@pytest.mark.e2e
async def test_a_request_is_answered_without_lingering(tmp_path: Path) -> None:
    paths = user_paths({"FIMBLE_HOME": str(tmp_path)})
    spec = ModelSpec("test", tmp_path / "missing.gguf", 512, -1, 1)
    backend = HostBackend(lambda: spec, paths, HostOptions(linger_s=0.0))
    for _ in range(2):
        with pytest.raises(ModelMissingError):
            await backend.describe()
        await backend.aclose()
