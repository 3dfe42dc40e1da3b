"""The engine with a scripted model: every way a request can end, and which of them need the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.engine.asking import Sink, cancel_then_ask, completed, continues, engine_of, rejected, request

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
    EventKind,
    PopupItem,
    Prompt,
    Rejection,
    RejectReason,
    RequestId,
    StopReason,
    Trigger,
)
from fimble.core.position import ByteOffset, ByteRange
from fimble.engine.clock import SystemClock
from fimble.engine.complete import Engine
from fimble.engine.settings import load_settings
from fimble.engine.wiring import build_engine


async def test_an_answer_is_put_at_the_cursor() -> None:
    engine, _ = engine_of("a + b\nmore")
    completion = await completed(engine, "def add(a, b):\n    return $0\n")
    assert completion.text == "a + b"
    assert completion.replace == ByteRange(ByteOffset(26), ByteOffset(26))
    assert completion.source is AnswerSource.MODEL


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

    async def comes_to_show(name: str) -> bool:
        for _ in range(200):  # a source that is late (20 ms) is left out of a prompt, and ready for a later one
            shown = "".join(part.text for part in (await engine.prompt_for(asked)).segments)
            if (name in shown) if name else "total_price_" not in shown:
                return True
            await asyncio.sleep(0.01)
        return False

    try:
        engine.opened(Document(other, "python", 1, unsaved))
        assert await comes_to_show("total_price_cents_0")
        await engine.complete(asked)
        assert sink.events[-1].fields["context_sources"] == "open files"
        engine.edited(Document(other, "python", 2, unsaved.replace("cents", "euros")))
        assert await comes_to_show("total_price_euros_0")
        engine.closed(other)
        assert await comes_to_show("")
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
        (0.99977, Trigger.AUTOMATIC, True),  # the script says 0.9999 of each of five tokens, and of a sixth that goes
        (0.99978, Trigger.AUTOMATIC, False),
        (0.99978, Trigger.INVOKED, True),  # who asks by hand sees it
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


async def test_what_is_held_back_is_shown_once_the_doubtful_beginning_is_typed() -> None:
    engine, backend = engine_of(
        "a + b\n", completion__min_confidence=0.99979
    )  # 0.99977 for five tokens, 0.9998 for four
    assert (await rejected(engine, "return $0\n")).reason is RejectReason.LOW_CONFIDENCE
    assert (await completed(engine, "return a$0\n")).text == " + b"
    assert len(backend.prompts) == 1
