"""Answers that need no model: typed into, come back to; and when an earlier one no longer counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engine.asking import cancel_then_ask, completed, continues, engine_of, request

from fimble.core.flow import (
    AnswerSource,
    Completion,
    CompletionRequest,
    ModelInfo,
)


async def test_typing_into_an_answer_needs_no_model() -> None:
    engine, backend = engine_of("a + b")
    await completed(engine, "return $0\n")
    for typed, rest in (("a", " + b"), ("a +", " b"), ("a + ", "b")):
        completion = await completed(engine, f"return {typed}$0\n")
        assert (completion.text, completion.source) == (rest, AnswerSource.TYPE_THROUGH)
    assert len(backend.prompts) == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_typing_into_an_answer_of_several_lines(line_end: str) -> None:
    engine, backend = engine_of("a = 1\n    b = 2\n    return a\n", completion__lines="multi")
    rests = {
        "": "a = 1\n    b = 2\n    return a",
        "a = 1\n    ": "b = 2\n    return a",
        "a = 1\n    b = 2\n": "    return a",
    }
    for typed, rest in rests.items():
        completion = await completed(engine, f"def f():\n    {typed}$0\n".replace("\n", line_end))
        assert completion.text == rest.replace("\n", line_end)
    assert len(backend.prompts) == 1


async def test_typing_a_line_end_along_with_a_running_generation() -> None:
    engine, backend = engine_of("a = 1\n    b = 2\n", delay_ms=80, completion__lines="multi")
    outcome = await cancel_then_ask(engine, "def f():\r\n    $0\r\n", "def f():\r\n    a = 1\r\n    $0\r\n")
    assert isinstance(outcome, Completion)
    assert (outcome.text, len(backend.prompts)) == ("b = 2", 1)


async def test_coming_back_to_an_answer_needs_no_model() -> None:
    engine, backend = engine_of("a + b")
    await completed(engine, "return $0\n")
    await completed(engine, "return x$0\n")
    again = await completed(engine, "return $0\n")
    assert again.source is AnswerSource.CACHE
    assert len(backend.prompts) == 2


async def test_an_answer_of_an_adapter_that_was_replaced_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, backend = engine_of("a + b")
    first = await backend.describe()
    await completed(engine, "return $0\n")

    async def describe() -> ModelInfo:
        return replace(first, files_stamp="replaced")

    monkeypatch.setattr(backend, "describe", describe)
    assert (await completed(engine, "return $0\n")).source is AnswerSource.MODEL


@pytest.mark.parametrize("changed", ["return a$0 \n", "return b$0\n", "RETURN a$0\n", "return a + b$0\n"])
async def test_other_surroundings_ask_the_model(changed: str) -> None:
    engine, backend = engine_of("a + b")
    await completed(engine, "return $0\n")
    await engine.complete(request(changed))
    assert len(backend.prompts) == 2


def of_other_file(source: str) -> CompletionRequest:
    made = request(source)
    return replace(made, document=replace(made.document, uri="file:///w/b.py"))


async def test_an_edit_of_another_file_makes_earlier_answers_stale() -> None:
    engine, backend = engine_of(lambda _: f"answer_{len(backend.prompts)} + b")
    await engine.complete(of_other_file("def old(): $0\n"))
    first = await completed(engine, "return $0\n")
    await engine.complete(of_other_file("def new(): $0\n"))
    again = await completed(engine, "return $0\n")
    assert again.source is AnswerSource.MODEL
    assert again.text != first.text
    typed = await completed(engine, f"return {again.text[:3]}$0\n")
    assert (typed.text, typed.source) == (again.text[3:], AnswerSource.TYPE_THROUGH)


async def test_an_edit_shows_where_a_text_is_brought_to_the_front() -> None:
    engine, _ = engine_of("a + b")
    engine.opened(of_other_file("old$0\n").document)
    await completed(engine, "return $0\n")
    engine.opened(of_other_file("new$0\n").document)
    assert (await completed(engine, "return $0\n")).source is AnswerSource.MODEL


async def test_an_edit_counts_where_nothing_was_asked_for() -> None:
    engine, _ = engine_of("a + b")
    engine.opened(of_other_file("old$0\n").document)
    await completed(engine, "return $0\n")
    engine.edited(of_other_file("new$0\n").document)
    assert (await completed(engine, "return $0\n")).source is AnswerSource.MODEL


async def test_answers_last_while_this_file_is_edited_and_others_are_looked_at() -> None:
    engine, backend = engine_of("a + b")
    await completed(engine, "return $0\n")
    for source in ("other = $0\n", "other = 1$0\n"):
        await engine.complete(request(source))
    await engine.complete(of_other_file("z = $0\n"))
    engine.closed("file:///w/b.py")
    engine.opened(of_other_file("z = $0\n").document)
    n_prompts = len(backend.prompts)
    assert (await completed(engine, "return $0\n")).source is AnswerSource.CACHE
    assert (await completed(engine, "return a$0\n")).source is AnswerSource.TYPE_THROUGH
    elsewhere = of_other_file("z = $0\n")
    await engine.complete(elsewhere)
    engine.closed("file:///w/a.py")  # edits of a text that is closed stay its own
    await engine.complete(request("return $0\n"))
    assert len(backend.prompts) == n_prompts + 1  # in the other file: this one was edited since


async def test_what_was_written_ahead_lasts_while_another_file_is_looked_at() -> None:
    engine, backend = engine_of(continues, completion__look_ahead=True)
    await engine.complete(of_other_file("m = $0\n"))
    await engine.rest()
    await completed(engine, "n = $0\n")
    await engine.rest()
    await engine.complete(of_other_file("m = $0\n"))
    n_prompts = len(backend.prompts)
    accepted = await completed(engine, "n = 1$0\n")
    assert (accepted.text, accepted.source) == ("\nn = 2", AnswerSource.CACHE)
    await engine.rest()
    assert len(backend.prompts) == n_prompts


async def test_an_answer_in_another_language_is_not_reused() -> None:
    engine, backend = engine_of("a + b")
    await completed(engine, "return $0\n")
    other = request("return $0\n")
    await engine.complete(replace(other, document=replace(other.document, language_id="ruby")))
    assert len(backend.prompts) == 2


async def test_an_answer_of_another_file_is_not_reused() -> None:
    engine, backend = engine_of("a + b")
    await completed(engine, "return $0\n")
    other = request("return $0\n")
    await engine.complete(replace(other, document=replace(other.document, uri="file:///w/b.py")))
    assert len(backend.prompts) == 2


async def test_a_bracket_gone_over_was_the_answers_own() -> None:
    engine, backend = engine_of("x) + g(y")  # the bracket that stands there closes `g(`
    assert (await completed(engine, "r = f($0)\n")).text == "x) + g(y"
    await engine.complete(request("r = f(x)$0\n"))  # gone over: nothing would close `g(`
    assert len(backend.prompts) == 2


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_ending_the_line_between_the_editors_braces_needs_no_model(line_end: str) -> None:
    engine, backend = engine_of('\n        "a": 1,\n        "b": 2,\n    }\n')
    block = '\n        "a": 1,\n        "b": 2,\n    '
    assert (await completed(engine, "def f():\n    c = {$0}\n".replace("\n", line_end))).text == block.replace(
        "\n", line_end
    )
    ended = await completed(engine, "def f():\n    c = {\n        $0\n    }\n".replace("\n", line_end))
    assert ended.text == '"a": 1,\n        "b": 2,'.replace("\n", line_end)
    again = await completed(engine, 'def f():\n    c = {\n        "a"$0\n    }\n'.replace("\n", line_end))
    assert again.text == ': 1,\n        "b": 2,'.replace("\n", line_end)
    assert len(backend.prompts) == 1


async def test_a_line_put_before_the_bracket_that_is_not_the_answers_asks_the_model() -> None:
    engine, backend = engine_of('\n        "a": 1,\n    }\n')
    await completed(engine, "def f():\n    c = {$0}\n")
    await engine.complete(request("def f():\n    c = {\n        $0\n  }\n"))
    await engine.complete(request("def f():\n    c = {\n        $0\n\n    }\n"))
    assert len(backend.prompts) == 3
