"""Scores what a user gets who has just typed up to the cursor: the cache holds earlier states of the same file.

A record is otherwise asked for once, of a cold cache. Here the last keys before the cursor come in steps, each
answered, so that the scored prompt is read from what is kept. Compared with a run without, by record, it says what
reuse costs.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

from fimble.core.flow import Completion, CompletionRequest, Rejection, RequestId
from fimble.core.position import CharIndex, TextIndex
from fimble.evaluation.answers import Completer, OpenCompleter
from fimble.evaluation.targets import Subject

# Characters before the cursor that are still to be typed when an earlier state is asked for: lines above, then words.
_STILL_TO_TYPE = (160, 40, 8)


class TypedCompleter:
    """Asks `completer` at earlier states of the document before each request."""

    def __init__(self, completer: Completer) -> None:
        """The same completer as for cold requests."""
        self._completer = completer

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """The answer at the last state; the earlier ones are thrown away."""
        index = TextIndex(request.document.text)
        cursor = index.to_char(request.cursor)
        for step, n_chars in enumerate(_STILL_TO_TYPE):
            if cursor > n_chars:
                await self._completer.complete(_earlier(request, cursor, n_chars, step))
        return await self._completer.complete(request)


def as_typed(subject: Subject) -> Subject:
    """The same subject, each record typed before it is asked for."""

    def completers(lines: str) -> OpenCompleter:
        open_cold = subject.completers(lines)

        @contextlib.asynccontextmanager
        async def open_it(workspace: Path) -> AsyncGenerator[Completer]:
            async with open_cold(workspace) as completer:
                yield TypedCompleter(completer)

        return open_it

    return dataclasses.replace(subject, completers=completers)


def _earlier(request: CompletionRequest, cursor: CharIndex, n_chars: int, step: int) -> CompletionRequest:
    text = request.document.text
    document = dataclasses.replace(request.document, text=text[: cursor - n_chars] + text[cursor:], version=step)
    at = TextIndex(document.text).to_byte(CharIndex(cursor - n_chars))
    request_id = RequestId(f"{request.request_id}-{step}")
    return dataclasses.replace(request, request_id=request_id, document=document, cursor=at)
