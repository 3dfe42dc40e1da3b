"""What the tests of the engine share: an engine over a script, requests at `$0`, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from fimble.backend.scripted import ScriptedBackend
from fimble.core.config import Layer
from fimble.core.flow import (
    Completion,
    CompletionRequest,
    Document,
    Event,
    EventKind,
    Prompt,
    Rejection,
    RequestId,
)
from fimble.core.position import ByteOffset
from fimble.engine.complete import Engine
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine


class Sink:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


def engine_of(
    answer: str | Callable[[Prompt], str], *, delay_ms: float = 0.0, sink: Sink | None = None, **options: object
) -> tuple[Engine, ScriptedBackend]:
    backend = ScriptedBackend(answer if callable(answer) else lambda _: answer, delay_ms=lambda _: delay_ms)
    options = {"completion__look_ahead": False, **options}  # what a test counts is what it asked for
    layer = Layer("test", {key.replace("__", "."): value for key, value in options.items()})
    return build_engine(load_settings([layer], environ={}), backend=backend, sink=sink), backend


def request(source: str, **changes: object) -> CompletionRequest:
    """A request at `$0`."""
    prefix, suffix = source.split("$0")
    document = Document("file:///w/a.py", "python", 1, prefix + suffix)
    made = CompletionRequest(RequestId("r"), document, ByteOffset(len(prefix.encode())))
    return replace(made, **changes)  # type: ignore[arg-type]


async def completed(engine: Engine, source: str, **changes: object) -> Completion:
    outcome = await engine.complete(request(source, **changes))
    assert isinstance(outcome, Completion), outcome
    return outcome


async def rejected(engine: Engine, source: str, **changes: object) -> Rejection:
    outcome = await engine.complete(request(source, **changes))
    assert isinstance(outcome, Rejection), outcome
    return outcome


async def cancel_then_ask(engine: Engine, first: str, second: str) -> Completion | Rejection:
    """As a client does: the old request is cancelled while it runs, the next one comes at once."""
    running = asyncio.create_task(engine.complete(request(first)))
    await asyncio.sleep(0.02)
    running.cancel()
    outcome = await engine.complete(request(second))
    with pytest.raises(asyncio.CancelledError):
        await running
    return outcome


def continues(prompt: Prompt) -> str:
    """A model that counts on: `n = 1` is followed by `n = 2` on the next line."""
    text = "".join(segment.text for segment in prompt.segments if not segment.is_marker)
    number = int(text[-1]) if text[-1:].isdigit() else 0
    return f"\nn = {number + 1}\n" if number else "1\n"
