"""What the real model has read is on disk when its process has ended, and is not read again after the next start."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fimble.backend.host import launch
from fimble.backend.host.client import HostBackend
from fimble.backend.host.protocol import ModelSpec
from fimble.core.config import HostOptions
from fimble.core.flow import GenerationStats, LineMode, Prompt, StopRules, TokenId
from fimble.core.paths import Paths
from fimble.engine.settings import user_paths

pytestmark = pytest.mark.model

SOURCE = Path(__file__).read_text("utf-8")
KEEPING = HostOptions(linger_s=0.0, kv_disk_mb=64)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return user_paths({"FIMBLE_HOME": str(tmp_path)})


class Run:
    """One life of the model process, from its first request to its end."""

    def __init__(self, model_path: Path, paths: Paths, options: HostOptions = KEEPING, n_ctx: int = 2048) -> None:
        self._backend = HostBackend(lambda: ModelSpec("test", model_path, n_ctx, -1, 2), paths, options)
        self._paths = paths

    async def __aenter__(self) -> Run:
        await self._backend.describe()
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self.process()
        await self._backend.aclose()
        gone, _ = await asyncio.to_thread(psutil.wait_procs, [process], 30)
        assert gone

    def process(self) -> psutil.Process:
        socket = str(launch.places(self._paths).socket)
        (found,) = [one for one in psutil.process_iter(["cmdline"]) if socket in (one.info["cmdline"] or ())]
        return found

    async def prompt(self, text: str) -> Prompt:
        (tokens,) = await self._backend.tokenize([text])
        return Prompt(tokens, (), StopRules(6, LineMode.MULTI))

    async def write(self, prompt: Prompt) -> tuple[list[TokenId], GenerationStats]:
        stream = self._backend.generate(prompt)
        tokens = [token.token_id async for token in stream]
        assert stream.stats is not None
        return tokens, stream.stats

    async def n_cached(self, prompt: Prompt) -> int:
        (n_cached,) = await self._backend.n_cached([prompt])
        return n_cached


def states(paths: Paths) -> list[Path]:
    return sorted(launch.places(paths).kv_states.glob("*"))


async def test_after_a_restart_nothing_is_read_twice(model_path: Path, paths: Paths) -> None:
    async with Run(model_path, paths) as first:
        here, there = await first.prompt(SOURCE[:600]), await first.prompt(SOURCE[:200] + SOURCE[-500:])
        cold, cold_stats = await first.write(here)
        assert cold_stats.n_reused_tokens == 0
        warm, _ = await first.write(here)
        elsewhere, _ = await first.write(there)
        assert states(paths) == [], "nothing is written while it works"
    assert len(states(paths)) == 2
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in states(paths))
    async with Run(model_path, paths) as second:
        assert await second.n_cached(here) == here.n_tokens - 1
        again, stats = await second.write(here)
        assert stats.n_reused_tokens == here.n_tokens - 1
        assert again == warm == cold
        again, stats = await second.write(there)
        assert stats.n_reused_tokens == there.n_tokens - 1
        assert again == elsewhere


async def test_a_signal_to_end_is_in_time_to_write(model_path: Path, paths: Paths) -> None:
    """A session that ends, a machine that is shut down."""
    async with Run(model_path, paths) as run:
        await run.write(await run.prompt(SOURCE[:400]))
        run.process().send_signal(signal.SIGTERM)
    assert len(states(paths)) == 1


async def test_weights_that_left_memory_come_back_with_what_was_read(model_path: Path, paths: Paths) -> None:
    async with Run(model_path, paths, replace(KEEPING, linger_s=30.0, idle_unload_s=1.0)) as run:
        prompt = await run.prompt(SOURCE[:400])
        tokens, _ = await run.write(prompt)
        async with asyncio.timeout(30):
            while not states(paths):
                await asyncio.sleep(0.1)
        again, stats = await run.write(prompt)
        assert stats.n_reused_tokens == prompt.n_tokens - 1
        assert again == tokens
        run.process().terminate()


async def test_another_context_reads_again(model_path: Path, paths: Paths) -> None:
    async with Run(model_path, paths) as run:
        prompt = await run.prompt(SOURCE[:400])
        await run.write(prompt)
    async with Run(model_path, paths, n_ctx=1024) as run:
        _, stats = await run.write(prompt)
        assert stats.n_reused_tokens == 0
    assert len(states(paths)) == 2


async def test_junk_for_a_state_is_read_anew(model_path: Path, paths: Paths) -> None:
    async with Run(model_path, paths) as run:
        prompt = await run.prompt(SOURCE[:400])
        tokens, _ = await run.write(prompt)
    (path,) = states(paths)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    path.write_bytes(raw)
    async with Run(model_path, paths) as run:
        again, stats = await run.write(prompt)
        assert (stats.n_reused_tokens, again) == (0, tokens)
    assert "checksum" in launch.places(paths).log.read_text("utf-8")


async def test_switched_off_nothing_is_kept_and_what_is_there_goes(model_path: Path, paths: Paths) -> None:
    async with Run(model_path, paths) as run:
        prompt = await run.prompt(SOURCE[:400])
        await run.write(prompt)
    assert states(paths)
    async with Run(model_path, paths, replace(KEEPING, kv_disk_mb=0)) as run:
        assert states(paths) == []
        _, stats = await run.write(prompt)
        assert stats.n_reused_tokens == 0
    assert states(paths) == []
