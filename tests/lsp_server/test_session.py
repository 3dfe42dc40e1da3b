"""The session: requests, cancellation, switches, settings, folders."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from fimble.core.config import Layer
from fimble.core.errors import InputError, InvariantBrokenError, ModelProcessDiedError
from fimble.core.flow import Completion, CompletionRequest, Rejection, RejectReason, Timings, Trigger
from fimble.lsp_server.convert import ClientFacts
from fimble.lsp_server.documents import Cell, Edit
from fimble.lsp_server.session import Answer
from fimble.lsp_server.switches import Off, Scope
from fimble.lsp_server.text import Place

Bench = Any  # conftest's; tests are no package that could be imported from

URI = "file:///w/a.py"
END = Place(0, 4)


def _open(bench: Bench, text: str = "x = \n", uri: str = URI, language_id: str = "python") -> None:
    bench.session.open_text(uri, language_id, 1, text)


async def _ask(bench: Bench, place: Place = END, uri: str = URI, trigger: Trigger = Trigger.AUTOMATIC) -> Answer | None:
    snapshot = bench.session.documents.snapshot(uri, place)
    assert snapshot is not None
    return await bench.session.complete(snapshot, trigger, None)


def _type(bench: Bench, text: str, place: Place, uri: str = URI) -> None:
    bench.session.edit_text(uri, 2, [Edit(text, place, place)])


async def _until(bench: Bench, n_requests: int) -> None:
    while not bench.engines or len(bench.engine.requests) < n_requests:
        await asyncio.sleep(0)


async def test_an_answer(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    answer = await _ask(bench)
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
    _open(bench)
    early, late = asyncio.ensure_future(_ask(bench)), None
    await asyncio.sleep(0.01)
    assert bench.engines == []
    _type(bench, "1", Place(0, 4))
    late = asyncio.ensure_future(_ask(bench, Place(0, 5)))
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
    _open(bench)
    one = await _ask(bench)
    bench.engine.answer = bench.answer_with("a\r\nb", "c\rd")
    many = await _ask(bench, trigger=Trigger.INVOKED)
    assert one is not None
    assert many is not None
    assert many.texts == ("a\nb", "c\nd")
    assert [request.n_candidates for request in bench.engine.requests] == [1, 3]


async def test_a_newer_request_ends_the_older(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    bench.engine.may_answer.clear()
    first = asyncio.ensure_future(_ask(bench))
    await _until(bench, 2)
    second = asyncio.ensure_future(_ask(bench))
    assert await first is None
    bench.engine.may_answer.set()
    assert await second is not None
    assert bench.engine.n_cancelled == 1


async def test_requests_of_two_documents_do_not_end_each_other(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    _open(bench, uri="file:///w/b.py")
    await _ask(bench)
    bench.engine.may_answer.clear()
    first = asyncio.ensure_future(_ask(bench))
    second = asyncio.ensure_future(_ask(bench, uri="file:///w/b.py"))
    await _until(bench, 3)
    bench.engine.may_answer.set()
    assert await first is not None
    assert await second is not None


async def test_the_clients_cancel_reaches_the_engine(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(_ask(bench))
    await _until(bench, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.engine.n_cancelled == 1


async def test_an_edit_voids_what_was_asked_before_it(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(_ask(bench))
    await _until(bench, 2)
    _type(bench, "1", Place(0, 4))
    bench.engine.may_answer.set()
    assert await task is None


async def test_an_answer_for_an_older_text_is_stale(bench: Bench) -> None:
    await bench.begin()
    _open(bench)

    def edit_meanwhile(request: CompletionRequest) -> Completion:
        bench.session.documents.change(URI, 2, [Edit("1", Place(0, 4), Place(0, 4))])
        return bench.answer_with("late")(request)

    await _ask(bench)
    bench.engine.answer = edit_meanwhile
    assert await _ask(bench) is None
    assert bench.sink.events[-1].fields["reason"] == RejectReason.STALE


async def test_closing_a_text_ends_its_request(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(_ask(bench))
    await _until(bench, 2)
    bench.session.close_text(URI)
    assert await task is None


@pytest.mark.parametrize(
    ("scope", "kwargs", "off"),
    [
        (Scope.GLOBAL, {}, Off.GLOBAL),
        (Scope.LANGUAGE, {"language_id": "python"}, Off.LANGUAGE),
        (Scope.LANGUAGE, {"uri": URI}, Off.LANGUAGE),
        (Scope.FILE, {"uri": URI}, Off.FILE),
    ],
)
async def test_switching_off_and_on(bench: Bench, scope: Scope, kwargs: dict[str, str], off: Off) -> None:
    await bench.begin()
    _open(bench)
    arguments = {"language_id": None, "uri": None, **kwargs}
    bench.session.switch(scope, on=False, **arguments)
    assert bench.session.document_status(URI).off is off
    assert await _ask(bench) is None
    assert bench.sink.events[-1].fields["reason"] == RejectReason.DISABLED
    bench.session.switch(scope, on=True, **arguments)
    assert bench.session.document_status(URI).off is None
    assert await _ask(bench) is not None


async def test_a_file_switched_off_stays_so_when_it_is_closed_and_opened(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    bench.session.switch(Scope.FILE, None, URI, on=False)
    bench.session.close_text(URI)
    _open(bench)
    assert bench.session.document_status(URI).off is Off.FILE
    assert await _ask(bench) is None


@pytest.mark.parametrize("named", ["file:///w/n.ipynb", "cell:a"])
async def test_a_notebook_is_one_file(bench: Bench, named: str) -> None:
    await bench.begin()
    bench.session.documents.open_notebook(
        "file:///w/n.ipynb", [Cell("cell:a", is_code=True), Cell("cell:b", is_code=True)]
    )
    for cell in ("cell:a", "cell:b"):
        _open(bench, uri=cell)
    bench.session.switch(Scope.FILE, None, named, on=False)
    for cell in ("cell:a", "cell:b"):
        assert bench.session.document_status(cell).off is Off.FILE
        assert await _ask(bench, uri=cell) is None
    bench.session.switch(Scope.FILE, None, "cell:b", on=True)
    assert await _ask(bench, uri="cell:a") is not None


async def test_switching_on_outranks_the_settings(bench: Bench) -> None:
    settings = {"completion": {"disabled_languages": "python, toml"}}
    await bench.begin(ClientFacts(settings=settings))
    _open(bench)
    assert await _ask(bench) is None
    bench.session.switch(Scope.LANGUAGE, "python", None, on=True)
    assert await _ask(bench) is not None
    # The engine has a gate of its own, which knows nothing of commands.
    assert bench.engine.settings.config.completion.disabled_languages == ""


async def test_a_scope_without_its_object_is_refused(bench: Bench) -> None:
    await bench.begin()
    with pytest.raises(InputError):
        bench.session.switch(Scope.LANGUAGE, None, "file:///not-open.py", on=False)
    with pytest.raises(InputError):
        bench.session.switch(Scope.FILE, None, None, on=False)


async def test_paused_from_the_start_loads_no_model(bench: Bench) -> None:
    await bench.begin(ClientFacts(settings={"completion.enabled": False}))
    assert bench.wire.states() == ["starting", "paused"]
    assert bench.engines == []
    bench.session.switch(Scope.GLOBAL, None, None, on=True)
    while bench.wire.states()[-1] != "ready":
        await asyncio.sleep(0)


async def test_settings_are_asked_of_the_client_and_taken_again_when_they_change(bench: Bench) -> None:
    answers = [{"completion": {"max_tokens": 7}, "server": {"path": "x"}, "model": {"id": None}}]

    async def configuration(params: object) -> object:
        return answers

    bench.wire.answers["workspace/configuration"] = configuration
    await bench.begin(ClientFacts(answers_configuration=True))
    _open(bench)
    await _ask(bench)
    assert bench.engine.settings.config.completion.max_tokens == 7
    answers[0] = {"completion": {"max_tokens": 9}}
    old = bench.engine
    await bench.session.take_settings(None)
    await _ask(bench)
    assert old.is_closed
    assert bench.engine.settings.config.completion.max_tokens == 9
    assert bench.wire.params_of("window/showMessage") == []


async def test_a_setting_that_the_client_no_longer_names_is_no_longer_in_force(bench: Bench) -> None:
    answers: list[object] = [{"completion.enabled": False}]

    async def configuration(params: object) -> object:
        return answers

    bench.wire.answers["workspace/configuration"] = configuration
    await bench.begin(ClientFacts(settings={"completion.enabled": False}, answers_configuration=True))
    assert bench.session.document_status(None).off is Off.GLOBAL
    answers[0] = {}
    await bench.session.take_settings(None)
    assert bench.session.document_status(None).off is None


@pytest.mark.parametrize("answer", [None, [None], [{}]])
async def test_settings_of_initialize_hold_where_the_client_has_no_others(bench: Bench, answer: object) -> None:
    async def configuration(params: object) -> object:
        return answer

    bench.wire.answers["workspace/configuration"] = configuration
    await bench.begin(ClientFacts(settings={"completion.enabled": False}, answers_configuration=True))
    await bench.session.take_settings(None)
    assert bench.session.document_status(None).off is Off.GLOBAL


async def test_same_settings_again_change_nothing(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    await bench.session.take_settings({"completion": {"enabled": True}})
    await _ask(bench)
    assert len(bench.engines) == 1


async def test_wrong_settings_are_told_once(bench: Bench) -> None:
    await bench.begin(ClientFacts(settings={"completion": {"max_tokens": "many"}}))
    await bench.session.take_settings(None)
    messages = bench.wire.params_of("window/showMessage")
    assert len(messages) == 1
    assert "completion.max_tokens" in messages[0].message


async def test_every_folder_has_its_engine_and_the_innermost_wins(bench: Bench, tmp_path: Path) -> None:
    outer, inner = tmp_path / "p", tmp_path / "p" / "lib"
    await bench.begin(roots=[outer, inner])
    places = {
        (outer / "a.py").as_uri(): outer,
        (inner / "b.py").as_uri(): inner,
        (tmp_path / "elsewhere.py").as_uri(): None,
        "untitled:Untitled-1": outer,
    }
    for uri, root in places.items():
        _open(bench, uri=uri)
        await _ask(bench, uri=uri)
        asked = [engine for engine in bench.engines if engine.requests and engine.requests[-1].document.uri == uri]
        assert [engine.workspace for engine in asked] == [root], uri
    assert len(bench.engines) == 3


async def test_folders_come_and_go(bench: Bench, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    await bench.begin(roots=[first])
    bench.session.change_folders([second.as_uri()], [first.as_uri()])
    assert bench.engines[0].is_closed is False  # it closes in the background
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.engines[0].is_closed
    uri = (second / "a.py").as_uri()
    _open(bench, uri=uri)
    await _ask(bench, uri=uri)
    assert bench.engine.workspace == second


async def test_a_folder_goes_while_its_new_settings_are_read(bench: Bench, tmp_path: Path) -> None:
    await bench.begin(roots=[tmp_path])
    _open(bench, uri=(tmp_path / "a.py").as_uri())
    await _ask(bench, uri=(tmp_path / "a.py").as_uri())
    taking = asyncio.ensure_future(bench.session._rooms.set_layers({None: (Layer("new", {"model.n_ctx": 2048}),)}))
    await asyncio.sleep(0)
    bench.session.change_folders([], [tmp_path.as_uri()])
    assert await taking is False


async def test_a_rejection_that_needs_mending_shows_and_goes(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    bench.engine.answer = lambda request: Rejection(
        request.request_id,
        RejectReason.BACKEND_FAILED,
        "died",
        Timings(0, 0, 0, 0),
        error=ModelProcessDiedError("The model process ended.", mend="Try again."),
    )
    assert await _ask(bench) is None
    assert bench.wire.params_of("fimble/status")[-1] | {"model": ""} == {
        "state": "error",
        "message": "The model process ended.",
        "mend": "Try again.",
        "model": "",
    }
    bench.engine.answer = bench.answer_with("again")
    assert await _ask(bench) is not None
    assert bench.wire.states()[-1] == "ready"


@pytest.mark.parametrize(
    ("reason", "off"), [(RejectReason.TOO_LARGE, Off.TOO_LARGE), (RejectReason.EXCLUDED, Off.EXCLUDED)]
)
async def test_what_the_engine_refuses_shows_in_the_documents_status(
    bench: Bench, reason: RejectReason, off: Off
) -> None:
    await bench.begin()
    _open(bench)
    bench.engine.answer = lambda request: Rejection(request.request_id, reason, "", Timings(0, 0, 0, 0))
    assert await _ask(bench) is None
    assert bench.session.document_status(URI).off is off
    assert bench.wire.states()[-1] == "ready"


async def test_an_engine_that_raises_is_a_bug(bench: Bench) -> None:
    await bench.begin()
    _open(bench)

    def fail(request: CompletionRequest) -> Completion:
        raise KeyError("bug")

    bench.engine.answer = fail
    with pytest.raises(InvariantBrokenError):
        await _ask(bench)


async def test_busy_is_told_only_when_it_takes_long(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    bench.engine.may_answer.clear()
    task = asyncio.ensure_future(_ask(bench))
    while bench.wire.states()[-1] != "busy":
        await asyncio.sleep(0.01)
    bench.engine.may_answer.set()
    await task
    assert bench.wire.states()[-3:] == ["ready", "busy", "ready"]


async def test_restart_builds_everything_anew(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    await bench.session.restart()
    while bench.wire.states()[-1] != "ready":
        await asyncio.sleep(0)
    assert await _ask(bench) is not None
    assert [engine.is_closed for engine in bench.engines] == [True, False]


async def test_the_cursors_surroundings_are_read_ahead_and_a_request_ends_that(bench: Bench) -> None:
    await bench.begin()
    _open(bench, "a\nbb\n")
    bench.engine.may_answer.clear()
    bench.session.cursor_rests(URI, Place(1, 1))
    while not bench.engine.warmed:
        await asyncio.sleep(0)
    assert bench.engine.warmed[0][1] == 3
    task = asyncio.ensure_future(_ask(bench, Place(0, 0)))
    await _until(bench, 1)
    assert bench.engine.n_cancelled == 1
    bench.engine.may_answer.set()
    assert await task is not None


async def test_a_cursor_that_came_before_the_model_is_read_ahead_when_it_is_ready(bench: Bench) -> None:
    bench.prepare = lambda engine: engine.may_load.clear()
    await bench.begin()
    _open(bench, "a\nbb\n")
    bench.session.cursor_rests(URI, Place(1, 1))
    await asyncio.sleep(0.01)
    assert bench.engine.warmed == []
    bench.engine.may_load.set()
    while not bench.engine.warmed:
        await asyncio.sleep(0)


async def test_nothing_is_read_ahead_where_completions_are_off(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    bench.session.switch(Scope.FILE, None, URI, on=False)
    bench.session.cursor_rests(URI, Place(0, 0))
    bench.session.cursor_rests("file:///unknown.py", Place(0, 0))
    await asyncio.sleep(0)
    assert bench.engine.warmed == []


async def test_the_engine_is_told_what_is_open(bench: Bench) -> None:
    other, off = "file:///w/b.py", "file:///w/c.md"
    await bench.begin()
    await bench.session.take_settings({"completion": {"disabled_languages": "markdown"}})
    _open(bench, "before\n", other)
    _open(bench, "secret thoughts\n", off, "markdown")
    _open(bench)
    await _ask(bench)
    assert bench.engine.open == {other: "before\n", URI: "x = \n"}
    bench.session.close_text(other)
    assert bench.engine.open == {URI: "x = \n"}
    _open(bench, "again\n", other)
    assert bench.engine.open == {URI: "x = \n", other: "again\n"}


async def test_outcomes_are_told_where_they_are_wanted(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
    assert not bench.wire.params_of("fimble/outcome")
    bench.session.client.facts = dataclasses.replace(bench.session.client.facts, wants_outcomes=True)
    await _ask(bench)
    bench.engine.answer = lambda request: Rejection(request.request_id, RejectReason.EMPTY, "none", Timings(0, 0, 0, 0))
    await _ask(bench)
    told = bench.wire.params_of("fimble/outcome")
    assert [(one["textDocument"], one.get("source"), one.get("reason")) for one in told] == [
        ({"uri": URI}, "model", None),
        ({"uri": URI}, None, "empty"),
    ]
    assert all("text" not in one.values() for one in told), "code was told"


async def test_settling_waits_for_idle_work_and_ends_none_of_it(bench: Bench) -> None:
    await bench.begin()
    _open(bench)
    await _ask(bench)
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
