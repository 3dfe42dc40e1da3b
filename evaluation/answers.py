"""What is scored: the interface that fimble's engine and every peer answer through, and what an answer inserts.

Scoring sees a target only through `Completer`, so that all are asked the same question and judged by the same text.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fimble.core.flow import Completion, CompletionRequest, Rejection
from fimble.core.position import TextIndex


class Completer(Protocol):
    """Something that completes code: fimble's engine, or a peer."""

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """Answer one request."""
        ...


# Opens a completer whose workspace is the given folder; a fresh one for each task, so that no task sees another's text.
OpenCompleter = Callable[[Path], AbstractAsyncContextManager[Completer]]


def opener(completer: Completer) -> OpenCompleter:
    """Always the same completer, for one that keeps nothing between requests."""

    @asynccontextmanager
    async def open_it(workspace: Path) -> AsyncGenerator[Completer]:
        del workspace
        yield completer

    return open_it


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion seen as text put in at the cursor.

    `is_insertion` is False where it changed text around the cursor as well; it can then not equal the true middle.
    `document` is the whole text after it.
    """

    text: str
    is_insertion: bool
    document: str


NO_ANSWER = ""


def answer_of(request: CompletionRequest, outcome: Completion | Rejection) -> Answer:
    """What the outcome does to the document; a rejection does nothing."""
    text = request.document.text
    if isinstance(outcome, Rejection):
        return Answer(NO_ANSWER, is_insertion=True, document=text)
    index = TextIndex(text)
    cursor = index.to_char(request.cursor)
    start, end = index.to_char(outcome.replace.start), index.to_char(outcome.replace.end)
    document = text[:start] + outcome.text + text[end:]
    prefix, suffix = text[:cursor], text[cursor:]
    n_inserted = len(document) - len(text)
    if n_inserted >= 0 and document.startswith(prefix) and document.endswith(suffix):
        return Answer(document[cursor : cursor + n_inserted], is_insertion=True, document=document)
    return Answer(outcome.text, is_insertion=False, document=document)
