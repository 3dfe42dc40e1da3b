"""2,000 random steps against one real server process per encoding: texts agree, every request is answered once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp.client import make_test_lsp_client

pytestmark = pytest.mark.e2e

N_STEPS = 2_000
_SETTINGS = settings(
    max_examples=20,
    stateful_step_count=N_STEPS // 20,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# Line ends of LSP, line ends of str.splitlines only, characters of 1 to 4 bytes and of 1 and 2 UTF-16 units.
_TEXTS = st.text(st.sampled_from(list("ab ()\t\r\n\x0c\u2028é日😀")), max_size=12)
_SHARES = st.floats(0, 1)


class _Machine(RuleBasedStateMachine):
    """Edits, requests and cancellations of two documents, as a client in a hurry sends them."""

    loop: asyncio.AbstractEventLoop
    editor: Any
    numbers: Iterator[int]
    n_steps = 0

    def __init__(self) -> None:
        super().__init__()
        number = next(self.numbers)
        self.texts = [
            self.editor.open("", f"file:///w/{number}-0.py"),
            self.editor.open("x = 1\r\ny = '😀'\n", f"untitled:{number}-1"),
        ]
        self.asked: list[tuple[int, asyncio.Future[Any]]] = []

    @rule(which=st.integers(0, 1), start=_SHARES, end=_SHARES, new=_TEXTS)
    def edit(self, which: int, start: float, end: float, new: str) -> None:
        text = self.texts[which]
        first, last = sorted(self._safe(text.text, int(share * len(text.text))) for share in (start, end))
        self.editor.edit(text, first, last, new)

    @rule(which=st.integers(0, 1), new=_TEXTS)
    def type_at_the_end(self, which: int, new: str) -> None:
        text = self.texts[which]
        self.editor.edit(text, len(text.text), len(text.text), new)
        self._ask(text.uri, self.editor.position(text, len(text.text)))

    @rule(which=st.integers(0, 1), new=_TEXTS)
    def replace_everything(self, which: int, new: str) -> None:
        text = self.texts[which]
        text.text, text.version = new, text.version + 1
        self.editor.change(text, types.TextDocumentContentChangeWholeDocument(text=new))

    @rule(which=st.integers(0, 1), at=_SHARES)
    def ask(self, which: int, at: float) -> None:
        text = self.texts[which]
        self._ask(text.uri, self.editor.position(text, self._safe(text.text, int(at * len(text.text)))))

    @rule(which=st.integers(0, 1), line=st.integers(0, 99), column=st.integers(0, 99))
    def ask_anywhere(self, which: int, line: int, column: int) -> None:
        self._ask(self.texts[which].uri, types.Position(line, column))

    @rule()
    def ask_about_what_is_not_open(self) -> None:
        self._ask("file:///not/open.py", types.Position(0, 0))

    @precondition(lambda self: self.asked)
    @rule(back=st.integers(0, 5))
    def cancel(self, back: int) -> None:
        self.editor.cancel(self.asked[-1 - back % len(self.asked)][0])

    @rule(which=st.integers(0, 1), text=_TEXTS)
    def open_again(self, which: int, text: str) -> None:
        uri = self.texts[which].uri
        self.editor.close(self.texts[which])
        self.texts[which] = self.editor.open(text, uri)

    @rule(seconds=st.sampled_from([0, 0, 0.003, 0.02]))
    def pause(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @invariant()
    def the_process_lives(self) -> None:
        type(self).n_steps += 1
        assert self.editor.process.returncode is None

    def teardown(self) -> None:
        self.loop.run_until_complete(self._check())

    async def _check(self) -> None:
        for text in self.texts:
            assert await asyncio.wait_for(self.editor.server_text(text), 60) == text.text
        for _, answer in self.asked:
            with contextlib.suppress(JsonRpcException):
                assert (await asyncio.wait_for(answer, 60)).items is not None
        assert {self.editor.answers[msg_id] for msg_id, _ in self.asked} <= {1}
        for text in self.texts:
            self.editor.close(text)

    def _ask(self, uri: str, position: types.Position) -> None:
        async def send() -> None:
            self.asked.append(self.editor.ask(uri, position))

        self.loop.run_until_complete(send())

    @staticmethod
    def _safe(text: str, at: int) -> int:
        """Not between \\r and \\n: no client's cursor is there, and LSP has no position for it."""
        return at - 1 if 0 < at < len(text) and text[at - 1 : at + 1] == "\r\n" else at


@pytest.mark.timeout(900)
@pytest.mark.parametrize("encodings", [["utf-16"], ["utf-8", "utf-16"]], ids=["utf-16", "utf-8"])
def test_random_steps(tmp_path: Path, editor_class: Any, server_command: list[str], encodings: list[str]) -> None:
    rules = [
        {"prefix_endswith": "a", "answer": "slow", "delay_ms": 40},
        {"prefix_endswith": "b", "answer": "(😀)", "delay_ms": 5},
        {"prefix_endswith": "", "answer": "now"},
    ]
    script = tmp_path / "rules.json"
    script.write_text(json.dumps(rules), "utf-8")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    editor = editor_class(make_test_lsp_client())
    environment = {**os.environ, "FIMBLE_MODEL_ID": f"scripted:{script}"}

    async def begin() -> None:
        await editor.client.start_io(*server_command, env=environment)
        await editor.initialize(encodings)
        assert editor.encoding == encodings[0]

    async def end() -> None:
        await editor.client.shutdown_session()
        await editor.client.stop()

    try:
        loop.run_until_complete(begin())
        machine = type("Machine", (_Machine,), {"loop": loop, "editor": editor, "numbers": itertools.count()})
        # Hypothesis ends some examples early.
        while machine.n_steps < N_STEPS:
            run_state_machine_as_test(machine, settings=_SETTINGS)
        assert editor.n_asked > N_STEPS // 10
        loop.run_until_complete(end())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
