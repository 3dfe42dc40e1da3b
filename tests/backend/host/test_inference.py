"""The thread that runs jobs, over a model that is slow to load and evaluates nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fimble.backend.host import inference
from fimble.backend.host.inference import Inference, Job
from fimble.backend.host.protocol import ModelSpec
from fimble.backend.llama.context import Aborted
from fimble.core.flow import LineMode, Prompt, StopRules, TokenId

SPEC = ModelSpec("test", Path("/none.gguf"), 512, 0, 1)
PROMPT = Prompt((TokenId(1), TokenId(2), TokenId(3)), (), StopRules(4, LineMode.SINGLE))


class FakeModel:
    """Loaded when the test says so."""

    may_load = threading.Event()
    is_loading = threading.Event()
    piece_index = None

    def __init__(self, *_: object) -> None:
        self.is_loading.set()
        self.may_load.wait(20)

    def tokenize(self, text: str) -> list[TokenId]:
        return [TokenId(0)]

    def close(self) -> None:
        pass


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
    FakeContext.evaluated = []
    made = Inference()
    yield made
    FakeModel.may_load.set()
    made.close()


class Asked:
    """A job, and what came of it."""

    def __init__(self, **what: Any) -> None:
        self.is_done = threading.Event()
        self.results: list[dict[str, object]] = []
        self.job = Job(SPEC, self._on_done, self._on_error, **what)

    def _on_done(self, result: dict[str, object]) -> None:
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
