"""The real model process: shared, cancellable, killed and restarted, limited in memory, gone when idle."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fimble.backend.host import launch, protocol
from fimble.backend.host.client import HostBackend
from fimble.backend.host.protocol import ModelSpec
from fimble.core.config import HostOptions
from fimble.core.errors import BackendError, ModelCorruptError, ModelError, ModelMissingError, ModelProcessDiedError
from fimble.core.flow import LineMode, Prompt, StopReason, StopRules
from fimble.core.paths import Paths
from fimble.engine.settings import user_paths

pytestmark = pytest.mark.model

OPTIONS = HostOptions(linger_s=1.0)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return user_paths({"FIMBLE_HOME": str(tmp_path)})


@pytest.fixture
async def backend(model_path: Path, paths: Paths) -> AsyncIterator[HostBackend]:
    made = make(model_path, paths)
    yield made
    await made.aclose()


def make(path: Path, paths: Paths, options: HostOptions = OPTIONS, n_ctx: int = 2048) -> HostBackend:
    return HostBackend(lambda: ModelSpec("test", path, n_ctx, -1, 2), paths, options)


async def prompt_of(backend: HostBackend, text: str, n: int, *, end: bool = False) -> Prompt:
    (tokens,) = await backend.tokenize([text])
    info = await backend.describe()
    return Prompt(tokens, (), StopRules(n, LineMode.MULTI, info.eog_tokens if end else ()))


async def write(backend: HostBackend, prompt: Prompt) -> str:
    return "".join([token.text async for token in backend.generate(prompt)])


def host_processes(paths: Paths) -> list[psutil.Process]:
    socket = str(launch.places(paths).socket)
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if socket in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)


async def read_and_kill(
    backend: HostBackend, prompt: Prompt, paths: Paths, number: signal.Signals = signal.SIGKILL
) -> None:
    """Kill the model process while its answer is being read."""
    async for _ in backend.generate(prompt):
        for process in host_processes(paths):
            process.send_signal(number)


async def test_two_clients_share_one_process_and_its_cache(
    backend: HostBackend, model_path: Path, paths: Paths
) -> None:
    other = make(model_path, paths)
    prompt = await prompt_of(backend, "def add(a, b):\n    return", 6)
    first = await write(backend, prompt)
    stream = other.generate(prompt)
    second = "".join([token.text async for token in stream])
    assert first == second
    assert stream.stats is not None
    assert stream.stats.n_reused_tokens == prompt.n_tokens - 1
    assert len(host_processes(paths)) == 1
    await other.aclose()


async def test_starting_together_makes_one_process(model_path: Path, paths: Paths) -> None:
    backends = [make(model_path, paths) for _ in range(4)]
    infos = await asyncio.gather(*(backend.describe() for backend in backends))
    assert len({info.name for info in infos}) == 1
    assert len(host_processes(paths)) == 1
    for backend in backends:
        await backend.aclose()


async def test_cancelling_stops_the_model(backend: HostBackend) -> None:
    endless = await prompt_of(backend, "1 2 3 4", 1500)
    n_tokens = 0

    async def read() -> None:
        nonlocal n_tokens
        async for _ in backend.generate(endless):
            n_tokens += 1

    task = asyncio.create_task(read())
    while n_tokens < 3:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    short = await prompt_of(backend, "x = 1", 2)
    stream = backend.generate(short)
    assert len([token async for token in stream]) == 2
    assert stream.stats is not None
    # Were the endless one still running, this one would have waited for over a thousand tokens.
    assert stream.stats.queue_ms < 20 * stream.stats.prompt_ms


async def test_a_request_interrupts_a_warm_up(backend: HostBackend) -> None:
    long = await prompt_of(backend, "value = compute(value, 17)\n" * 160, 1)
    warm_up = asyncio.create_task(backend.warm(long))
    await asyncio.sleep(0.2)
    stream = backend.generate(await prompt_of(backend, "x = 1", 2))
    assert len([token async for token in stream]) == 2
    await warm_up
    again = backend.generate(long)
    async for _ in again:
        pass
    assert again.stats is not None
    assert again.stats.n_reused_tokens < long.n_tokens - 1, "the warm-up ran to its end before the request"


async def test_killed_in_a_request_it_says_so_and_the_next_works(backend: HostBackend, paths: Paths) -> None:
    endless = await prompt_of(backend, "1 2 3 4", 1500)
    with pytest.raises(ModelProcessDiedError, match="signal 9") as caught:
        await read_and_kill(backend, endless, paths)
    assert "next request starts it again" in caught.value.mend
    assert await write(backend, await prompt_of(backend, "x =", 2))


async def test_after_an_illegal_instruction_it_runs_without_the_extra_kernels(
    backend: HostBackend, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def spec_to_wire(spec: ModelSpec) -> protocol.Frame:
        asked.append(spec.has_extra_kernels)
        return to_wire(spec)

    to_wire = protocol.spec_to_wire
    monkeypatch.setattr(protocol, "spec_to_wire", spec_to_wire)
    endless = await prompt_of(backend, "1 2 3 4", 1500)
    with pytest.raises(ModelProcessDiedError, match="SIGILL"):
        await read_and_kill(backend, endless, paths, signal.SIGILL)
    assert all(asked)
    asked.clear()
    assert await write(backend, await prompt_of(backend, "x =", 2))
    assert asked
    assert not any(asked)


async def test_closing_ends_what_is_still_being_read(model_path: Path, paths: Paths) -> None:
    backend = make(model_path, paths)
    prompt = await prompt_of(backend, "def add(a, b):\n", 400)
    reading = asyncio.create_task(write(backend, prompt))
    await asyncio.sleep(0.3)
    await backend.aclose()
    with pytest.raises(BackendError, match="closed"):
        await reading


async def test_killed_between_requests_the_next_works(backend: HostBackend, paths: Paths) -> None:
    await backend.describe()
    for process in host_processes(paths):
        process.send_signal(signal.SIGKILL)
        process.wait(5)
    await asyncio.sleep(0.1)
    assert await write(backend, await prompt_of(backend, "x =", 2))


async def test_dying_again_and_again_is_not_retried_at_once(backend: HostBackend, paths: Paths) -> None:
    for _ in range(3):
        endless = await prompt_of(backend, "1 2 3 4", 1500)
        with pytest.raises(ModelProcessDiedError):
            await read_and_kill(backend, endless, paths)
    with pytest.raises(BackendError, match="died 3 times within a minute"):
        await backend.tokenize(["x"])


async def test_it_ends_when_nobody_is_left(model_path: Path, paths: Paths) -> None:
    backend = make(model_path, paths)
    await backend.describe()
    (process,) = host_processes(paths)
    await backend.aclose()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [process], 20)
    assert gone
    assert not launch.places(paths).socket.exists()


async def test_weights_leave_memory_when_idle(model_path: Path, paths: Paths) -> None:
    backend = make(model_path, paths, replace(OPTIONS, idle_unload_s=1.0))
    await backend.describe()
    (process,) = host_processes(paths)
    loaded_bytes = process.memory_info().rss
    await asyncio.to_thread(wait_until, lambda: process.memory_info().rss < loaded_bytes / 2)
    assert process.memory_info().rss < loaded_bytes / 2
    assert await write(backend, await prompt_of(backend, "x =", 2))
    await backend.aclose()


async def test_the_process_yields_to_other_programs(model_path: Path, paths: Paths) -> None:
    backend = make(model_path, paths, replace(OPTIONS, niceness=7))
    await backend.describe()
    (process,) = host_processes(paths)
    assert process.nice() == os.nice(0) + 7
    await backend.aclose()


async def test_too_little_memory_is_a_sentence(model_path: Path, paths: Paths) -> None:
    backend = make(model_path, paths, replace(OPTIONS, memory_limit_mb=600))
    with pytest.raises((ModelError, BackendError)) as caught:
        await backend.describe()
    assert caught.value.mend
    await backend.aclose()


async def test_junk_weights_are_a_sentence_and_the_process_lives(
    model_path: Path, paths: Paths, tmp_path: Path
) -> None:
    truncated = tmp_path / "truncated.gguf"
    with model_path.open("rb") as whole:
        truncated.write_bytes(whole.read(20_000_000))
    bad = make(truncated, paths)
    with pytest.raises(ModelCorruptError, match=r"truncated\.gguf"):
        await bad.describe()
    missing = make(tmp_path / "missing.gguf", paths)
    with pytest.raises(ModelMissingError):
        await missing.describe()
    good = make(model_path, paths)
    assert (await good.describe()).architecture == "qwen2"
    for backend in (bad, missing, good):
        await backend.aclose()


async def test_a_prompt_larger_than_the_context_is_refused(model_path: Path, paths: Paths) -> None:
    backend = make(model_path, paths, n_ctx=512)
    prompt = await prompt_of(backend, "word " * 600, 4)
    with pytest.raises(Exception, match="does not fit into the context of 512"):
        await write(backend, prompt)
    await backend.aclose()


async def test_the_folder_of_the_socket_is_private(backend: HostBackend, paths: Paths) -> None:
    await backend.describe()
    socket = launch.places(paths).socket
    assert socket.parent.stat().st_mode & 0o077 == 0
    assert socket.stat().st_mode & 0o077 == 0


async def test_rubbish_on_the_socket_harms_nobody_else(backend: HostBackend, paths: Paths) -> None:
    await backend.describe()
    for rubbish in (b"\x00\x00\x00\x05hello", b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{}", os.urandom(64)):
        _, writer = await asyncio.open_unix_connection(launch.places(paths).socket)
        writer.write(rubbish)
        await writer.drain()
        writer.close()
    assert await write(backend, await prompt_of(backend, "x =", 2))


async def test_stop_tokens_end_the_stream_and_are_not_written(backend: HostBackend) -> None:
    prompt = await prompt_of(backend, "def add(a, b):\n    return", 8)
    tokens = [token async for token in backend.generate(prompt)]
    last = next(token for token in tokens if token.token_id != tokens[0].token_id)
    stream = backend.generate(replace(prompt, stop=replace(prompt.stop, stop_tokens=(last.token_id,))))
    kept = [token async for token in stream]
    assert [token.token_id for token in kept] == [token.token_id for token in tokens[: tokens.index(last)]]
    assert stream.stats is not None
    assert stream.stats.stop_reason is StopReason.END_OF_MIDDLE


def test_another_release_has_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = user_paths({"FIMBLE_HOME": str(tmp_path)})
    before = launch.places(paths)
    monkeypatch.setattr("fimble.backend.host.launch.version", lambda _name: "99.0")
    after = launch.places(paths)
    assert (after.socket != before.socket, after.lock != before.lock) == (True, True)
    assert (after.kv_states, after.log) == (before.kv_states, before.log)


def test_a_socket_path_too_long_for_the_system_moves(tmp_path: Path) -> None:
    where = launch.places(user_paths({"FIMBLE_HOME": str(tmp_path / ("deep" * 40))}))
    assert len(os.fsencode(where.socket)) < 104
