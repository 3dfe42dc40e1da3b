"""Settings, switches and folders of a session."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.lsp_server.asking import URI, ask, open_text, type_text
from tests.lsp_server.conftest import Bench

from fimble.core.config import Layer
from fimble.core.errors import InputError
from fimble.core.flow import RejectReason
from fimble.lsp_server.convert import ClientFacts
from fimble.lsp_server.documents import Cell
from fimble.lsp_server.switches import Off, Scope
from fimble.lsp_server.text import Place

OTHER = "file:///w/b.md"


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
    open_text(bench)
    arguments = {"language_id": None, "uri": None, **kwargs}
    bench.session.switch(scope, on=False, **arguments)
    assert bench.session.document_status(URI).off is off
    assert await ask(bench) is None
    assert bench.sink.events[-1].fields["reason"] == RejectReason.DISABLED
    bench.session.switch(scope, on=True, **arguments)
    assert bench.session.document_status(URI).off is None
    assert await ask(bench) is not None


async def test_a_file_switched_off_stays_so_when_it_is_closed_and_opened(bench: Bench) -> None:
    await bench.begin()
    open_text(bench)
    bench.session.switch(Scope.FILE, None, URI, on=False)
    bench.session.close_text(URI)
    open_text(bench)
    assert bench.session.document_status(URI).off is Off.FILE
    assert await ask(bench) is None


@pytest.mark.parametrize("named", ["file:///w/n.ipynb", "cell:a"])
async def test_a_notebook_is_one_file(bench: Bench, named: str) -> None:
    await bench.begin()
    bench.session.documents.open_notebook(
        "file:///w/n.ipynb", [Cell("cell:a", is_code=True), Cell("cell:b", is_code=True)]
    )
    for cell in ("cell:a", "cell:b"):
        open_text(bench, uri=cell)
    bench.session.switch(Scope.FILE, None, named, on=False)
    for cell in ("cell:a", "cell:b"):
        assert bench.session.document_status(cell).off is Off.FILE
        assert await ask(bench, uri=cell) is None
    bench.session.switch(Scope.FILE, None, "cell:b", on=True)
    assert await ask(bench, uri="cell:a") is not None


@pytest.mark.parametrize(
    ("scope", "kwargs"), [(Scope.FILE, {"uri": OTHER}), (Scope.LANGUAGE, {"language_id": "markdown"})]
)
async def test_a_text_switched_off_is_no_longer_shown_elsewhere(
    bench: Bench, scope: Scope, kwargs: dict[str, str]
) -> None:
    await _begin_with_two_texts(bench)
    arguments = {"language_id": None, "uri": None, **kwargs}
    bench.session.switch(scope, on=False, **arguments)
    type_text(bench, "secret ", Place(0, 0), OTHER)
    await ask(bench)
    assert bench.engine.open == {URI: "x = \n"}
    bench.session.switch(scope, on=True, **arguments)
    assert bench.engine.open == {URI: "x = \n", OTHER: "secret thoughts\n"}


async def test_settings_that_switch_a_language_off_hide_its_open_texts(bench: Bench) -> None:
    await _begin_with_two_texts(bench)
    await bench.session.take_settings({"completion": {"disabled_languages": "markdown"}})
    assert bench.engine.open == {URI: "x = \n"}
    await bench.session.take_settings({"completion": {"disabled_languages": ""}})
    assert bench.engine.open == {URI: "x = \n", OTHER: "thoughts\n"}
    assert len(bench.engines) == 1


async def test_what_stays_on_keeps_its_place_among_the_open_texts(bench: Bench) -> None:
    await _begin_with_two_texts(bench)
    bench.session.switch(Scope.FILE, None, OTHER, on=True)
    bench.session.switch(Scope.LANGUAGE, "toml", None, on=False)
    await bench.session.take_settings({"completion": {"disabled_languages": "toml"}})
    assert list(bench.engine.open) == [OTHER, URI]


async def test_a_pause_of_everything_forgets_no_open_text(bench: Bench) -> None:
    opened_meanwhile = "file:///w/c.py"
    await _begin_with_two_texts(bench)
    bench.session.switch(Scope.GLOBAL, None, None, on=False)
    open_text(bench, uri=opened_meanwhile)
    bench.session.switch(Scope.FILE, None, OTHER, on=False)
    assert list(bench.engine.open) == [OTHER, URI]
    bench.session.switch(Scope.GLOBAL, None, None, on=True)
    assert list(bench.engine.open) == [URI, opened_meanwhile]


async def test_a_notebook_switched_off_is_no_longer_shown_elsewhere(bench: Bench) -> None:
    notebook, cell = "file:///w/n.ipynb", "vscode-notebook-cell:/w/n.ipynb#a"
    await bench.begin()
    bench.session.documents.open_notebook(notebook, [Cell(cell, is_code=True)])
    open_text(bench, uri=cell)
    await ask(bench, uri=cell)
    bench.engine.open[notebook] = "x = \n"  # as an engine that answers has it
    bench.session.switch(Scope.FILE, None, cell, on=False)
    assert bench.engine.open == {}


async def _begin_with_two_texts(bench: Bench) -> None:
    """The engine knows both, the one asked about in front."""
    await bench.begin()
    open_text(bench, "thoughts\n", OTHER, "markdown")
    open_text(bench)
    await ask(bench)
    assert list(bench.engine.open) == [OTHER, URI]


async def test_switching_on_outranks_the_settings(bench: Bench) -> None:
    settings = {"completion": {"disabled_languages": "python, toml"}}
    await bench.begin(ClientFacts(settings=settings))
    open_text(bench)
    assert await ask(bench) is None
    bench.session.switch(Scope.LANGUAGE, "python", None, on=True)
    assert await ask(bench) is not None
    # The engine has a gate of its own, which knows nothing of commands.
    assert bench.engine.settings.config.completion.disabled_languages == ""


async def test_the_status_tells_languages_that_the_settings_switch_off(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIMBLE_COMPLETION_DISABLED_LANGUAGES", "markdown, plaintext")
    await bench.begin()
    open_text(bench)
    bench.session.switch(Scope.LANGUAGE, "python", None, on=False)
    for uri in (None, URI):
        assert bench.session.document_status(uri).disabled_languages == {"markdown", "plaintext"}


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
    open_text(bench)
    await ask(bench)
    assert bench.engine.settings.config.completion.max_tokens == 7
    answers[0] = {"completion": {"max_tokens": 9}}
    old = bench.engine
    await bench.session.take_settings(None)
    await ask(bench)
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
    open_text(bench)
    await ask(bench)
    await bench.session.take_settings({"completion": {"enabled": True}})
    await ask(bench)
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
        open_text(bench, uri=uri)
        await ask(bench, uri=uri)
        asked = [engine for engine in bench.engines if engine.requests and engine.requests[-1].document.uri == uri]
        assert [engine.workspace for engine in asked] == [root], uri
    assert len(bench.engines) == 3


async def test_a_file_opened_by_its_real_path_is_of_the_folder_that_a_link_names(bench: Bench, tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "lib").mkdir(parents=True)
    (real / ".fimbleignore").write_text("private.py\n", "utf-8")
    link.symlink_to(real)
    await bench.begin(roots=[link, link / "lib"])
    for name, root in {"a.py": link, "lib/b.py": link / "lib"}.items():
        uri = (real / name).as_uri()
        open_text(bench, uri=uri)
        await ask(bench, uri=uri)
        asked = [engine for engine in bench.engines if engine.requests and engine.requests[-1].document.uri == uri]
        assert [engine.workspace for engine in asked] == [root], uri
    private = (real / "private.py").as_uri()
    open_text(bench, uri=private)
    assert bench.session.document_status(private).off is Off.EXCLUDED
    assert await ask(bench, uri=private) is None


async def test_folders_come_and_go(bench: Bench, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    await bench.begin(roots=[first])
    bench.session.change_folders([second.as_uri()], [first.as_uri()])
    assert bench.engines[0].is_closed is False  # it closes in the background
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.engines[0].is_closed
    uri = (second / "a.py").as_uri()
    open_text(bench, uri=uri)
    await ask(bench, uri=uri)
    assert bench.engine.workspace == second


async def test_a_folder_goes_while_its_new_settings_are_read(bench: Bench, tmp_path: Path) -> None:
    await bench.begin(roots=[tmp_path])
    open_text(bench, uri=(tmp_path / "a.py").as_uri())
    await ask(bench, uri=(tmp_path / "a.py").as_uri())
    taking = asyncio.ensure_future(bench.session._rooms.set_layers({None: (Layer("new", {"model.n_ctx": 2048}),)}))
    await asyncio.sleep(0)
    bench.session.change_folders([], [tmp_path.as_uri()])
    assert await taking is False
