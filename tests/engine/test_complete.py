"""The engine with a scripted model: every way a request can end, and which of them need the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fimble.backend.decode.ending import Ending
from fimble.backend.scripted import ScriptedBackend, ScriptedGeneration
from fimble.core.config import Layer
from fimble.core.errors import BackendError, InputError, ModelMissingError
from fimble.core.flow import (
    AnswerSource,
    Chunk,
    Completion,
    CompletionRequest,
    Document,
    Event,
    EventKind,
    PopupItem,
    Prompt,
    Rejection,
    RejectReason,
    RequestId,
    StopReason,
    Token,
    TokenId,
    Trigger,
)
from fimble.core.position import ByteOffset, ByteRange
from fimble.engine.clock import SystemClock
from fimble.engine.complete import Engine
from fimble.engine.flight import Flight
from fimble.engine.settings import load_settings
from fimble.engine.traffic import Route, Traffic
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


async def test_an_answer_is_put_at_the_cursor() -> None:
    engine, _ = engine_of("a + b\nmore")
    completion = await completed(engine, "def add(a, b):\n    return $0\n")
    assert completion.text == "a + b"
    assert completion.replace == ByteRange(ByteOffset(26), ByteOffset(26))
    assert completion.source is AnswerSource.MODEL


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


async def test_sources_are_asked_for_what_the_model_is_to_read_only() -> None:
    engine, _ = engine_of("a + b")
    asked: list[ByteOffset] = []

    class Counted:
        name = "counted"

        async def collect(self, request: CompletionRequest) -> tuple[Chunk, ...]:
            asked.append(request.cursor)
            return ()

    engine.use_sources((Counted(),))
    for typed in ("", "a", "a +", "a + "):
        await completed(engine, f"return {typed}$0\n")
    assert len(asked) == 1


async def test_an_answer_in_place_of_the_editors_bracket_lasts_while_it_is_typed() -> None:
    engine, backend = engine_of("a: int) -> str:\n    return a\n")
    first = await completed(engine, "def f($0)\n    return a\n")
    assert (first.text, first.replace) == ("a: int) -> str:", ByteRange(ByteOffset(6), ByteOffset(7)))
    typing = await completed(engine, "def f(a: i$0)\n    return a\n")
    assert (typing.text, typing.replace) == ("nt) -> str:", ByteRange(ByteOffset(10), ByteOffset(11)))
    typed_over = await completed(engine, "def f(a: int)$0\n    return a\n")
    assert (typed_over.text, typed_over.replace) == (" -> str:", ByteRange(ByteOffset(13), ByteOffset(13)))
    assert len(backend.prompts) == 1


async def test_a_menu_item_and_the_editors_bracket_are_replaced_together() -> None:
    engine, _ = engine_of("_id: int) -> str:\n    return a\n")
    item = PopupItem("user", ByteRange(ByteOffset(6), ByteOffset(7)))
    completion = await completed(engine, "def f(u$0)\n    return a\n", popup_item=item)
    assert (completion.text, completion.replace) == ("user_id: int) -> str:", ByteRange(ByteOffset(6), ByteOffset(8)))


def continues(prompt: Prompt) -> str:
    """A model that counts on: `n = 1` is followed by `n = 2` on the next line."""
    text = "".join(segment.text for segment in prompt.segments if not segment.is_marker)
    number = int(text[-1]) if text[-1:].isdigit() else 0
    return f"\nn = {number + 1}\n" if number else "1\n"


async def test_what_comes_after_an_answer_is_written_in_idle_time() -> None:
    engine, backend = engine_of(continues, completion__look_ahead=True)
    first = await completed(engine, "n = $0\n")
    assert first.text == "1"
    await engine.rest()
    n_prompts = len(backend.prompts)
    accepted = await completed(engine, "n = 1$0\n")
    assert (accepted.text, accepted.source, accepted.n_generated_tokens) == ("\nn = 2", AnswerSource.CACHE, 0)
    assert len(backend.prompts) == n_prompts == 2


async def test_a_request_stops_what_is_written_ahead() -> None:
    engine, backend = engine_of("a + b", completion__look_ahead=True, delay_ms=150)
    await completed(engine, "return $0\n")
    while len(backend.prompts) < 2:
        await asyncio.sleep(0.005)
    await completed(engine, "other = $0\n")
    assert backend.n_cancelled == 1


class ColdBackend(ScriptedBackend):
    """Has read nothing yet; reading in idle time ends when a request comes, as in the model process."""

    def __init__(self, answer: Callable[[Prompt], str], delay_ms: Callable[[Prompt], float]) -> None:
        super().__init__(answer, delay_ms=delay_ms)
        self._interrupted = asyncio.Event()

    async def n_cached(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        return tuple(0 for _ in prompts)

    async def warm(self, prompt: Prompt) -> None:
        self._interrupted.clear()
        await self._interrupted.wait()

    def generate(self, prompt: Prompt) -> ScriptedGeneration:
        self._interrupted.set()
        return super().generate(prompt)


async def test_what_was_to_be_written_ahead_does_not_stand_in_the_way_of_a_request() -> None:
    def is_first(prompt: Prompt) -> bool:
        return prompt.constraint is not None and prompt.constraint.prefix.endswith("x = ")

    backend = ColdBackend(
        lambda prompt: "alpha" if is_first(prompt) else "bravo", lambda prompt: 0 if is_first(prompt) else 200
    )
    settings = load_settings([Layer("test", {"prompt.cold_budget_ms": 1})], environ={})
    engine = build_engine(settings, backend=backend)
    above = "".join(f"line_{n} = {n}\n" for n in range(150))
    await completed(engine, f"{above}x = $0\n")
    await asyncio.sleep(0.01)
    outcome = await cancel_then_ask(engine, f"{above}y = $0\n", f"{above}y = b$0\n")
    assert isinstance(outcome, Completion)
    assert outcome.text == "ravo"
    assert (len(backend.prompts), backend.n_cancelled) == (2, 0)
    await engine.aclose()


async def test_who_asks_by_hand_gets_no_more_than_that() -> None:
    engine, backend = engine_of("a + b", completion__look_ahead=True)
    await completed(engine, "return $0\n", trigger=Trigger.INVOKED)
    await engine.rest()
    assert len(backend.prompts) == 1


@pytest.fixture
def out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer that does not end by itself is cut by the clock."""
    close = Ending.close

    def cut(ending: Ending, reason: StopReason) -> StopReason:
        del reason
        return close(ending, StopReason.TIME_BOX)

    monkeypatch.setattr(Ending, "close", cut)


