"""Types traces at a completer and measures what a user would feel. docs/evaluation.md defines every number.

Virtual time: requests are served one after another, each taking the time it really takes, and the time between is
skipped. A request that could not have begun before the next keystroke is never made (it is superseded); one that has
begun is served to its end. Real time: everything happens when the trace says, and a client that cancels does cancel.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from fimble.core.flow import Completion, CompletionRequest, Document, Rejection, RejectReason, RequestId, Trigger
from fimble.core.position import ByteOffset, TextIndex
from fimble.evaluation.acceptance import acceptance
from fimble.evaluation.answers import answer_of
from fimble.evaluation.traces import Moment, Trace, moments
from fimble.syntax.languages import PLAINTEXT, language_id_for_path

_NOT_TRIED = (RejectReason.DISABLED, RejectReason.EXCLUDED, RejectReason.TOO_LARGE)
_FATAL = (RejectReason.MODEL_UNAVAILABLE, RejectReason.BACKEND_FAILED)


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """How the editor's side asks: waits `debounce_ms` after a keystroke; cancels a request when the next key comes, or
    else tries again every `retry_ms` while one runs."""

    debounce_ms: float = 0.0
    cancels: bool = True
    retry_ms: float = 0.0


class ReplayTarget(Protocol):
    """What a trace can be typed at: the engine, a language server over stdio, a peer."""

    @property
    def policy(self) -> ClientPolicy:
        """How this target's client asks."""
        ...

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """Answer one request."""
        ...

    async def follow_up(self, budget_ms: float) -> None:
        """Whatever the target does by itself once an answer is on screen; the next key comes in `budget_ms`."""
        ...

    async def idle(self, document: Document, cursor: ByteOffset, budget_ms: float) -> None:
        """The cursor rests (after opening the file, after a jump): work ahead, for at most `budget_ms`."""
        ...


