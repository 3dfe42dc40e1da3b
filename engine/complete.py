"""A request in, a completion or the reason for none out. The stages, in order; each lives in a module of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from typing import Protocol

from fimble.context.gather import TIME_LIMIT_MS, gather
from fimble.context.prompt.fim import choose_family
from fimble.core.config import Config
from fimble.core.errors import BackendError, FimbleError, InputError, ModelError
from fimble.core.flow import (
    AnswerSource,
    Completion,
    CompletionRequest,
    Context,
    Document,
    ModelInfo,
    Prompt,
    Rejection,
    RejectReason,
    RequestId,
    Timings,
    Trigger,
)
from fimble.core.ports import Clock, ContextSource, EventSink, ModelBackend
from fimble.core.position import ByteOffset
from fimble.engine import gate
from fimble.engine.answer import (
    answer,
    once_accepted,
    popup_text,
    shaped_for,
    unless_doubtful,
    with_popup_item,
    with_reason,
)
from fimble.engine.events import NodeKinds, Notes, Reporter
from fimble.engine.explain import Explanation, explain
from fimble.engine.flight import write
from fimble.engine.grammars import UserGrammars
from fimble.engine.prompting import Prompting
from fimble.engine.reuse import Answer, Edits
from fimble.engine.shape import Shaped
from fimble.engine.traffic import Route, Traffic

_log = logging.getLogger(__name__)
# Longest that a completion asked for by hand waits for its workspace to be looked through.
_SETTLE_S = 2.0


class WorkspaceSources(Protocol):
    """What knows the files around the text, and is told of what is done to them."""

    async def names(self, request: CompletionRequest) -> tuple[str, ...]:
        """The names that may follow the link before the cursor; none where nobody can tell."""
        ...

    async def settle(self, request: CompletionRequest) -> None:
        """Let the sources learn all they can for a request."""
        ...

    def on_open(self, document: Document) -> None:
        """The editor opened a text, or brought it to the front."""
        ...

    def on_edit(self, document: Document) -> None:
        """The editor's text is now this one."""
        ...

    def on_close(self, uri: str) -> None:
        """The editor closed a text."""
        ...

    def close(self) -> None:
        """End the background work."""
        ...


