"""The session: requests, cancellation, switches, settings, folders."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from tests.lsp_server.asking import END, URI, ask, open_text, type_text, until
from tests.lsp_server.conftest import Bench

from fimble.core.errors import InvariantBrokenError, ModelProcessDiedError
from fimble.core.flow import Completion, CompletionRequest, Rejection, RejectReason, Timings, Trigger
from fimble.lsp_server.convert import ClientFacts
from fimble.lsp_server.documents import Edit
from fimble.lsp_server.switches import Off, Scope
from fimble.lsp_server.text import Place


async def test_an_answer(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    answer = await ask(bench)
    assert answer is not None
    assert answer.texts == ("text",)
    assert bench.wire.states() == ["starting", "starting", "ready"]


async def test_a_request_before_the_settings_waits_for_them(bench: Bench) -> None:
    may_answer = asyncio.Event()

    async def configuration(params: object) -> object:
        await may_answer.wait()
        return [{"completion": {"max_tokens": 7}}]

    bench.wire.answers["workspace/configuration"] = configuration
    opening = asyncio.ensure_future(bench.begin(ClientFacts(answers_configuration=True)))
    await asyncio.sleep(0)
    open_text(bench)
    early, late = asyncio.ensure_future(ask(bench)), None
    await asyncio.sleep(0.01)
    assert bench.engines == []
    type_text(bench, "1", Place(0, 4))
    late = asyncio.ensure_future(ask(bench, Place(0, 5)))
    may_answer.set()
    await opening
    assert await early is None
    assert await late is not None
    assert [engine.settings.config.completion.max_tokens for engine in bench.engines] == [7]


async def test_settings_that_change_twice_at_once_end_as_the_last_ones(bench: Bench) -> None:
    await bench.begin()
    first = asyncio.ensure_future(bench.session.take_settings({"telemetry": {"retention_days": 5}}))
    second = asyncio.ensure_future(bench.session.take_settings({"telemetry": {"retention_days": 6}}))
    await asyncio.gather(first, second)
    assert [count.n_finished for count in bench.counts] == [1] * (len(bench.counts) - 1) + [0]


async def test_invoked_asks_for_several_candidates_and_line_ends_are_plain(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    one = await ask(bench)
    bench.engine.answer = bench.answer_with("a\r\nb", "c\rd")
    many = await ask(bench, trigger=Trigger.INVOKED)
    assert one is not None
    assert many is not None
    assert many.texts == ("a\nb", "c\nd")
    assert [request.n_candidates for request in bench.engine.requests] == [1, 3]


async def test_a_newer_request_ends_the_older(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    bench.engine.may_answer.clear()
    first = asyncio.ensure_future(ask(bench))
    await until(bench, 2)
    second = asyncio.ensure_future(ask(bench))
    assert await first is None
    bench.engine.may_answer.set()
    assert await second is not None
    assert bench.engine.n_cancelled == 1


async def test_requests_of_two_documents_do_not_end_each_other(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    open_text(bench, uri="file:///w/b.py")
    await ask(bench)
    bench.engine.may_answer.clear()
    first = asyncio.ensure_future(ask(bench))
    second = asyncio.ensure_future(ask(bench, uri="file:///w/b.py"))
    await until(bench, 3)
    bench.engine.may_answer.set()
    assert await first is not None
    assert await second is not None


async def test_the_clients_cancel_reaches_the_engine(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(ask(bench))
    await until(bench, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.engine.n_cancelled == 1


async def test_an_edit_voids_what_was_asked_before_it(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(ask(bench))
    await until(bench, 2)
    type_text(bench, "1", Place(0, 4))
    bench.engine.may_answer.set()
    assert await task is None


async def test_an_answer_for_an_older_text_is_stale(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)

    def edit_meanwhile(request: CompletionRequest) -> Completion:
        bench.session.documents.change(URI, 2, [Edit("1", Place(0, 4), Place(0, 4))])
        return bench.answer_with("late")(request)

    await ask(bench)
    bench.engine.answer = edit_meanwhile
    assert await ask(bench) is None
    assert bench.sink.events[-1].fields["reason"] == RejectReason.STALE


async def test_closing_a_text_ends_its_request(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(ask(bench))
    await until(bench, 2)
    bench.session.close_text(URI)
    assert await task is None


async def test_a_rejection_that_needs_mending_shows_and_goes(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    bench.engine.answer = lambda request: Rejection(
        request.request_id,
        RejectReason.BACKEND_FAILED,
        "died",
        Timings(0, 0, 0, 0),
        error=ModelProcessDiedError("The model process ended.", mend="Try again."),
    )
    assert await ask(bench) is None
    assert bench.wire.params_of("fimble/status")[-1] | {"model": ""} == {
        "state": "error",
        "message": "The model process ended.",
        "mend": "Try again.",
        "model": "",
    }
    bench.engine.answer = bench.answer_with("again")
    assert await ask(bench) is not None
    assert bench.wire.states()[-1] == "ready"


@pytest.mark.parametrize(
    ("reason", "off"), [(RejectReason.TOO_LARGE, Off.TOO_LARGE), (RejectReason.EXCLUDED, Off.EXCLUDED)]
)
async def test_what_the_engine_refuses_shows_in_the_documents_status(
    bench: Bench, reason: RejectReason, off: Off
) -> None:
    await bench.begin()
    open_text(bench)
    bench.engine.answer = lambda request: Rejection(request.request_id, reason, "", Timings(0, 0, 0, 0))
    assert await ask(bench) is None
    assert bench.session.document_status(URI).off is off
    assert bench.wire.states()[-1] == "ready"


async def test_an_engine_that_raises_is_a_bug(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)

    def fail(request: CompletionRequest) -> Completion:
        raise KeyError("bug")

    bench.engine.answer = fail
    with pytest.raises(InvariantBrokenError):
        await ask(bench)


async def test_busy_is_told_only_when_it_takes_long(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(ask(bench))
    while bench.wire.states()[-1] != "busy":
        await asyncio.sleep(0.01)
    bench.engine.may_answer.set()
    await task
    assert bench.wire.states()[-3:] == ["ready", "busy", "ready"]


async def test_restart_builds_everything_anew(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    await bench.session.restart()
    while bench.wire.states()[-1] != "ready":
        await asyncio.sleep(0)
    assert await ask(bench) is not None
    assert [engine.is_closed for engine in bench.engines] == [True, False]


async def test_the_cursors_surroundings_are_read_ahead_and_a_request_ends_that(bench: Bench) -> None:
    await bench.begin()
    open_text(bench, "a\nbb\n")
    bench.engine.may_answer.clear()
    bench.session.cursor_rests(URI, Place(1, 1))
    while not bench.engine.warmed:
        await asyncio.sleep(0)
    assert bench.engine.warmed[0][1] == 3
    task = asyncio.ensure_future(ask(bench, Place(0, 0)))
    await until(bench, 1)
    assert bench.engine.n_cancelled == 1
    bench.engine.may_answer.set()
    assert await task is not None


async def test_a_cursor_that_came_before_the_model_is_read_ahead_when_it_is_ready(bench: Bench) -> None:
    bench.prepare = lambda engine: engine.may_load.clear()
    await bench.begin()
    open_text(bench, "a\nbb\n")
    bench.session.cursor_rests(URI, Place(1, 1))
    await asyncio.sleep(0.01)
    assert bench.engine.warmed == []
    bench.engine.may_load.set()
    while not bench.engine.warmed:
        await asyncio.sleep(0)


async def test_nothing_is_read_ahead_where_completions_are_off(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    bench.session.switch(Scope.FILE, None, URI, on=False)
    bench.session.cursor_rests(URI, Place(0, 0))
    bench.session.cursor_rests("file:///unknown.py", Place(0, 0))
    await asyncio.sleep(0)
    assert bench.engine.warmed == []


async def test_outcomes_are_told_where_they_are_wanted(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    assert not bench.wire.params_of("fimble/outcome")
    bench.session.client.facts = dataclasses.replace(bench.session.client.facts, wants_outcomes=True)
    await ask(bench)
    bench.engine.answer = lambda request: Rejection(request.request_id, RejectReason.EMPTY, "none", Timings(0, 0, 0, 0))
    await ask(bench)
    told = bench.wire.params_of("fimble/outcome")
    assert [(one["textDocument"], one.get("source"), one.get("reason")) for one in told] == [
        ({"uri": URI}, "model", None),
        ({"uri": URI}, None, "empty"),
    ]
    assert all("text" not in one.values() for one in told), "code was told"


async def test_settling_waits_for_idle_work_and_ends_none_of_it(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    await ask(bench)
    bench.engine.may_answer.clear()
    bench.engine.may_rest.clear()
    bench.session.cursor_rests(URI, END)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bench.session.settle(), 0.02)
    assert len(bench.engine.warmed) == 1
    assert bench.engine.n_cancelled == 0
    bench.engine.may_answer.set()
    settling = asyncio.ensure_future(bench.session.settle())
    await asyncio.sleep(0.02)
    assert not settling.done(), "the engine's own idle work was not waited for"
    bench.engine.may_rest.set()
    await settling
