"""A generation under way: who may come aboard, how long it lasts, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.engine.asking import cancel_then_ask, completed, engine_of, request

from fimble.backend.scripted import ScriptedBackend, ScriptedGeneration
from fimble.core.flow import (
    AnswerSource,
    Completion,
    Prompt,
    Token,
    TokenId,
)
from fimble.engine.flight import Flight
from fimble.engine.traffic import Route, Traffic


async def test_typing_along_with_a_running_generation_does_not_start_another() -> None:
    engine, backend = engine_of("a + b", delay_ms=80)
    outcome = await cancel_then_ask(engine, "return $0\n", "return a$0\n")
    assert isinstance(outcome, Completion)
    assert outcome.text == " + b"
    assert len(backend.prompts) == 1
    assert backend.n_cancelled == 0


async def test_a_generation_lasts_from_key_to_key_though_the_editor_waits_between_them() -> None:
    engine, backend = engine_of("a + b", delay_ms=600)
    keys = [asyncio.create_task(engine.complete(request("return $0\n")))]
    for typed in ("a", "a ", "a +"):
        await asyncio.sleep(0.02)
        keys[-1].cancel()
        await asyncio.sleep(0.08)
        keys.append(asyncio.create_task(engine.complete(request(f"return {typed}$0\n"))))
    outcome = await keys[-1]
    assert isinstance(outcome, Completion)
    assert outcome.text == " b"
    assert (len(backend.prompts), backend.n_cancelled) == (1, 0)


@pytest.mark.parametrize("answer", ["a + b", "a + b\n"])
async def test_what_is_typed_to_its_end_meanwhile_is_no_answer(answer: str) -> None:
    engine, backend = engine_of(
        lambda prompt: answer if prompt.constraint and prompt.constraint.prefix == "return " else "\nmore = 1\n",
        delay_ms=80,
        completion__lines="multi",
    )
    outcome = await cancel_then_ask(engine, "return $0\n", "return a + b$0\n")
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.source) == ("\nmore = 1", AnswerSource.MODEL)
    again = await completed(engine, "return a + b$0\n")
    assert (again.text, again.source) == ("\nmore = 1", AnswerSource.CACHE)
    assert len(backend.prompts) == 2


async def test_white_space_that_is_left_of_an_answer_is_none() -> None:
    engine, backend = engine_of("a = 1\n", completion__lines="multi")
    await completed(engine, "def f():\n    $0\n")
    await engine.complete(request("def f():\n    a = 1$0\n"))
    assert len(backend.prompts) == 2


async def test_typing_something_else_starts_another() -> None:
    engine, backend = engine_of("a + b", delay_ms=80)
    outcome = await cancel_then_ask(engine, "return $0\n", "return x$0\n")
    assert isinstance(outcome, Completion)
    assert outcome.text == "a + b"
    assert len(backend.prompts) == 2


class _Endless(ScriptedBackend):
    """Writes `a` for ever."""

    def generate(self, prompt: Prompt) -> ScriptedGeneration:
        return _EndlessGeneration(self, prompt, "", 0.0)


class _EndlessGeneration(ScriptedGeneration):
    async def __aiter__(self) -> AsyncIterator[Token]:
        while True:
            await asyncio.sleep(0.005)
            yield Token(TokenId(97), "a", -0.1)


async def test_what_contradicts_the_text_typed_meanwhile_is_not_waited_for() -> None:
    """The key came before the first piece, so that nothing told that the model would write something else."""
    engine, _ = engine_of("a")
    prompt = await engine.prompt_for(request("return $0\n"))
    flight = Flight(_Endless(lambda _: ""), prompt)
    assert flight.lets_aboard("ab")
    assert await flight.landing_with("ab") is None
    flight.close()
    await flight.over()


async def test_nobody_comes_aboard_of_what_is_being_stopped() -> None:
    engine, backend = engine_of("a + b", delay_ms=400)
    prompt = await engine.prompt_for(request("return $0\n"))
    traffic, route = Traffic(backend), Route("file:///w/a.py", "", "return ", "\n")
    first = asyncio.create_task(traffic.write(route, prompt))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    traffic.stop()
    assert (await traffic.write(route, prompt)).text == "a + b"
    assert (len(backend.prompts), backend.n_cancelled) == (2, 1)


async def test_asking_elsewhere_stops_what_ran_at_once() -> None:
    engine, backend = engine_of("a + b", delay_ms=100)
    await cancel_then_ask(engine, "return $0\n", "other = $0\n")
    assert (len(backend.prompts), backend.n_cancelled) == (2, 1)


async def test_a_request_nobody_waits_for_stops_the_model() -> None:
    engine, backend = engine_of("a + b", delay_ms=5000)
    running = asyncio.create_task(engine.complete(request("return $0\n")))
    await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0.3)
    assert backend.n_cancelled == 1
