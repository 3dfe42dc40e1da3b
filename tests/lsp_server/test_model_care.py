"""Loading, missing models, downloads, and what the user is asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from lsprotocol import types

from fimble.core.errors import BackendError, DownloadError, ModelMissingError
from fimble.core.flow import CompletionRequest, Rejection, RejectReason, Timings
from fimble.lsp_server.convert import ClientFacts
from fimble.lsp_server.switches import Scope
from fimble.lsp_server.text import Place

Bench = Any  # conftest's

MISSING = ModelMissingError("The model is not here.", mend="Fetch it.")
ASK = types.WINDOW_SHOW_MESSAGE_REQUEST


class _User:
    """Presses the buttons it is given, in order; then closes messages."""

    def __init__(self, *buttons: str) -> None:
        self.buttons = list(buttons)
        self.questions: list[str] = []

    async def __call__(self, params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
        self.questions.append(params.message)
        if not self.buttons:
            return None
        button = self.buttons.pop(0)
        assert button in [action.title for action in params.actions or ()]
        return types.MessageActionItem(button)


def _miss(n_times: int) -> Any:
    def prepare(engine: Any) -> None:
        engine.ready_errors = [MISSING] * n_times

    return prepare


async def _rest(bench: Bench) -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_missing_model_is_downloaded_when_the_user_says_so(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User("Download")
    bench.prepare = _miss(1)
    await bench.begin(ClientFacts(shows_progress=True))
    await _rest(bench)
    assert user.questions == ["fimble's model qwen2.5-coder-0.5b is not on this machine. Download it, 5 MB?"]
    assert bench.installer.n_installed == 1
    assert bench.wire.states() == [
        "starting", "starting", "error", "downloading", "downloading", "downloading", "starting", "ready",
    ]  # fmt: skip
    percents = [params.get("percent") for params in bench.wire.params_of("fimble/status")]
    assert percents[3:6] == [None, 50, 100]
    kinds = [params.value.kind for params in bench.wire.params_of("$/progress")]
    assert kinds == ["begin", "end", "begin", "report", "report", "end", "begin", "end"]


async def test_what_does_not_work_as_it_should_is_in_the_status(bench: Bench) -> None:
    def prepare(engine: Any) -> None:
        engine.info = replace(engine.info, note="no grammar checks")

    bench.prepare = prepare
    await bench.begin()
    await _rest(bench)
    assert bench.wire.params_of("fimble/status")[-1]["message"] == "Scripted (no grammar checks)"


async def test_not_now_is_asked_once_and_requests_do_not_ask_again(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User("Not now")
    bench.prepare = _miss(9)
    await bench.begin()
    bench.engine.answer = _unavailable
    for _ in range(3):
        await _ask(bench)
        await _rest(bench)
    assert len(user.questions) == 1
    assert bench.installer.n_installed == 0
    assert bench.wire.states()[-1] == "error"


async def test_what_nobody_expected_is_told_too(bench: Bench) -> None:
    def prepare(engine: Any) -> None:
        engine.ready_errors = [PermissionError(13, "Permission denied", "/run/user/1")]

    bench.prepare = prepare
    await bench.begin()
    await _rest(bench)
    last = bench.wire.params_of("fimble/status")[-1]
    assert last["state"] == "error"
    assert "/run/user/1" in last["message"]


async def test_a_restart_asks_again(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User("Not now", "Download")
    bench.prepare = _miss(1)
    await bench.begin()
    await bench.session.restart()
    await _rest(bench)
    await asyncio.sleep(0.02)
    assert len(user.questions) == 2
    assert bench.wire.states()[-1] == "ready"


async def test_a_model_that_goes_missing_later_is_asked_about(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User("Not now")
    await bench.begin()
    assert user.questions == []
    bench.engine.answer = _unavailable
    bench.engine.ready_errors = [MISSING]
    await _ask(bench)
    await _rest(bench)
    assert len(user.questions) == 1


async def test_a_failed_download_tells_why_and_can_be_tried_again(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User("Download", "Try again")
    bench.prepare = _miss(2)
    bench.installer.failures = [DownloadError("No route.", mend="Check the cable.")]
    await bench.begin()
    await _rest(bench)
    # Trying again finds the model missing still, and asks anew; the user closes that question.
    assert user.questions[1] == "fimble: No route.\nCheck the cable."
    assert len(user.questions) == 3
    assert "error" in bench.wire.states()


async def test_what_cannot_be_downloaded_is_told_with_its_mend(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User("Try again")
    bench.installer.offered = None
    bench.prepare = _miss(1)
    await bench.begin()
    await _rest(bench)
    assert user.questions == ["fimble: The model is not here.\nFetch it."]
    assert bench.wire.states()[-1] == "ready"


async def test_a_model_process_that_does_not_start(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User()

    def prepare(engine: Any) -> None:
        engine.ready_errors = [BackendError("Out of memory.", mend="Choose a smaller model.")]

    bench.prepare = prepare
    await bench.begin()
    await _rest(bench)
    assert user.questions == ["fimble: Out of memory.\nChoose a smaller model."]
    assert bench.wire.params_of("fimble/status")[-1]["mend"] == "Choose a smaller model."


async def test_the_download_command_joins_a_running_download(bench: Bench) -> None:
    bench.wire.answers[ASK] = _User("Download")
    bench.installer.may_finish.clear()
    bench.prepare = _miss(1)
    await bench.begin()
    await _rest(bench)
    command = asyncio.ensure_future(bench.session.download())
    await _rest(bench)
    assert await _ask(bench) is None  # meanwhile nothing is asked of the engine
    assert bench.engine.requests == []
    bench.installer.may_finish.set()
    await command
    assert bench.installer.n_installed == 1
    assert bench.wire.states()[-1] == "ready"


async def test_a_cancelled_progress_bar_ends_the_download(bench: Bench) -> None:
    bench.wire.answers[ASK] = _User("Download")
    bench.installer.may_finish.clear()
    bench.prepare = _miss(1)
    await bench.begin(ClientFacts(shows_progress=True))
    await _rest(bench)
    token = bench.wire.params_of("$/progress")[-1].token
    bench.session.client.cancelled_progress(token)
    await _rest(bench)
    assert bench.installer.n_installed == 0
    assert bench.wire.params_of("fimble/status")[-1]["message"] == "The download was cancelled."


async def test_the_download_command_reports_failure(bench: Bench) -> None:
    await bench.begin()
    bench.installer.failures = [DownloadError("No route.")]
    with pytest.raises(DownloadError):
        await bench.session.download()
    assert bench.wire.states()[-1] == "error"


async def test_without_an_installer_nothing_is_offered(bench: Bench) -> None:
    user = bench.wire.answers[ASK] = _User()
    bench.session._care._installer = None
    bench.prepare = _miss(1)
    await bench.begin()
    await _rest(bench)
    assert user.questions == ["fimble: The model is not here.\nFetch it."]


async def test_closing_ends_a_download(bench: Bench) -> None:
    bench.wire.answers[ASK] = _User("Download")
    bench.installer.may_finish.clear()
    bench.prepare = _miss(1)
    await bench.begin()
    await _rest(bench)
    await bench.session.aclose()
    assert bench.installer.n_installed == 0
    assert bench.engine.is_closed


@pytest.mark.parametrize("ends_while_paused", [True, False])
async def test_a_download_goes_on_while_completions_are_off(bench: Bench, *, ends_while_paused: bool) -> None:
    await _begin_download(bench)
    bench.session.switch(Scope.GLOBAL, None, None, on=False)
    bench.installer.tell(75)
    await _rest(bench)
    assert bench.wire.states()[-1] == "paused"
    if ends_while_paused:
        bench.installer.may_finish.set()
        await _rest(bench)
        assert bench.wire.states()[-1] == "paused"
    bench.session.switch(Scope.GLOBAL, None, None, on=True)
    await _rest(bench)
    if not ends_while_paused:
        assert bench.wire.params_of("fimble/status")[-1]["percent"] == 75
        bench.installer.may_finish.set()
        await _rest(bench)
    assert bench.wire.states()[-1] == "ready"
    assert bench.installer.n_installed == 1
    assert await _ask(bench) is not None


async def test_a_download_that_failed_while_completions_were_off_is_offered_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    user = await _begin_download(bench, n_misses=2)
    user.buttons.append("Download")
    bench.session.switch(Scope.GLOBAL, None, None, on=False)
    bench.installer.later_failures = [DownloadError("No route.")]
    bench.installer.may_finish.set()
    await _rest(bench)
    assert bench.wire.states()[-1] == "paused"
    assert "No route." in caplog.text
    bench.session.switch(Scope.GLOBAL, None, None, on=True)
    await _rest(bench)
    assert len(user.questions) == 2
    assert bench.installer.n_installed == 1
    assert bench.wire.states()[-1] == "ready"


async def test_another_model_that_is_here_does_not_wait_for_a_download(bench: Bench) -> None:
    await _begin_download(bench, ClientFacts(shows_progress=True))
    token = bench.wire.params_of("$/progress")[-1].token
    await _choose(bench, "starcoder2-3b")
    assert bench.wire.states()[-1] == "ready"
    assert await _ask(bench) is not None
    bench.installer.tell(75)
    bench.session.client.cancelled_progress(token)
    await _rest(bench)
    last = bench.wire.params_of("fimble/status")[-1]
    assert (last["state"], last["model"]) == ("ready", "starcoder2-3b")


async def test_back_to_the_model_on_its_way_its_download_is_joined(bench: Bench) -> None:
    await _begin_download(bench)
    await _choose(bench, "starcoder2-3b")
    await _choose(bench, "qwen2.5-coder-0.5b")
    assert bench.wire.params_of("fimble/status")[-1]["percent"] == 50
    assert await _ask(bench) is None
    bench.installer.may_finish.set()
    await _rest(bench)
    assert bench.installer.n_installed == 1
    assert bench.wire.states()[-1] == "ready"


async def test_the_download_command_of_a_model_no_longer_chosen_loads_nothing(bench: Bench) -> None:
    bench.installer.may_finish.clear()
    await bench.begin()
    command = asyncio.ensure_future(bench.session.download())
    await _rest(bench)
    await _choose(bench, "starcoder2-3b")
    bench.installer.may_finish.set()
    await command
    assert bench.wire.params_of("fimble/status")[-1]["model"] == "starcoder2-3b"
    assert bench.wire.states()[-1] == "ready"


async def test_the_download_command_while_completions_are_off_leaves_them_off(bench: Bench) -> None:
    await bench.begin(ClientFacts(settings={"completion.enabled": False}))
    await bench.session.download()
    assert bench.installer.n_installed == 1
    assert bench.wire.states()[-1] == "paused"


async def test_the_model_is_loaded_though_the_client_no_longer_waits_for_its_download_command(bench: Bench) -> None:
    await bench.begin()
    bench.installer.may_finish.clear()
    command = asyncio.ensure_future(bench.session.download())
    await _rest(bench)
    command.cancel()
    await _rest(bench)
    bench.installer.may_finish.set()
    await _rest(bench)
    assert command.cancelled()
    assert bench.installer.n_installed == 1
    assert bench.wire.states()[-1] == "ready"


async def _begin_download(bench: Bench, facts: ClientFacts | None = None, n_misses: int = 1) -> _User:
    """The model is missing, the user pressed Download, and half of it is here."""
    user = bench.wire.answers[ASK] = _User("Download")
    bench.installer.may_finish.clear()
    bench.prepare = _miss(n_misses)
    await bench.begin(facts)
    await _rest(bench)
    assert bench.wire.states()[-1] == "downloading"
    bench.prepare = _miss(0)
    return user


async def _choose(bench: Bench, model_id: str) -> None:
    await bench.session.take_settings({"model": {"id": model_id}})
    await _rest(bench)


def _unavailable(request: CompletionRequest) -> Rejection:
    return Rejection(request.request_id, RejectReason.MODEL_UNAVAILABLE, "", Timings(0, 0, 0, 0), error=MISSING)


async def _ask(bench: Bench) -> Any:
    from fimble.core.flow import Trigger

    bench.session.documents.open("file:///a.py", "python", 1, "x")
    snapshot = bench.session.documents.snapshot("file:///a.py", Place(0, 1))
    return await bench.session.complete(snapshot, Trigger.AUTOMATIC, None)
