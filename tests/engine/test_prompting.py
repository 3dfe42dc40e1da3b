"""How much is read before answering: budgets in milliseconds, the rest in idle time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fimble.backend.scripted import ScriptedBackend
from fimble.core.config import Layer
from fimble.core.flow import (
    CompletionRequest,
    Document,
    GenerationStats,
    ModelInfo,
    Prompt,
    RequestId,
    StopReason,
    TokenId,
    Trigger,
)
from fimble.core.position import ByteOffset
from fimble.engine.complete import Engine
from fimble.engine.prompting import Pace
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine

LINE = "value = compute(value)\n"


class ReplacedBackend(ScriptedBackend):
    """A scripted model whose weights are others, with another vocabulary, once `is_replaced`."""

    is_replaced = False

    async def describe(self) -> ModelInfo:
        return replace(await super().describe(), files_stamp="replaced" if self.is_replaced else "")

    async def tokenize(self, texts: Sequence[str]) -> tuple[tuple[TokenId, ...], ...]:
        lists = await super().tokenize(texts)
        return tuple(tuple(TokenId(255 - token) for token in tokens) for tokens in lists) if self.is_replaced else lists


class ColdBackend(ScriptedBackend):
    """A scripted model whose cache holds only what it was asked or warmed with."""

    async def n_cached(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        known = [prompt.tokens for prompt in (*self.prompts, *self.warmed)]
        return tuple(max((_shared(tokens, prompt.tokens) for tokens in known), default=0) for prompt in prompts)


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def make(budget_ms: int) -> tuple[Engine, ColdBackend]:
    backend = ColdBackend(lambda _: "answer")
    values = {"prompt.cold_budget_ms": budget_ms, "prompt.max_tokens": 4000, "completion.look_ahead": False}
    layer = Layer("test", values)
    return build_engine(load_settings([layer], environ={}), backend=backend), backend


def ask(typed: str = "", trigger: Trigger = Trigger.AUTOMATIC) -> CompletionRequest:
    prefix = LINE * 200 + "x = " + typed
    document = Document("file:///w/a.py", "python", 1, prefix + "\n" + LINE * 100)
    return CompletionRequest(RequestId("r"), document, ByteOffset(len(prefix)), trigger)


async def test_a_cold_place_is_answered_from_few_lines_and_read_on_in_idle_time() -> None:
    engine, backend = make(budget_ms=2000)  # 444 of the script's byte tokens at the first guess
    await engine.complete(ask())
    await engine.rest()
    (first,), (read_on,) = backend.prompts, backend.warmed
    assert first.n_tokens <= 444 < read_on.n_tokens
    await engine.complete(ask("v"))
    assert backend.prompts[1].n_tokens > 444, "the full surroundings were read and are not used"
    assert len(backend.warmed) == 1


async def test_the_smaller_prompt_of_a_place_only_grows_while_one_types() -> None:
    engine, backend = make(budget_ms=2000)
    backend.warm = _never  # type: ignore[method-assign]
    for typed in ("", "v", "va", "val"):
        await engine.complete(ask(typed + "!"))  # the mark keeps the answers from being typed into
    first = backend.prompts[0].tokens
    for prompt in backend.prompts[1:]:
        assert prompt.tokens[: len(first) - 1] == first[:-1]


async def test_asked_by_hand_everything_is_read() -> None:
    engine, backend = make(budget_ms=1)
    await engine.complete(ask(trigger=Trigger.INVOKED))
    assert backend.prompts[0].n_tokens > 2000
    assert backend.warmed == []


async def test_where_nothing_fits_the_least_is_read() -> None:
    engine, backend = make(budget_ms=1)
    await engine.complete(ask())
    assert backend.prompts[0].n_tokens <= 128


async def test_warming_reads_everything() -> None:
    engine, backend = make(budget_ms=2000)
    request = ask()
    await engine.warm(request.document, request.cursor)
    await engine.complete(ask("v"))
    assert backend.prompts[0].n_tokens > 444


@pytest.mark.parametrize(("n_read", "prompt_ms", "expected"), [(100, 100.0, 1.0), (100, 2000.0, 20.0)])
def test_the_pace_follows_the_machine(n_read: int, prompt_ms: float, expected: float) -> None:
    pace = Pace()
    for _ in range(40):
        pace.learn(stats(n_read, prompt_ms))
    assert pace.ms_per_token == pytest.approx(expected, rel=0.01)


def test_a_few_tokens_say_nothing_about_the_pace() -> None:
    pace = Pace()
    before = pace.ms_per_token
    pace.learn(stats(3, 500.0))
    assert pace.ms_per_token == before


def stats(n_read: int, prompt_ms: float) -> GenerationStats:
    return GenerationStats(n_read + 50, 50, 1, 0.0, prompt_ms, prompt_ms, prompt_ms, StopReason.LINE_END)


async def _never(prompt: Prompt) -> None:
    await asyncio.sleep(0)


async def test_what_was_tokenized_for_weights_that_were_replaced_is_tokenized_anew() -> None:
    backend, fresh = (ReplacedBackend(lambda _: "answer") for _ in range(2))
    engine, fresh_engine = (build_engine(load_settings([], environ={}), backend=each) for each in (backend, fresh))
    await engine.prompt_for(ask())
    backend.is_replaced = fresh.is_replaced = True
    assert (await engine.prompt_for(ask())).tokens == (await fresh_engine.prompt_for(ask())).tokens
