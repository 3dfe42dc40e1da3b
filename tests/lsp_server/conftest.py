"""A session with a scripted engine and a client that answers as told; and the same server as a real process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fimble.core.config import Layer
from fimble.core.errors import FimbleError
from fimble.core.flow import (
    Completion,
    CompletionRequest,
    Document,
    Event,
    ModelInfo,
    Rejection,
    StopReason,
    Timings,
)
from fimble.core.ports import EventSink
from fimble.core.position import ByteOffset, ByteRange
from fimble.engine.clock import SystemClock
from fimble.engine.explain import Explanation
from fimble.engine.settings import Settings
from fimble.lsp_server import convert
from fimble.lsp_server.client import Client
from fimble.lsp_server.convert import ClientFacts
from fimble.lsp_server.ports import Download, Services
from fimble.lsp_server.session import Session

MODEL_INFO = ModelInfo("m", "Scripted", "qwen2", 300, 4096, {}, (), 0, 0)


class FakeEngine:
    """Answers with what `answers` says; counts what was asked of it."""

    def __init__(self, settings: Settings, workspace: Path | None) -> None:
        self.settings = settings
        self.workspace = workspace
        self.requests: list[CompletionRequest] = []
        self.warmed: list[tuple[Document, ByteOffset]] = []
        self.open: dict[str, str] = {}  # the one in front last
        self.n_cancelled = 0
        self.is_closed = False
        self.answer: Callable[[CompletionRequest], Completion | Rejection] = answer_with("text")
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.may_rest = asyncio.Event()
        self.may_rest.set()
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.ready_errors: list[FimbleError] = []
        self.info = MODEL_INFO

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        self.requests.append(request)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        return self.answer(request)

    async def explain(self, request: CompletionRequest) -> Explanation:
        self.requests.append(request)
        return Explanation(0, 0, (), ())

    async def warm(self, document: Document, cursor: ByteOffset) -> None:
        self.warmed.append((document, cursor))
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise

    def opened(self, document: Document) -> None:
        self.open.pop(document.uri, None)
        self.open[document.uri] = document.text

    def edited(self, document: Document) -> None:
        self.open[document.uri] = document.text

    def closed(self, uri: str) -> None:
        self.open.pop(uri, None)

    async def rest(self) -> None:
        await self.may_rest.wait()

    async def ready(self) -> ModelInfo:
        await self.may_load.wait()
        if self.ready_errors:
            raise self.ready_errors.pop(0)
        return self.info

    async def aclose(self) -> None:
        self.is_closed = True


def answer_with(text: str, *alternatives: str, n_replaced: int = 0) -> Callable[[CompletionRequest], Completion]:
    """An engine's answer at the cursor."""

    def answer(request: CompletionRequest) -> Completion:
        end = ByteOffset(request.cursor + n_replaced)
        return Completion(
            request.request_id,
            text,
            ByteRange(request.cursor, end),
            "m",
            Timings(0, 0, 0, 0),
            1,
            0,
            1,
            StopReason.END_OF_MIDDLE,
            alternatives=alternatives,
        )

    return answer


@dataclass
class FakeWire:
    """A client: keeps what it is told, answers requests by method."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    def notify(self, method: str, params: Any = None) -> None:
        self.told.append((method, params))

    async def send_request_async(self, method: str, params: Any = None) -> Any:
        self.asked.append((method, params))
        answer = self.answers.get(method)
        return await answer(params) if callable(answer) else answer

    def params_of(self, method: str) -> list[Any]:
        return [params for told, params in self.told if told == method]

    def states(self) -> list[str]:
        return [params["state"] for params in self.params_of("fimble/status")]


class ListWatcher:
    """A CompletionWatcher that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.calls: list[tuple[Any, ...]] = []
        self.is_closed = False

    def record(self, event: Event) -> None:
        assert not self.is_closed
        self.events.append(event)

    def close(self) -> None:
        self.is_closed = True

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_") and name != "tick":
            raise AttributeError(name)

        def call(*arguments: Any) -> None:
            assert not self.is_closed
            self.calls.append((name, *arguments))

        return call


@dataclass
class FakeCount:
    """One session's counting."""

    watcher: ListWatcher
    arm_layer: Layer | None = None
    n_finished: int = 0

    def finish(self) -> None:
        self.n_finished += 1


class FakeInstaller:
    """A download of two steps; `failures` are raised first, one per try."""

    def __init__(self) -> None:
        self.offered: str | None = "it, 5 MB"
        self.failures: list[FimbleError] = []
        self.n_installed = 0
        self.later_failures: list[FimbleError] = []  # in the same way, when the download is at half
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self._on_progress: Callable[[Download], None] = lambda download: None

    def tell(self, percent: int) -> None:
        """The download is at this, and goes on."""
        self._on_progress(Download(percent * 50_000, 5_000_000))

    def offer(self, settings: Settings) -> str | None:
        return self.offered

    async def install(self, settings: Settings, on_progress: Callable[[Download], None]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self._on_progress = on_progress
        on_progress(Download(2_500_000, 5_000_000))
        on_progress(Download(2_500_001, 5_000_000))  # still 50 percent: not told again
        await self.may_finish.wait()
        if self.later_failures:
            raise self.later_failures.pop(0)
        on_progress(Download(5_000_000, 5_000_000))
        self.n_installed += 1


class Bench:
    """A session and everything around it."""

    def __init__(self) -> None:
        self.wire = FakeWire()
        self.counts: list[FakeCount] = []
        self.arm_layer: Layer | None = None
        self.installer = FakeInstaller()
        self.engines: list[FakeEngine] = []
        self.prepare: Callable[[FakeEngine], None] = lambda engine: None
        self.uris_asked: list[str] = []  # those whose file the session wanted to know
        services = Services(self._build, self.installer, self._start_counting)
        self.session = Session(services, Client(self.wire), SystemClock(), self._path_of)

    def _path_of(self, uri: str) -> Path | None:
        self.uris_asked.append(uri)
        return convert.path_of(uri)

    def _start_counting(self, settings: Settings, on_problem: Callable[[FimbleError], None]) -> FakeCount | None:
        if not settings.config.telemetry.enabled:
            return None
        self.on_problem = on_problem
        self.counts.append(FakeCount(ListWatcher(), self.arm_layer))
        return self.counts[-1]

    @property
    def sink(self) -> ListWatcher:
        return self.counts[-1].watcher

    def _build(self, settings: Settings, workspace: Path | None, sink: EventSink) -> FakeEngine:
        engine = FakeEngine(settings, workspace)
        self.prepare(engine)
        self.engines.append(engine)
        return engine

    answer_with = staticmethod(answer_with)

    @property
    def engine(self) -> FakeEngine:
        return self.engines[-1]

    async def begin(self, facts: ClientFacts | None = None, roots: Sequence[Path] = ()) -> None:
        """initialize and initialized."""
        self.session.client.facts = facts or ClientFacts()
        uris = [root.as_uri() for root in roots]
        self.session.begin(uris, roots, self.session.client.facts.settings or {})
        await self.session.open()
        await settle()


async def settle() -> None:
    """Let everything that can run, run; settings are read in a thread."""
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A session that is closed at the end."""
    made = Bench()
    yield made
    await made.session.aclose()