@pytest.mark.usefixtures("out_of_time")
@pytest.mark.parametrize(
    ("lines", "answer", "shown"),
    [
        ("multi", "a = 1\n    b = 2\n    c = tot", "a = 1\n    b = 2"),
        ("multi", "a = 1\n    b = 2\n    ", "a = 1\n    b = 2"),
        ("multi", "a = tot", "a = tot"),
        ("single", "a = tot", "a = tot"),
    ],
)
async def test_a_fragment_of_a_line_is_dropped_where_whole_lines_stand_before_it(
    lines: str, answer: str, shown: str
) -> None:
    engine, _ = engine_of(answer, completion__lines=lines)
    assert (await completed(engine, "def f():\n    $0\n")).text == shown


@pytest.mark.usefixtures("out_of_time")
async def test_a_fragment_that_was_dropped_does_not_come_back_with_a_key() -> None:
    engine, backend = engine_of("total = 0\n    result = tot")
    assert (await completed(engine, "def f(items):\n    $0\n")).text == "total = 0"
    assert (await completed(engine, "def f(items):\n    t$0\n")).text == "otal = 0"
    assert len(backend.prompts) == 1
    await engine.complete(request("def f(items):\n    total = 0$0\n"))
    assert len(backend.prompts) == 2  # nothing is known of what comes next


