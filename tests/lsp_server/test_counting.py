"""What telemetry is told, and when: answers, edits, opening and closing, switching off, experiments."""

from __future__ import annotations

import asyncio
from typing import Any

from fimble.core.config import Layer
from fimble.core.errors import FimbleError
from fimble.core.flow import Event, EventKind, PopupItem, RequestId, Trigger
from fimble.core.position import ByteOffset, ByteRange
from fimble.lsp_server.convert import ClientFacts
from fimble.lsp_server.documents import Edit
from fimble.lsp_server.text import Place

Bench = Any  # conftest's

URI = "file:///w/a.py"


async def _ask(bench: Bench, place: Place) -> Any:
    snapshot = bench.session.documents.snapshot(URI, place)
    return await bench.session.complete(snapshot, Trigger.AUTOMATIC, None)


async def test_a_suggestions_life(bench: Bench) -> None:
    await bench.begin()
    bench.session.open_text(URI, "python", 1, "é = 1\nadd()\n")
    bench.session.edit_text(URI, 2, [Edit("1", Place(1, 4), Place(1, 4)), Edit("", Place(0, 0), Place(0, 2))])
    await _ask(bench, Place(1, 5))
    bench.engine.answer = bench.answer_with(", 2)", n_replaced=1)
    answer = await _ask(bench, Place(1, 5))
    bench.session.edit_text(URI, 3, [Edit("whole\n")])
    bench.session.counting.renamed(URI, "file:///w/b.py")
    bench.session.close_text(URI)
    calls = bench.sink.calls
    assert calls[:3] == [
        ("on_open", URI, 1, "é = 1\nadd()\n"),
        ("on_edit", URI, 2, ByteOffset(11), "", "1"),
        ("on_edit", URI, 2, ByteOffset(0), "é ", ""),
    ]
    assert calls[4] == ("on_answered", answer.request_id, URI, 2, ByteOffset(9), ")", (", 2)",), 0)
    assert calls[5:] == [
        ("on_edit", URI, 3, ByteOffset(0), "= 1\nadd(1)\n", "whole\n"),
        ("on_rename", URI, "file:///w/b.py"),
        ("on_close", URI),
    ]


async def test_how_much_of_an_answer_is_the_editors_menus_is_told(bench: Bench) -> None:
    await bench.begin()
    bench.session.open_text(URI, "python", 1, "foo.b\n")
    bench.engine.answer = bench.answer_with("barbaz(1)")
    snapshot = bench.session.documents.snapshot(URI, Place(0, 5))
    assert snapshot is not None
    item = PopupItem("barbaz", ByteRange(ByteOffset(4), ByteOffset(5)))
    await bench.session.complete(snapshot, Trigger.AUTOMATIC, item)
    assert bench.sink.calls[-1][-2:] == (("barbaz(1)",), len("barbaz"))


async def test_nothing_to_show_withdraws(bench: Bench) -> None:
    await bench.begin()
    bench.session.open_text(URI, "python", 1, "x")
    bench.session.switches.turn_file(URI, on=False)
    await _ask(bench, Place(0, 1))
    assert bench.sink.calls[-1] == ("on_withdrawn", URI)


async def test_texts_that_were_open_before_counting_began_are_told(bench: Bench) -> None:
    await bench.begin(ClientFacts(settings={"telemetry.enabled": False}))
    bench.session.open_text(URI, "python", 1, "x")
    assert bench.counts == []
    await bench.session.take_settings({"telemetry": {"enabled": True}})
    assert bench.sink.calls == [("on_open", URI, 1, "x")]


async def test_switching_off_stops_at_once_and_writes_what_there_is(bench: Bench) -> None:
    await bench.begin()
    bench.session.open_text(URI, "python", 1, "x")
    await bench.session.take_settings({"telemetry": {"enabled": False}})
    assert bench.sink.is_closed
    assert bench.counts[0].n_finished == 1
    bench.session.edit_text(URI, 2, [Edit("y", Place(0, 0), Place(0, 1))])
    assert await _ask(bench, Place(0, 1)) is not None
    assert len(bench.sink.calls) == 1
    assert len(bench.engines) == 1  # and no engine was built anew


async def test_other_settings_leave_the_counting_alone(bench: Bench) -> None:
    await bench.begin()
    await bench.session.take_settings({"completion": {"max_tokens": 5}})
    assert len(bench.counts) == 1


async def test_an_experiments_arm_lies_over_all_settings(bench: Bench) -> None:
    bench.arm_layer = Layer("experiment", {"completion.max_tokens": 3})
    await bench.begin(ClientFacts(settings={"completion.max_tokens": 50}))
    assert bench.engine.settings.config.completion.max_tokens == 3


async def test_requests_name_the_client(bench: Bench) -> None:
    await bench.begin(ClientFacts(name="Editor"))
    bench.session.counting.record(Event(RequestId("r"), EventKind.REQUESTED, 0, {"language": "c"}))
    assert bench.sink.events[-1].fields == {"language": "c", "client": "Editor"}


async def test_what_is_wrong_with_the_store_is_shown(bench: Bench) -> None:
    await bench.begin()
    await asyncio.to_thread(bench.on_problem, FimbleError("The disk is full.", mend="Make room."))
    while not bench.wire.params_of("window/showMessage"):
        await asyncio.sleep(0)
    assert "Make room." in bench.wire.params_of("window/showMessage")[0].message


async def test_closing_the_session_writes_what_there_is(bench: Bench) -> None:
    await bench.begin()
    await bench.session.aclose()
    assert bench.sink.is_closed
    assert bench.counts[0].n_finished == 1
    await bench.session.aclose()
    assert bench.counts[0].n_finished == 1
