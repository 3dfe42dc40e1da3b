"""The thread that runs jobs, over a model that is slow to load and evaluates nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fimble.backend.host import inference
from fimble.backend.host.inference import Inference, Job
from fimble.backend.host.protocol import ModelSpec
from fimble.backend.llama.context import Aborted
from fimble.core.flow import LineMode, Prompt, StopReason, StopRules, TokenId

SPEC = ModelSpec("test", Path("/none.gguf"), 512, 0, 1)
OTHER_SPEC = ModelSpec("other", Path("/other.gguf"), 512, 0, 1)
PROMPT = Prompt((TokenId(1), TokenId(2), TokenId(3)), (), StopRules(4, LineMode.SINGLE))


class FakeModel:
    """Loaded when the test says so."""

    may_load = threading.Event()
    is_loading = threading.Event()
    is_freed = threading.Event()
    piece_index = None

    n_loaded = 0

    def __init__(self, *_: object) -> None:
        FakeModel.n_loaded += 1
        self.is_loading.set()
        self.may_load.wait(20)

    def tokenize(self, text: str) -> list[TokenId]:
        return [TokenId(0)]

    def close(self) -> None:
        self.is_freed.set()


class FakeContext:
    """Remembers what it was to evaluate."""

    n_ctx = 512
    evaluated: list[tuple[TokenId, ...]]

    def __init__(self, *_: object) -> None:
        self._is_aborted = False

    def place(self, tokens: tuple[TokenId, ...], n_room: int) -> tuple[int, int]:
        return 0, 0

    def cut(self, seq: int, n_keep: int) -> None:
        pass

    def evaluate(self, seq: int, tokens: tuple[TokenId, ...]) -> None:
        if self._is_aborted:
            raise Aborted
        self.evaluated.append(tokens)

    def abort(self) -> None:
        self._is_aborted = True

    def allow(self) -> None:
        self._is_aborted = False

    def close(self) -> None:
        pass


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inference]:
    monkeypatch.setattr(inference, "LlamaModel", FakeModel)
    monkeypatch.setattr(inference, "LlamaContext", FakeContext)
    FakeModel.may_load.clear()
    FakeModel.is_loading.clear()
    FakeModel.is_freed.clear()
    FakeModel.n_loaded = 0
    FakeContext.evaluated = []
    made = Inference()
    yield made
    FakeModel.may_load.set()
    made.close()


class Asked:
    """A job, and what came of it."""

    def __init__(self, spec: ModelSpec = SPEC, **what: Any) -> None:
        self.is_done = threading.Event()
        self.results: list[dict[str, Any]] = []
        self.job = Job(spec, self._on_done, self._on_error, **what)

    def _on_done(self, result: dict[str, Any]) -> None:
        self.results.append(result)
        self.is_done.set()

    def _on_error(self, _: Exception) -> None:
        self.is_done.set()


def test_a_request_interrupts_a_warm_up_that_is_still_loading(thread: Inference) -> None:
    warm_up, request = Asked(prompt=PROMPT, is_warm_up=True), Asked(texts=("x",))
    thread.submit(warm_up.job)
    assert FakeModel.is_loading.wait(20)
    thread.submit(request.job)
    FakeModel.may_load.set()
    assert request.is_done.wait(20)
    assert request.results == [{"ids": [[0]]}]
    assert len(warm_up.results) == 1
    assert PROMPT.tokens not in FakeContext.evaluated


def test_a_warm_up_that_nobody_interrupts_is_evaluated(thread: Inference) -> None:
    warm_up = Asked(prompt=PROMPT, is_warm_up=True)
    thread.submit(warm_up.job)
    FakeModel.may_load.set()
    assert warm_up.is_done.wait(20)
    assert FakeContext.evaluated[-1] == PROMPT.tokens


def test_what_is_cancelled_while_it_waits_is_answered_without_being_begun(thread: Inference) -> None:
    first = Asked(texts=("x",))
    request, warm_up = Asked(OTHER_SPEC, prompt=PROMPT), Asked(OTHER_SPEC, prompt=PROMPT, is_warm_up=True)
    thread.submit(first.job)
    assert FakeModel.is_loading.wait(20)
    for waiting in (request, warm_up):
        thread.submit(waiting.job)
        thread.cancel(waiting.job)
    FakeModel.may_load.set()
    assert request.is_done.wait(20)
    assert warm_up.is_done.wait(20)
    (answer,) = request.results
    assert answer["stats"]["stop_reason"] is StopReason.CANCELLED
    assert answer["stats"]["n_prompt_tokens"] == 3
    assert answer["stats"]["n_generated_tokens"] == answer["stats"]["n_reused_tokens"] == 0
    assert warm_up.results == [{"dropped": True}]
    assert FakeModel.n_loaded == 1, "the weights were replaced for an answer that nobody wants"


def test_files_that_were_replaced_at_their_path_are_loaded(thread: Inference) -> None:
    FakeModel.may_load.set()
    for spec in (SPEC, SPEC, replace(SPEC, files_stamp="replaced")):
        asked = Asked(spec, texts=("x",))
        thread.submit(asked.job)
        assert asked.is_done.wait(20)
    assert FakeModel.n_loaded == 2


def test_a_request_withdraws_the_wish_to_unload(thread: Inference) -> None:
    first, later = Asked(texts=("x",)), Asked(texts=("y",))
    thread.submit(first.job)
    assert FakeModel.is_loading.wait(20)
    thread.unload()
    thread.submit(later.job)
    FakeModel.may_load.set()
    assert later.is_done.wait(20)
    assert not FakeModel.is_freed.wait(0.3), "weights that were just used were freed"
    thread.unload()
    assert FakeModel.is_freed.wait(20)


def test_a_wish_to_unload_from_before_a_request_begins_is_over(thread: Inference) -> None:
    first, later = Asked(texts=("x",)), Asked(texts=("y",))
    thread.submit(first.job)
    assert FakeModel.is_loading.wait(20)
    thread.submit(later.job)
    thread.unload()
    FakeModel.may_load.set()
    assert later.is_done.wait(20)
    assert not FakeModel.is_freed.wait(0.3), "weights that were just used were freed"