@pytest.mark.usefixtures("out_of_time")
async def test_a_fragment_does_not_come_to_who_types_along_with_it() -> None:
    engine, backend = engine_of("total = 0\n    result = tot", delay_ms=80)
    outcome = await cancel_then_ask(engine, "def f(items):\n    $0\n", "def f(items):\n    t$0\n")
    assert isinstance(outcome, Completion)
    assert (outcome.text, len(backend.prompts)) == ("otal = 0", 1)


async def test_coming_back_to_an_answer_needs_no_model() -> None:
    engine, backend = engine_of("a + b")
    await completed(engine, "return $0\n")
    await completed(engine, "return x$0\n")
    again = await completed(engine, "return $0\n")
    assert again.source is AnswerSource.CACHE
    assert len(backend.prompts) == 2


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


async def cancel_then_ask(engine: Engine, first: str, second: str) -> Completion | Rejection:
    """As a client does: the old request is cancelled while it runs, the next one comes at once."""
    running = asyncio.create_task(engine.complete(request(first)))
    await asyncio.sleep(0.02)
    running.cancel()
    outcome = await engine.complete(request(second))
    with pytest.raises(asyncio.CancelledError):
        await running
    return outcome


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
    engine, backend = engine_of("a + b", delay_ms=50)
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


async def test_a_deadline_is_kept() -> None:
    engine, _ = engine_of("a + b", delay_ms=5000)
    rejection = await rejected(engine, "return $0\n", deadline_ms=30.0)
    assert rejection.reason is RejectReason.DEADLINE


async def test_other_candidates_on_demand() -> None:
    engine, backend = engine_of(lambda prompt: ["first", "second", "first"][prompt.first_choice])
    completion = await completed(engine, "return $0\n", trigger=Trigger.INVOKED, n_candidates=3)
    assert completion.text == "first"
    assert completion.alternatives == ("second",)
    assert [prompt.first_choice for prompt in backend.prompts] == [0, 1, 2]


async def test_a_selected_menu_item_is_extended() -> None:
    engine, backend = engine_of("(path)")
    item = PopupItem("open_file", ByteRange(ByteOffset(4), ByteOffset(6)))
    completion = await completed(engine, "x = op$0\n", popup_item=item)
    assert completion.text == "open_file(path)"
    assert completion.replace == item.replace
    (prompt,) = backend.prompts
    assert prompt.constraint is not None
    assert prompt.constraint.prefix == "x = open_file"


class Known:
    """A workspace that knows names."""

    n_settled = 0

    async def names(self, request: CompletionRequest) -> tuple[str, ...]:
        return ("getJob", "get", "list")

    async def settle(self, request: CompletionRequest) -> None:
        self.n_settled += 1

    def on_open(self, document: Document) -> None: ...
    def on_edit(self, document: Document) -> None: ...
    def on_close(self, uri: str) -> None: ...
    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("source", "rests"), [("x.$0", ("getJob", "get", "list")), ("x.ge$0", ("tJob", "t")), ("x.put$0", ())]
)
async def test_the_model_is_told_what_is_left_of_the_names_that_may_come(source: str, rests: tuple[str, ...]) -> None:
    for is_on in (True, False):
        settings = load_settings([Layer("test", {"completion.known_names": is_on})], environ={})
        backend = ScriptedBackend(lambda _: "a")
        engine = Engine(settings.config, backend, (), Sink(), SystemClock(), Known())
        await engine.complete(request(source))
        assert [prompt.name_rests for prompt in backend.prompts] == [rests if is_on else ()]
        await engine.aclose()


@pytest.mark.parametrize(("trigger", "n_settled"), [(Trigger.INVOKED, 1), (Trigger.AUTOMATIC, 0)])
async def test_sources_take_their_time_for_requests_by_hand_alone(trigger: Trigger, n_settled: int) -> None:
    workspace = Known()
    engine = Engine(
        load_settings(environ={}).config, ScriptedBackend(lambda _: "a"), (), Sink(), SystemClock(), workspace
    )
    await engine.complete(request("x.$0", trigger=trigger))
    assert workspace.n_settled == n_settled
    await engine.aclose()