class Engine:
    """Completes code. Knows the parts by their ports only."""

    def __init__(
        self,
        config: Config,
        backend: ModelBackend,
        sources: Sequence[ContextSource],
        sink: EventSink,
        clock: Clock,
        workspace: WorkspaceSources | None = None,
        grammars: UserGrammars | None = None,
        *,
        is_patient: bool = False,
    ) -> None:
        """Use `wiring.build_engine` to get one with real parts."""
        self._workspace = workspace
        self._is_patient = is_patient
        self._config = config
        self._backend = backend
        self._prompting = Prompting(backend, config, grammars or UserGrammars(None))
        self._sources = tuple(sources)
        self._reporter = Reporter(sink, clock, config.model.adapter)
        self._node_kinds = NodeKinds()
        self._clock = clock
        self._traffic = Traffic(backend)
        self._edits = Edits()
        self._idle_work: asyncio.Task[None] | None = None

    def use_sources(self, sources: Sequence[ContextSource]) -> None:
        """Ask these in place of the workspace's, which are ended: to compare contexts."""
        if self._workspace:
            self._workspace.close()
        self._workspace, self._sources = None, tuple(sources)

    async def ready(self) -> ModelInfo:
        """Load the model.

        Raises:
            ModelError: the weights cannot be used.
            BackendError: the process that runs them does not work.
        """
        info = await self._backend.describe()
        choose_family(info)
        return info

    async def complete(self, request: CompletionRequest) -> Completion | Rejection:
        """Answer a request; expected failures are rejections. Cancelling the caller's task stops the model."""
        started_ms = self._clock.monotonic_ms()
        self._reporter.requested(request)
        notes = Notes(self._node_kinds.last_of(request.document.uri))
        try:
            deadline_s = None if request.deadline_ms is None else request.deadline_ms / 1000.0
            async with asyncio.timeout(deadline_s):
                outcome = await self._answer(request, started_ms, notes)
        except TimeoutError:
            outcome = self._reject(request, started_ms, RejectReason.DEADLINE, "No answer in time.")
        except asyncio.CancelledError:
            cancelled = self._reject(request, started_ms, RejectReason.CANCELLED, "Cancelled.")
            self._reporter.outcome(request, cancelled, notes)
            raise
        except ModelError as error:
            outcome = self._reject(request, started_ms, RejectReason.MODEL_UNAVAILABLE, error.message, error)
        except (BackendError, InputError) as error:
            outcome = self._reject(request, started_ms, RejectReason.BACKEND_FAILED, error.message, error)
        self._reporter.outcome(request, outcome, notes)
        return outcome

    async def prompt_for(self, request: CompletionRequest) -> Prompt:
        """The prompt that `complete` would send.

        Raises:
            FimbleError: the model is not to be had.
        """
        info = await self._backend.describe()
        return await self._prompting.full(request, await self._gather(request), info)

    async def explain(self, request: CompletionRequest) -> Explanation:
        """What the model would see for a request, with all that the sources can find.

        Raises:
            FimbleError: the model is not to be had.
        """
        info = await self._backend.describe()
        if self._workspace:
            await self._workspace.settle(request)
        context = await gather(request, self._sources)
        prompt = await self._prompting.full(request, context, info)
        (n_cached,) = await self._backend.n_cached([prompt])
        return explain(prompt, context.chunks, n_cached)

    async def warm(self, document: Document, cursor: ByteOffset) -> None:
        """Bring the surroundings of a cursor into the model's cache; quietly does nothing where that is impossible."""
        request = CompletionRequest(RequestId("warm"), document, cursor)
        if gate.refusal(request, self._config):
            return
        try:
            prompt = await self.prompt_for(request)
        except FimbleError as error:
            _log.info("no warm-up: %s", error.message)
            return
        await self._warm(prompt)

    def opened(self, document: Document) -> None:
        """An editor opened a text: it may be shown to the model where another one is completed."""
        self._edits.see(document)
        if self._workspace:
            self._workspace.on_open(document)

    def edited(self, document: Document) -> None:
        """An open text is now this one. `complete` takes note of the text that it is asked about by itself."""
        self._edits.see(document)
        if self._workspace:
            self._workspace.on_edit(document)

    def closed(self, uri: str) -> None:
        """An editor closed a text."""
        self._edits.closed(uri)
        if self._workspace:
            self._workspace.on_close(uri)

    async def rest(self) -> None:
        """Wait until what an answer left to be done in idle time is done."""
        if self._idle_work:
            await asyncio.wait([self._idle_work])

    async def aclose(self) -> None:
        """Let go of the model; requests that still wait for it are rejected."""
        if self._idle_work:
            self._idle_work.cancel()
            await asyncio.wait([self._idle_work])
        if self._workspace:
            self._workspace.close()
        self._traffic.stop()
        await self._backend.aclose()
        await self._traffic.over()

    async def _answer(self, request: CompletionRequest, started_ms: float, notes: Notes) -> Completion | Rejection:
        if refused := gate.refusal(request, self._config):
            return self._reject(request, started_ms, refused.reason, refused.detail)
        self.edited(request.document)  # here alone: what is written ahead of the user is no edit of theirs
        info = await self._backend.describe()
        around = await gather(with_popup_item(request))
        route = self._route(request, around, info)
        known, context = self._known(request, route), around
        if known is None:
            context = await self._gather(request)
            known = self._known(request, route)  # what was written ahead may have come to its end meanwhile
        if known:
            return self._from_memory(request, context, info, known, started_ms)
        chosen = await self._prompting.choose(request, context, info)
        prompt = chosen.prompt
        notes.take_sources(prompt, context)
        looking = asyncio.ensure_future(self._node_kinds.look(request))
        asked_ms = self._clock.monotonic_ms() - started_ms
        if self._idle_work:
            self._idle_work.cancel()  # interrupted, it would go on to write ahead, in place of what is asked for here
        try:
            written = await self._traffic.write(route, prompt)
            notes.node_kind = self._node_kinds.last_of(route.uri)
        finally:
            looking.cancel()  # never waited for; what it found until now counts
        stats = written.stats
        self._prompting.pace.learn(stats)
        timings = Timings(
            queue_ms=stats.queue_ms,
            prompt_ms=stats.prompt_ms,
            first_token_ms=asked_ms + stats.first_token_ms,
            total_ms=self._clock.monotonic_ms() - started_ms,
            writing_ms=stats.total_ms - stats.queue_ms - stats.prompt_ms,
            constraint_ms=stats.constraint_ms,
        )
        options = self._config.completion
        shaped = shaped_for(request, context, written.text, stats.stop_reason, options)
        confidence = written.confidence.value
        shaped = unless_doubtful(request, with_reason(shaped, stats.stop_reason), confidence, options)
        self._use_idle_time(chosen.fuller, once_accepted(request, context, shaped))
        outcome = answer(
            request,
            context,
            shaped,
            model_id=info.model_id,
            timings=timings,
            stop_reason=stats.stop_reason,
            confidence=confidence,
            stats=stats,
        )
        if isinstance(outcome, Rejection) or isinstance(shaped, RejectReason):
            return outcome
        return dataclasses.replace(outcome, alternatives=await self._alternatives(request, context, prompt, shaped))

    async def _gather(self, request: CompletionRequest) -> Context:
        asked = with_popup_item(request)
        if self._workspace and request.trigger is Trigger.INVOKED:
            # Who asks by hand asks once: what the sources would know with the next key they are to know now.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self._is_patient else _SETTLE_S):
                    await self._workspace.settle(asked)
        chunks_in_time = gather(asked, self._sources, time_limit_ms=None if self._is_patient else TIME_LIMIT_MS)
        if not self._workspace or not self._config.completion.known_names:
            return await chunks_in_time
        # One thread looks for all of them. The names are needed now; late chunks are those of the key before.
        names, context = await asyncio.gather(self._workspace.names(asked), chunks_in_time)
        return dataclasses.replace(context, names=names)

    def _known(self, request: CompletionRequest, route: Route) -> tuple[Answer, str] | None:
        """An answer given before; who wants several candidates wants them written."""
        return self._traffic.known(route) if request.n_candidates == 1 else None

    def _from_memory(
        self,
        request: CompletionRequest,
        context: Context,
        info: ModelInfo,
        known: tuple[Answer, str],
        started_ms: float,
    ) -> Completion | Rejection:
        """An answer given before, or what is left of one that the user types into. No token is evaluated."""
        before, rest = known
        options = self._config.completion
        shaped = shaped_for(request, context, rest, before.stop_reason, options)
        confidence = before.confidence.after(len(before.text) - len(rest)).value
        return answer(
            request,
            context,
            unless_doubtful(request, shaped, confidence, options),
            model_id=info.model_id,
            timings=Timings(0.0, 0.0, 0.0, self._clock.monotonic_ms() - started_ms),
            stop_reason=before.stop_reason,
            confidence=confidence,
            source=AnswerSource.CACHE if rest == before.text else AnswerSource.TYPE_THROUGH,
        )

    def _use_idle_time(self, fuller: Prompt | None, ahead: CompletionRequest | None) -> None:
        """Read the full surroundings, then write what comes after the answer. Any request interrupts this."""
        if self._idle_work:
            self._idle_work.cancel()
        self._idle_work = asyncio.create_task(self._work_ahead(fuller, ahead))

    async def _work_ahead(self, fuller: Prompt | None, ahead: CompletionRequest | None) -> None:
        try:
            if fuller:
                await self._backend.warm(fuller)
            if ahead and self._config.completion.look_ahead:
                await self._answer_ahead(ahead)
        except FimbleError as error:
            _log.info("no work ahead: %s", error.message)

    async def _answer_ahead(self, request: CompletionRequest) -> None:
        """Have the answer ready that will be wanted once the last one is accepted, or typed."""
        context = await self._gather(request)
        info = await self._backend.describe()
        route = self._route(request, context, info)
        if self._traffic.known(route) is None:
            chosen = await self._prompting.choose(request, context, info)
            await self._traffic.write_ahead(route, chosen.prompt)

    def _route(self, request: CompletionRequest, context: Context, info: ModelInfo) -> Route:
        uri, language_id = request.document.uri, request.document.language_id
        options = (self._config.prompt, self._config.completion, request.trigger)
        digest = repr((info.model_id, info.files_stamp, *options, language_id, self._edits.n_elsewhere(uri)))
        return Route(uri, digest, context.prefix, context.suffix)

    async def _warm(self, prompt: Prompt) -> None:
        try:
            await self._backend.warm(prompt)
        except FimbleError as error:
            _log.info("no warm-up: %s", error.message)

    async def _alternatives(
        self, request: CompletionRequest, context: Context, prompt: Prompt, first: Shaped
    ) -> tuple[str, ...]:
        """Other candidates: the same prompt begun with the second, third ... likeliest token."""
        found = [first.text]
        most = min(prompt.stop.max_new_tokens, self._config.completion.max_tokens)
        prompt = dataclasses.replace(prompt, stop=dataclasses.replace(prompt.stop, max_new_tokens=most))
        for rank in range(1, request.n_candidates):
            written = await write(self._backend, dataclasses.replace(prompt, first_choice=rank))
            shaped = shaped_for(request, context, written.text, written.stats.stop_reason, self._config.completion)
            if isinstance(shaped, Shaped) and shaped.n_replaced_chars == first.n_replaced_chars:
                found.append(shaped.text)
        return tuple(popup_text(request) + text for text in dict.fromkeys(found))[1:]

    def _reject(
        self,
        request: CompletionRequest,
        started_ms: float,
        reason: RejectReason,
        detail: str,
        error: FimbleError | None = None,
    ) -> Rejection:
        total_ms = self._clock.monotonic_ms() - started_ms
        return Rejection(request.request_id, reason, detail, Timings(0.0, 0.0, 0.0, total_ms), error=error)
