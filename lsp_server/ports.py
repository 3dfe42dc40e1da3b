"""What the server asks of the parts it is given: an engine per workspace folder, and someone who fetches models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fimble.core.config import Layer
from fimble.core.errors import FimbleError
from fimble.core.flow import Completion, CompletionRequest, Document, ModelInfo, Rejection
from fimble.core.ports import CompletionWatcher, EventSink
from fimble.core.position import ByteOffset
from fimble.engine.explain import Explanation
from fimble.engine.settings import Settings


class CompletionEngine(Protocol):
    """What fimble.engine offers."""

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """Answer one request; expected failures are Rejections. Cancelling the task stops the model."""
        ...

    async def explain(self, request: CompletionRequest) -> Explanation:
        """What the model would see. Raises FimbleError where there is no model."""
        ...

    async def warm(self, document: Document, cursor: ByteOffset) -> None:
        """Prepare for a request at this place, in idle time."""
        ...

    def opened(self, document: Document) -> None:
        """A text was opened: others' prompts may show it."""
        ...

    def edited(self, document: Document) -> None:
        """An open text was edited that is not the one that `complete` is asked about."""
        ...

    def closed(self, uri: str) -> None:
        """A text was closed."""
        ...

    async def rest(self) -> None:
        """Wait until what an answer left to be done in idle time is done."""
        ...

    async def ready(self) -> ModelInfo:
        """Load the model. Raises FimbleError where it cannot."""
        ...

    async def aclose(self) -> None:
        """Let go of everything."""
        ...


class EngineFactory(Protocol):
    """Builds the engine of one workspace folder, None for texts outside of all."""

    def __call__(self, settings: Settings, workspace: Path | None, sink: EventSink) -> CompletionEngine:
        """Build it without loading the model. Raises FimbleError."""
        ...


@dataclass(frozen=True, slots=True)
class Download:
    """How far a download is. `n_total_bytes` is 0 while unknown."""

    n_bytes: int
    n_total_bytes: int

    @property
    def percent(self) -> float | None:
        """0 to 100; None while the size is unknown."""
        return 100.0 * self.n_bytes / self.n_total_bytes if self.n_total_bytes > 0 else None


class ModelInstaller(Protocol):
    """Fetches weights; the server itself never opens a connection."""

    def offer(self, settings: Settings) -> str | None:
        """What would be fetched and from where, in one line for people; None where the model cannot be fetched."""
        ...

    async def install(self, settings: Settings, on_progress: Callable[[Download], None]) -> None:
        """Fetch the configured model. Calls back on the event loop; cancelling stops it. Raises FimbleError."""
        ...


class RunningCount(Protocol):
    """One client's counting."""

    @property
    def watcher(self) -> CompletionWatcher:
        """Is told of everything."""
        ...

    @property
    def arm_layer(self) -> Layer | None:
        """Settings that an experiment lays over all others."""
        ...

    def finish(self) -> None:
        """Write what is left, after the watcher was closed; may block, any thread may call it."""
        ...


class StartCounting(Protocol):
    """Begins the counting of one client's completions."""

    def __call__(self, settings: Settings, on_problem: Callable[[FimbleError], None]) -> RunningCount | None:
        """None where the user switched it off. `on_problem` may be called by another thread. May block for the disk."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the server is handed. Without an installer nothing is offered for download."""

    build_engine: EngineFactory
    installer: ModelInstaller | None = None
    start_counting: StartCounting | None = None