async def test_what_would_break_the_file_is_held_back_unless_that_is_switched_off() -> None:
    engine, _ = engine_of("a + b)")
    assert (await completed(engine, "return $0\n")).text == "a + b"
    engine, backend = engine_of("a + b)", completion__check_syntax=False)
    assert (await completed(engine, "return $0\n")).text == "a + b)"
    assert [prompt.constraint for prompt in backend.prompts] == [None]


@pytest.mark.parametrize(
    ("options", "source", "reason"),
    [
        ({"completion__enabled": False}, "x = $0", RejectReason.DISABLED),
        ({"completion__disabled_languages": "go, python"}, "x = $0", RejectReason.DISABLED),
        ({"completion__max_file_bytes": 8}, "x = '😀😀'$0", RejectReason.TOO_LARGE),
        ({}, "x = \0$0", RejectReason.EXCLUDED),
    ],
)
async def test_the_gate(options: dict[str, object], source: str, reason: RejectReason) -> None:
    engine, backend = engine_of("never", **options)
    assert (await rejected(engine, source)).reason is reason
    assert backend.prompts == []


@pytest.mark.parametrize(
    ("answer", "source", "reason"),
    [
        ("", "x = $0\n", RejectReason.EMPTY),
        ("  \n \n", "x = $0\n", RejectReason.BLANK),
        ("    return x\n", "def f(x):\n$0\n    return x\n", RejectReason.REPEATS_PREFIX),
    ],
)
async def test_answers_that_are_none(answer: str, source: str, reason: RejectReason) -> None:
    sink = Sink()
    engine, _ = engine_of(answer, sink=sink)
    assert (await rejected(engine, source)).reason is reason
    assert sink.events[-1].fields["reason"] == reason


async def test_an_answer_is_counted_under_its_syntax() -> None:
    sink = Sink()
    # Long enough for the thread that looks: an answer never waits for it.
    engine, _ = engine_of("a + b", sink=sink, delay_ms=200)
    await completed(engine, "def add(a, b):\n    return $0\n")
    answered = sink.events[-1].fields
    assert answered["node_kind"] == "return_statement"
    assert answered["context_sources"] == ""
    assert answered["adapter"] is None


async def test_an_answer_is_counted_with_its_adapter_by_name_alone() -> None:
    for configured in ("mine", "/home/someone/work/mine.gguf"):
        sink = Sink()
        engine, _ = engine_of("a + b", sink=sink, model__adapter=configured)
        await completed(engine, "x = $0\n")
        assert sink.events[-1].fields["adapter"] == "mine"


async def test_what_an_editor_has_open_is_shown_and_counted(tmp_path: Path) -> None:
    sink = Sink()
    backend = ScriptedBackend(lambda _: "x")
    settings = load_settings(environ={"FIMBLE_HOME": str(tmp_path / "home")})
    (tmp_path / "w").mkdir()
    engine = build_engine(settings, backend=backend, workspace=tmp_path / "w", sink=sink, in_editor=True)
    other = (tmp_path / "w" / "other.py").as_uri()
    unsaved = "".join(f"def total_price_cents_{n}(shelf, item, quantity): ...\n" for n in range(6))
    here = Document((tmp_path / "w" / "a.py").as_uri(), "python", 1, "shelf, item, quantity = 1, 2, 3\nprice = total_")
    asked = CompletionRequest(RequestId("r"), here, ByteOffset(len(here.text)), Trigger.INVOKED)
    try:
        engine.opened(Document(other, "python", 1, unsaved))
        await engine.complete(asked)
        assert sink.events[-1].fields["context_sources"] == "open files"
        assert "total_price_cents_0" in "".join(part.text for part in (await engine.prompt_for(asked)).segments)
        engine.closed(other)
        assert "total_price_cents_0" not in "".join(part.text for part in (await engine.prompt_for(asked)).segments)
    finally:
        await engine.aclose()