OpenReplay = Callable[[Path], AbstractAsyncContextManager[ReplayTarget]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One keystroke after which a client would ask.

    `outcome` is completion, superseded, cancelled, or the rejection's reason. `latency_ms` counts from the keystroke to
    the answer; None where none came. `in_time` says that the answer came before the next keystroke.
    """

    trace_id: str
    position: int
    gap_ms: float
    outcome: str
    latency_ms: float | None = None
    in_time: bool = False
    n_prompt_tokens: int = 0
    n_reused_tokens: int = 0
    n_generated_tokens: int = 0
    source: str | None = None
    n_saved_chars: int = 0

    @property
    def is_served(self) -> bool:
        """Whether the completer tried and said something."""
        return self.latency_ms is not None


@dataclass(frozen=True, slots=True)
class TraceReplay:
    """One trace, typed."""

    trace_id: str
    language: str
    typing_ms: float
    n_typed_chars: int
    asked: tuple[Asked, ...]


async def replay_trace(trace: Trace, open_target: OpenReplay, *, realtime: bool) -> TraceReplay:
    """Type one trace.

    Raises:
        FimbleError: the target has no model, or its process fails.
    """
    played = moments(trace)
    with tempfile.TemporaryDirectory(prefix="fimble-replay-") as folder:
        workspace = Path(folder)
        place = workspace / trace.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(trace.initial_text.encode("utf-8", "surrogatepass"))
        async with open_target(workspace) as target:
            session = _Session(trace, place.as_uri(), played, target)
            asked = await (session.in_real_time() if realtime else session.in_virtual_time())
    return TraceReplay(
        trace_id=trace.id,
        language=trace.language,
        typing_ms=trace.keystrokes[-1].t_ms - trace.keystrokes[0].t_ms,
        n_typed_chars=sum(len(key.insert_text) for key in trace.keystrokes),
        asked=tuple(_with_savings(asked, played)),
    )


@dataclass(frozen=True, slots=True)
class _Served:
    asked: Asked
    suggestion: str = ""


class _Session:
    """One trace being typed at one target."""

    def __init__(self, trace: Trace, uri: str, played: Sequence[Moment], target: ReplayTarget) -> None:
        by_name = language_id_for_path(trace.path)
        self._trace = trace
        self._uri = uri
        self._language_id = trace.language if by_name == PLAINTEXT else by_name
        self._played = played
        self._target = target

    async def in_virtual_time(self) -> list[_Served]:
        """Serve requests one after another; the clock is the trace's."""
        policy = self._target.policy
        served: list[_Served] = []
        free_ms = await self._opened()
        for position, moment in enumerate(self._played):
            key_ms, next_ms = moment.keystroke.t_ms, moment.next_ms
            if moment.keystroke.is_edit:
                start_ms = _start_ms(key_ms + policy.debounce_ms, free_ms, policy.retry_ms)
                if start_ms >= next_ms:
                    served.append(_Served(Asked(self._trace.id, position, moment.gap_ms, "superseded")))
                    continue
                began = time.perf_counter()
                outcome = await self._target.complete(self._request(position))
                answer_ms = start_ms + _ms_since(began)
                free_ms = answer_ms
                served.append(self._served(position, outcome, answer_ms - key_ms))
                if answer_ms < next_ms:
                    began = time.perf_counter()
                    await self._target.follow_up(next_ms - answer_ms)
                    free_ms += _ms_since(began)
            elif max(key_ms, free_ms) < next_ms:
                free_ms = max(key_ms, free_ms)
                document, cursor = self._document(position)
                began = time.perf_counter()
                await self._target.idle(document, cursor, next_ms - free_ms)
                free_ms += _ms_since(began)
        return served

    async def in_real_time(self) -> list[_Served]:
        """Type as the trace says; ask and cancel as the client would."""
        policy = self._target.policy
        served: dict[int, _Served] = {}
        opened_ms = await self._opened()
        first_ms = self._played[0].keystroke.t_ms
        await asyncio.sleep(max(0.0, first_ms - opened_ms) / 1000.0)
        began = time.perf_counter()
        tasks: list[asyncio.Task[None]] = []
        running: asyncio.Task[None] | None = None
        is_busy = asyncio.Lock()

        def now_ms() -> float:
            return first_ms + _ms_since(began)

        async def ask(position: int) -> None:
            moment = self._played[position]
            request = self._request(position)
            await asyncio.sleep(policy.debounce_ms / 1000.0)
            while is_busy.locked() and not policy.cancels:
                await asyncio.sleep(policy.retry_ms / 1000.0)
            async with is_busy:
                served[position] = _Served(Asked(self._trace.id, position, moment.gap_ms, "cancelled"))
                outcome = await self._target.complete(request)
                served[position] = self._served(position, outcome, now_ms() - moment.keystroke.t_ms)
                if (left_ms := moment.next_ms - now_ms()) > 0:
                    await self._target.follow_up(left_ms)

        for position, moment in enumerate(self._played):
            await asyncio.sleep(max(0.0, moment.keystroke.t_ms - now_ms()) / 1000.0)
            if running is not None and running.done() and not running.cancelled():
                running.result()  # a failure ends the replay at once
            # Without cancelling, a request that has begun goes on; one still waiting gives way to the newer one.
            if running is not None and (policy.cancels or position - 1 not in served):
                running.cancel()
            if moment.keystroke.is_edit:
                running = asyncio.create_task(ask(position))
                tasks.append(running)
            else:
                document, cursor = self._document(position)
                budget_ms = max(0.0, moment.next_ms - now_ms())
                running = asyncio.create_task(self._target.idle(document, cursor, budget_ms))
                tasks.append(running)
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        return [
            served.get(position) or _Served(Asked(self._trace.id, position, moment.gap_ms, "superseded"))
            for position, moment in enumerate(self._played)
            if moment.keystroke.is_edit
        ]

    async def _opened(self) -> float:
        """Open the file at time 0; the time when the target is free again."""
        text = self._trace.initial_text
        began = time.perf_counter()
        first = self._played[0]
        index = TextIndex(text)
        cursor = index.to_byte(first.at)
        await self._target.idle(Document(self._uri, self._language_id, 0, text), cursor, first.keystroke.t_ms)
        return _ms_since(began)

    def _document(self, position: int) -> tuple[Document, ByteOffset]:
        moment = self._played[position]
        cursor = TextIndex(moment.text).to_byte(moment.cursor)
        return Document(self._uri, self._language_id, position + 1, moment.text), cursor

    def _request(self, position: int) -> CompletionRequest:
        document, cursor = self._document(position)
        return CompletionRequest(RequestId(f"{self._trace.id}-{position}"), document, cursor, Trigger.AUTOMATIC)

    def _served(self, position: int, outcome: Completion | Rejection, latency_ms: float) -> _Served:
        moment = self._played[position]
        asked = Asked(
            trace_id=self._trace.id,
            position=position,
            gap_ms=moment.gap_ms,
            outcome="completion" if isinstance(outcome, Completion) else str(outcome.reason),
            latency_ms=latency_ms,
            in_time=latency_ms < moment.gap_ms,
            n_prompt_tokens=outcome.n_prompt_tokens,
            n_reused_tokens=outcome.n_reused_tokens,
            n_generated_tokens=outcome.n_generated_tokens,
        )
        if isinstance(outcome, Rejection):
            if outcome.reason in _FATAL and outcome.error is not None:
                raise outcome.error
            return _Served(replace(asked, latency_ms=None) if outcome.reason in _NOT_TRIED else asked)
        request = self._request(position)
        answer = answer_of(request, outcome)
        # One that stands for closers right of the cursor is typed like any other: the closers are typed over.
        is_typed_at_cursor = answer.is_insertion or outcome.replace.start == request.cursor
        return _Served(replace(asked, source=str(outcome.source)), answer.text if is_typed_at_cursor else "")


def _start_ms(wanted_ms: float, free_ms: float, retry_ms: float) -> float:
    """When a request begins that was wanted at `wanted_ms` while the target is busy until `free_ms`."""
    if free_ms <= wanted_ms:
        return wanted_ms
    if retry_ms <= 0:
        return free_ms
    return wanted_ms + math.ceil((free_ms - wanted_ms) / retry_ms) * retry_ms


def _with_savings(served: Sequence[_Served], played: Sequence[Moment]) -> list[Asked]:
    """Credit suggestions in the order shown; keystrokes that one would have spared are not spared again."""
    credited: list[Asked] = []
    covered_until = -1
    for one in served:
        asked = one.asked
        if asked.in_time and one.suggestion and asked.position >= covered_until:
            taken = acceptance(played, asked.position, one.suggestion)
            if taken is not None:
                covered_until = taken.last_covered
                asked = replace(asked, n_saved_chars=taken.n_chars)
        credited.append(asked)
    return credited


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000.0
