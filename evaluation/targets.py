"""Opens what is to be scored: fimble's engine in a model process of its own, or the peer over the same weights.

The user's model process, telemetry and locks are left alone: measured work gets folders of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dataclasses
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from fimble.core.errors import InputError
from fimble.core.paths import Paths
from fimble.engine.settings import Settings, user_paths
from fimble.engine.wiring import build_engine
from fimble.evaluation.answers import Completer, OpenCompleter
from fimble.evaluation.peers.llama_server import LlamaVim, run_llama_server
from fimble.evaluation.replay import OpenReplay, ReplayTarget
from fimble.evaluation.server import open_server

BackendName = Literal["fimble", "llama-server"]

# Seconds the model process waits for its first client, and stays after the last.
_LINGER_S = 15.0
_NO_TIME_BOX_MS = 600_000
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Subject:
    """Something ready to be asked. `completers` takes the option `completion.lines`; the peer has no such option.

    `cache` is the folder where an engine of it looks for the index of a workspace.
    """

    name: str
    completers: Callable[[str], OpenCompleter]
    replay: OpenReplay
    cache: Path | None = None


def require_comparable(backend: BackendName, settings: Settings) -> None:
    """Refuse the peer where it would be asked of another model than its results say.

    Raises:
        InputError: an adapter is configured, which the peer does not load.
    """
    if backend == "llama-server" and settings.config.model.adapter:
        raise InputError(
            f"The peer llama-server cannot load the adapter {settings.config.model.adapter}: its results would be those"
            " of the model alone.",
            mend="Unset model.adapter (FIMBLE_MODEL_ADAPTER), or leave the peer out: --backend fimble.",
        )


@contextlib.asynccontextmanager
async def open_subject(
    backend: BackendName, settings: Settings, find_model: Callable[[], Path]
) -> AsyncGenerator[Subject]:
    """Load the model and keep it loaded until leaving. `find_model` gives the weights' file to the peer.

    Raises:
        FimbleError: the weights, the process that runs them, or the peer's package are missing or broken.
        InputError: as `require_comparable`.
    """
    require_comparable(backend, settings)
    if backend == "llama-server":
        model = settings.config.model
        n_threads = model.n_threads or n_usable_cores()
        path = await asyncio.to_thread(find_model)
        async with run_llama_server(
            path, model_id=model.id, n_threads=n_threads, n_gpu_layers=model.n_gpu_layers
        ) as server:

            @contextlib.asynccontextmanager
            async def open_vim(workspace: Path) -> AsyncGenerator[LlamaVim]:
                yield LlamaVim(server, workspace)

            def completers(lines: str) -> OpenCompleter:
                del lines
                return open_vim

            yield Subject("llama-server", completers, open_vim)
        return
    async with _open_fimble([settings]) as (subject,):
        yield subject


@contextlib.asynccontextmanager
async def open_subjects(
    backend: BackendName, variants: Sequence[Settings], find_model: Callable[[], Path]
) -> AsyncGenerator[tuple[Subject, ...]]:
    """One subject for each of the settings, which agree on the model; of the peer there is one.

    Raises:
        FimbleError: as `open_subject`.
    """
    if backend == "fimble":
        async with _open_fimble(variants) as subjects:
            yield subjects
    else:
        async with open_subject(backend, variants[0], find_model) as subject:
            yield (subject,)


@contextlib.asynccontextmanager
async def _open_fimble(variants: Sequence[Settings]) -> AsyncGenerator[tuple[Subject, ...]]:
    """fimble with each of the settings, over one model process and its cache. They must agree on the model.

    Raises:
        FimbleError: the weights, or the process that runs them, are missing or broken.
    """
    with tempfile.TemporaryDirectory(prefix="fimble-eval-home-") as folder:
        home = Path(folder)
        paths = _own_folders(variants[0], home)
        private = [_with_own_folders(settings, paths) for settings in variants]
        keeper = build_engine(private[0])
        try:
            await keeper.ready()
            yield tuple(_fimble(settings, home) for settings in private)
        finally:
            await keeper.aclose()


@contextlib.contextmanager
def counting_cpu() -> Generator[Callable[[], float]]:
    """Gives how many CPU seconds were used since by this process and those it started, also by ones that have ended.

    The model process is one of them, and so is each trace's server, which ends with its trace.
    """
    _adopt_orphans(1)
    before_s = _cpu_seconds()
    try:
        yield lambda: _cpu_seconds() - before_s
    finally:
        _adopt_orphans(0)


def _cpu_seconds() -> float:
    """Of a process that was waited for, who waited for it knows the time; one that nobody waited for still has it."""
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _adopt_orphans(is_on: int) -> None:
    """Have processes whose parent ends before them become ours; else init takes them, and their time, away (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, is_on, 0, 0, 0)


def n_usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fimble(settings: Settings, home: Path) -> Subject:
    def open_replay(workspace: Path) -> AbstractAsyncContextManager[ReplayTarget]:
        return open_server(settings, home, workspace)

    return Subject(
        "fimble", lambda lines: _engine_opener(_with_lines(settings, lines)), open_replay, settings.paths.cache
    )


def _engine_opener(settings: Settings) -> OpenCompleter:
    @contextlib.asynccontextmanager
    async def open_engine(workspace: Path) -> AsyncGenerator[Completer]:
        engine = build_engine(settings, workspace=workspace, is_patient=True)
        try:
            await engine.ready()
            yield engine
        finally:
            await engine.aclose()

    return open_engine


def _with_lines(settings: Settings, lines: str) -> Settings:
    """For scoring: a set's line mode, and no time box, so that a busy machine waits longer and scores alike."""
    completion = dataclasses.replace(settings.config.completion, lines=lines, invoked_time_box_ms=_NO_TIME_BOX_MS)
    return dataclasses.replace(settings, config=dataclasses.replace(settings.config, completion=completion))


def _own_folders(settings: Settings, home: Path) -> Paths:
    """Folders under `home`, with the user's models in them."""
    settings.paths.models.mkdir(parents=True, exist_ok=True)
    paths = user_paths({"FIMBLE_HOME": str(home)})
    paths.models.symlink_to(settings.paths.models, target_is_directory=True)
    return dataclasses.replace(paths, models=settings.paths.models)


def _with_own_folders(settings: Settings, paths: Paths) -> Settings:
    """The model process ends with its last client, so it must not be the one that the user's editors share."""
    host = dataclasses.replace(settings.config.host, linger_s=_LINGER_S)
    return dataclasses.replace(settings, paths=paths, config=dataclasses.replace(settings.config, host=host))