async def test_what_is_written_ahead_is_no_edit_of_the_users(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda _: "price_of_shelf")
    settings = load_settings(environ={"FIMBLE_HOME": str(tmp_path / "home")})
    (tmp_path / "w").mkdir()
    engine = build_engine(settings, backend=backend, workspace=tmp_path / "w", in_editor=True)
    here = Document((tmp_path / "w" / "a.py").as_uri(), "python", 1, "shelf, item = 1, 2\nprice = \n")
    cursor = ByteOffset(len(here.text) - 1)
    other = Document((tmp_path / "w" / "b.py").as_uri(), "python", 1, "shelf, item = 3, 4\nprice = ")
    try:
        await engine.complete(CompletionRequest(RequestId("r"), here, cursor))
        await engine.rest()
        assert len(backend.prompts) == 2
        elsewhere = CompletionRequest(RequestId("o"), other, ByteOffset(len(other.text)), Trigger.INVOKED)
        shown = "".join(segment.text for segment in (await engine.prompt_for(elsewhere)).segments)
        assert "a.py" in shown
        assert "price_of_shelf" not in shown
    finally:
        await engine.aclose()


async def test_every_request_is_counted_once_answered_once() -> None:
    sink = Sink()
    engine, _ = engine_of("a + b", sink=sink, delay_ms=30)
    await completed(engine, "return $0\n")
    running = asyncio.create_task(engine.complete(request("other $0\n")))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sink.kinds() == [EventKind.REQUESTED, EventKind.ANSWERED, EventKind.REQUESTED, EventKind.REJECTED]
    for event in sink.events:
        assert not any("a + b" in str(value) for value in event.fields.values())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelMissingError("gone", mend="pull it"), RejectReason.MODEL_UNAVAILABLE),
        (BackendError("died"), RejectReason.BACKEND_FAILED),
        (InputError("the prompt does not fit"), RejectReason.BACKEND_FAILED),
    ],
)
async def test_failures_are_rejections_that_carry_their_error(error: Exception, reason: RejectReason) -> None:
    def fail(_: Prompt) -> str:
        raise error

    engine, _ = engine_of(fail)
    rejection = await rejected(engine, "x = $0\n")
    assert rejection.reason is reason
    assert rejection.error is error


@pytest.mark.parametrize("moment_s", [0.0, 0.01, 0.05])
async def test_closing_leaves_no_task_behind(moment_s: float) -> None:
    engine, _ = engine_of("a + b", delay_ms=30)
    await completed(engine, "return $0\n")  # and then the next is written ahead
    waiting = asyncio.create_task(engine.complete(request("other $0\n")))
    forsaken = asyncio.create_task(engine.complete(request("third $0\n")))
    await asyncio.sleep(moment_s)
    forsaken.cancel()
    await engine.aclose()
    await asyncio.wait([waiting, forsaken])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_warming_asks_for_no_answer() -> None:
    engine, backend = engine_of("never")
    await engine.warm(request("x = $0\n").document, ByteOffset(4))
    assert backend.prompts == []


@pytest.mark.parametrize(
    ("min_confidence", "trigger", "is_shown"),
    [
        (0.0, Trigger.AUTOMATIC, True),
        (0.9, Trigger.AUTOMATIC, True),  # the script says 0.905 of every token
        (0.92, Trigger.AUTOMATIC, False),
        (0.92, Trigger.INVOKED, True),  # who asks by hand sees it
    ],
)
async def test_what_the_model_is_not_sure_of_is_not_shown_unasked(
    min_confidence: float, trigger: Trigger, is_shown: bool
) -> None:
    engine, backend = engine_of("a + b\n", completion__min_confidence=min_confidence)
    for _ in range(2):  # from the model, then from memory
        outcome = await engine.complete(request("return $0\n", trigger=trigger))
        assert isinstance(outcome, Completion) is is_shown
        if isinstance(outcome, Rejection):
            assert outcome.reason is RejectReason.LOW_CONFIDENCE
    assert len(backend.prompts) == 1
