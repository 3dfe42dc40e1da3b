"""Records that are typed before they are asked for: the same question last, after earlier states of the same file."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.conftest import TIMES

from fimble.core.flow import Completion, CompletionRequest, Document, Rejection, RejectReason, RequestId, Trigger
from fimble.core.position import CharIndex, TextIndex
from fimble.evaluation.targets import Subject
from fimble.evaluation.typed import TypedCompleter, as_typed


class Recorder:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[CompletionRequest] = []

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        self.asked.append(request)
        return Rejection(request.request_id, RejectReason.EMPTY, "", TIMES, "m")


def request_at(text: str, at: int) -> CompletionRequest:
    cursor = TextIndex(text).to_byte(CharIndex(at))
    return CompletionRequest(RequestId("r"), Document("file:///a.py", "python", 9, text), cursor, Trigger.INVOKED)


@given(st.text(max_size=300), st.data())
async def test_earlier_states_are_prefixes_of_what_is_asked_last(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    recorder, request = Recorder(), request_at(text, at)
    await TypedCompleter(recorder).complete(request)
    assert recorder.asked[-1] == request
    lengths: list[int] = []
    for earlier in recorder.asked[:-1]:
        raw = earlier.document.text.encode("utf-8", "surrogatepass")
        prefix = raw[: earlier.cursor].decode("utf-8", "surrogatepass")
        assert earlier.document.text == prefix + text[at:]
        assert text[:at].startswith(prefix)
        lengths.append(len(prefix))
    assert lengths == sorted(set(lengths)), "each state has more than the one before"
    assert len(lengths) == sum(at > n for n in (160, 40, 8))
    assert len({one.request_id for one in recorder.asked}) == len(recorder.asked)


async def test_a_subject_is_typed_whatever_its_line_mode(tmp_path: Path) -> None:
    recorder, modes = Recorder(), list[str]()

    def completers(lines: str) -> object:
        modes.append(lines)

        @asynccontextmanager
        async def open_it(workspace: Path):  # type: ignore[no-untyped-def]
            assert workspace == tmp_path
            yield recorder

        return open_it

    subject = as_typed(Subject("fimble", completers, cast("object", None)))  # type: ignore[arg-type]
    async with subject.completers("single")(tmp_path) as completer:
        await completer.complete(request_at("x" * 20, 20))
    assert modes == ["single"]
    assert len(recorder.asked) == 2
