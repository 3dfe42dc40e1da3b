"""Typing at the real server over stdio: edits as a client sends them, outcomes as it tells them, and its death."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.test_traces import key, typed

from fimble.core.config import Layer
from fimble.core.errors import BackendError
from fimble.core.flow import Completion, CompletionRequest, Document, Rejection, RejectReason, RequestId, Trigger
from fimble.core.position import ByteOffset, TextIndex, Utf16Column
from fimble.engine.settings import Settings, load_settings
from fimble.evaluation.replay import TraceReplay, replay_trace
from fimble.evaluation.server import ServerReplay, change_between, open_server
from fimble.evaluation.targets import open_subject

URI = "file:///w/a.py"
TEXTS = st.text(st.sampled_from("ab \n\r\té😀"), max_size=24)


def scripted(folder: Path, **rules: str) -> Settings:
    """Settings with a model that answers by the end of the prefix."""
    script = folder / "rules.json"
    script.write_text(
        json.dumps([{"prefix_endswith": end, "answer": answer} for end, answer in rules.items()]), "utf-8"
    )
    return load_settings([Layer("test", {"model.id": f"scripted:{script}"})], environ={"FIMBLE_HOME": str(folder)})


@asynccontextmanager
async def serving(folder: Path, **rules: str) -> AsyncGenerator[ServerReplay]:
    """A server in `folder`, which is its workspace too."""
    async with open_server(scripted(folder, **rules), folder, folder) as target:
        yield target


def asking(text: str, cursor: int, version: int = 1) -> CompletionRequest:
    return CompletionRequest(
        RequestId("r"), Document(URI, "python", version, text), ByteOffset(cursor), Trigger.AUTOMATIC
    )


@given(TEXTS, TEXTS)
def test_an_edit_makes_the_new_text_of_the_old(old: str, new: str) -> None:
    change = change_between(old, new)
    index = TextIndex(old)
    start, end = (
        int(index.to_char(index.from_utf16(place.line, Utf16Column(place.character))))
        for place in (change.range.start, change.range.end)
    )
    assert old[:start] + change.text + old[end:] == new


def test_an_edit_is_no_longer_than_what_changed() -> None:
    change = change_between("a = 1\nb = 2\n", "a = 1\nb = 32\n")
    assert (change.range.start.line, change.range.start.character, change.text) == (1, 4, "3")


@pytest.mark.e2e
async def test_answers_come_with_what_they_cost(tmp_path: Path) -> None:
    async with serving(tmp_path, **{"def f(): ": "return 1"}) as target:
        answer = await target.complete(asking("é😀\ndef f(): \n", 16))
        assert isinstance(answer, Completion)
        assert (answer.text, answer.replace.start, str(answer.source)) == ("return 1", 16, "model")
        assert answer.n_generated_tokens > 0
        again = await target.complete(asking("é😀\ndef f(): r\n", 17, version=2))
        assert isinstance(again, Completion)
        assert (again.text, str(again.source), again.n_generated_tokens) == ("eturn 1", "type_through", 0)
        nothing = await target.complete(asking("x = \n", 4, version=3))
        assert isinstance(nothing, Rejection)
        assert nothing.reason is RejectReason.EMPTY


@pytest.mark.e2e
async def test_what_is_asked_by_hand_is_asked_so(tmp_path: Path) -> None:
    async with serving(tmp_path, **{"x = 1\n    ": "y = 2\n    return y\n"}) as target:
        unasked = asking("def f():\n    x = 1\n    \n", 23)
        answer = await target.complete(unasked)
        by_hand = await target.complete(dataclasses.replace(unasked, trigger=Trigger.INVOKED))
        assert isinstance(answer, Completion)
        assert isinstance(by_hand, Completion)
        assert (answer.text, by_hand.text) == ("y = 2", "y = 2\n    return y")


@pytest.mark.e2e
async def test_a_cancelled_request_leaves_the_connection_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, **{"a = ": "1"}) as target:
        for version in range(1, 6):
            asking_now = asyncio.ensure_future(target.complete(asking("a = \n", 4, version)))
            await asyncio.sleep(0)
            asking_now.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking_now
        await target.follow_up(0.0)
        assert isinstance(await target.complete(asking("a = \n", 4, 6)), Completion)
    assert not [record.message for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


@pytest.mark.e2e
async def test_a_trace_is_typed_at_the_server(tmp_path: Path) -> None:
    keys = [key(100 + 400 * n, 0, n, char) for n, char in enumerate("ab = 1")]
    settings = scripted(tmp_path, a="b = 1\n")
    typings: list[TraceReplay] = []
    async with open_subject("fimble", settings, lambda: tmp_path) as subject:
        typings.extend([await replay_trace(typed("", *keys), subject.replay, realtime=False)])
        typings.extend([await replay_trace(typed("", *keys), subject.replay, realtime=True)])
    for one in typings:
        assert [(asked.outcome, asked.source) for asked in one.asked][:2] == [
            ("completion", "model"),
            ("completion", "type_through"),
        ]
        assert sum(asked.n_saved_chars for asked in one.asked) == len("b = 1")


@pytest.mark.e2e
@pytest.mark.parametrize("pause_s", [0.0, 0.5])  # before and after the client has noticed
async def test_a_server_that_dies_ends_the_replay_with_a_message(pause_s: float, tmp_path: Path) -> None:
    async def ask_a_dead_one() -> None:
        async with serving(tmp_path) as target:
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):  # other tests' children may be ending
                    if "fimble.cli.serve" in child.cmdline():
                        child.kill()
            await asyncio.sleep(pause_s)
            await target.complete(asking("x = \n", 4))

    with pytest.raises(BackendError, match="stopped answering"):
        await ask_a_dead_one()


@pytest.mark.e2e
async def test_a_missing_model_is_told_before_anything_is_typed(tmp_path: Path) -> None:
    settings = scripted(tmp_path)
    model = dataclasses.replace(settings.config.model, id=str(tmp_path / "no.gguf"))
    missing = dataclasses.replace(settings, config=dataclasses.replace(settings.config, model=model))
    with pytest.raises(BackendError, match=r"no\.gguf"):
        async with open_server(missing, tmp_path, tmp_path):
            pass
