"""What a completion inserts, also where it replaces text around the cursor."""

from __future__ import annotations

import pytest
from tests.evaluation.conftest import TIMES

from fimble.core.flow import Completion, CompletionRequest, Document, RequestId, StopReason
from fimble.core.position import ByteOffset, ByteRange
from fimble.evaluation.answers import answer_of


def ask(marked: str) -> CompletionRequest:
    cursor = len(marked.split("$0")[0].encode())
    return CompletionRequest(
        RequestId("1"), Document("file:///a", "python", 1, marked.replace("$0", "")), ByteOffset(cursor)
    )


def put(text: str, before: int, after: int, request: CompletionRequest) -> Completion:
    replace = ByteRange(ByteOffset(request.cursor - before), ByteOffset(request.cursor + after))
    return Completion(request.request_id, text, replace, "m", TIMES, 0, 0, 0, StopReason.LINE_END)


@pytest.mark.parametrize(
    ("marked", "text", "before", "after", "inserted", "document"),
    [
        ("f($0)", "a", 0, 0, "a", "f(a)"),
        ("f($0)", "a)", 0, 1, "a", "f(a)"),  # the bracket that stood there, written again
        ("é($0)", "ü)", 0, 1, "ü", "é(ü)"),  # offsets are bytes
        ("pri$0", "print", 3, 0, "nt", "print"),
        ("f($0)", "", 0, 0, "", "f()"),
        ("f($0)", "a]", 0, 1, None, "f(a]"),  # another bracket is a change, not an insertion
        ("Pri$0", "print", 3, 0, None, "print"),
        ("f($0) + 1", "a", 0, 5, None, "f(a"),
    ],
)
def test_insertions(marked: str, text: str, before: int, after: int, inserted: str | None, document: str) -> None:
    request = ask(marked)
    answer = answer_of(request, put(text, before, after, request))
    assert answer.document == document
    assert answer.is_insertion is (inserted is not None)
    if inserted is not None:
        assert answer.text == inserted
