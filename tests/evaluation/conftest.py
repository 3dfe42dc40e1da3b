"""Records, completers and data that the tests of evaluation share."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fimble.core.flow import (
    Completion,
    CompletionRequest,
    Rejection,
    RejectReason,
    StopReason,
    Timings,
)
from fimble.core.position import ByteRange
from fimble.evaluation import sandbox
from fimble.evaluation.answers import OpenCompleter
from fimble.evaluation.records import Record

TIMES = Timings(0.0, 1.0, 2.0, 3.0)


class FakeCompleter:
    """Inserts what `answer` says; an empty text is a rejection. Remembers what it was asked."""

    def __init__(self, answer: Callable[[CompletionRequest], str]) -> None:
        self._answer = answer
        self.requests: list[CompletionRequest] = []

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        self.requests.append(request)
        text = self._answer(request)
        if not text:
            return Rejection(request.request_id, RejectReason.EMPTY, "nothing", TIMES, "fake", 7, 3, 0)
        here = ByteRange(request.cursor, request.cursor)
        return Completion(request.request_id, text, here, "fake", TIMES, 7, 3, 2, StopReason.END_OF_MIDDLE)


def always(completer: FakeCompleter) -> OpenCompleter:
    """Opens the same completer every time."""

    @asynccontextmanager
    async def open_it(workspace: Path) -> AsyncGenerator[FakeCompleter]:
        del workspace
        yield completer

    return open_it


def record(**changes: object) -> Record:
    """A small executable Python record."""
    fields: dict[str, object] = {
        "id": "r1",
        "language": "python",
        "path": "add.py",
        "prefix": "def add(a, b):\n    ",
        "suffix": "\n",
        "middle": "return a + b",
        "tests": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
        "entry_point": "add",
        **changes,
    }
    return Record(**fields)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of evaluation sets, which is no part of the repository."""
    folder = Path(os.environ.get("FIMBLE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the evaluation sets are not at {folder}; set FIMBLE_DATA")
    return folder


@pytest.fixture(scope="session")
def confined() -> None:
    """Needs a machine that can confine programs."""
    problem = sandbox.problem()
    if problem:
        pytest.skip(f"no sandbox here: {problem}")
