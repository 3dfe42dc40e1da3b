"""Starting the model process: once, however often the requests that want it are cancelled. Its start is stubbed."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import filelock
import pytest

from fimble.backend.host import launch, protocol
from fimble.backend.host.client import HostBackend
from fimble.backend.host.protocol import ModelSpec
from fimble.core.config import HostOptions
from fimble.core.errors import BackendError
from fimble.core.paths import Paths
from fimble.engine.settings import user_paths


class StartedProcess:
    """Stands for a process that is starting: nobody listens yet."""

    returncode: int | None = None
    is_killed = False

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.is_killed = True


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return user_paths({"FIMBLE_HOME": str(tmp_path)})


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[StartedProcess]:
    """The processes that were started."""
    processes: list[StartedProcess] = []

    def start(*_: object) -> StartedProcess:
        processes.append(StartedProcess())
        return processes[-1]

    monkeypatch.setattr(launch, "_start", start)
    return processes


def make(paths: Paths) -> HostBackend:
    return HostBackend(lambda: ModelSpec("test", Path("/none.gguf"), 512, -1, 1), paths, HostOptions())


@asynccontextmanager
async def listening(paths: Paths) -> AsyncGenerator[None]:
    """What every text is made of is the token 7."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while frame := await protocol.read_frame(reader):
            writer.write(protocol.encode_frame({"id": frame["id"], "result": {"ids": [[7]]}}))
        writer.close()

    server = await asyncio.start_unix_server(serve, launch.places(paths).socket)
    yield
    server.close()


async def ask_while_it_starts(
    backend: HostBackend, started: list[StartedProcess], n_started: int
) -> asyncio.Task[object]:
    """A request that waits for the process, the `n_started`th by now."""
    request = asyncio.ensure_future(backend.tokenize(["x"]))
    while len(started) < n_started:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    return request


async def test_keys_while_it_starts_do_not_start_another(paths: Paths, started: list[StartedProcess]) -> None:
    backend = make(paths)
    for _ in range(4):
        request = await ask_while_it_starts(backend, started, 1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert len(started) == 1
    assert not started[0].is_killed
    async with listening(paths):
        assert await backend.tokenize(["x"]) == ((7,),)
        assert len(started) == 1
        await backend.aclose()


async def test_closed_while_it_starts_nothing_is_left_behind(paths: Paths, started: list[StartedProcess]) -> None:
    backend = make(paths)
    request = await ask_while_it_starts(backend, started, 1)
    await backend.aclose()
    with pytest.raises(BackendError, match="closed here"):
        await request
    assert [process.is_killed for process in started] == [True]
    filelock.FileLock(launch.places(paths).lock, timeout=0).acquire().lock.release()


async def test_one_that_dies_while_it_starts_is_started_again(paths: Paths, started: list[StartedProcess]) -> None:
    backend = make(paths)
    for n_started in (1, 2):
        request = await ask_while_it_starts(backend, started, n_started)
        started[-1].returncode = 1
        with pytest.raises(BackendError, match="did not start"):
            await request
        assert len(started) == n_started


def _no_folder(paths: Paths, _: pytest.MonkeyPatch) -> None:
    paths.runtime.parent.mkdir(parents=True, exist_ok=True)
    paths.runtime.write_text("a file where a folder should be")


def _no_memory(_: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(launch, "_start", start)


def _no_access(_: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_connection(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(asyncio, "open_unix_connection", open_connection)


@pytest.mark.parametrize("break_it", [_no_folder, _no_memory, _no_access])
async def test_what_the_system_refuses_is_a_sentence(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Paths, pytest.MonkeyPatch], None]
) -> None:
    break_it(paths, monkeypatch)
    with pytest.raises(BackendError, match=re.escape(str(launch.places(paths).socket))) as caught:
        await make(paths).describe()
    assert str(launch.places(paths).log) in caught.value.mend
