"""The thread that owns llama.cpp: one job at a time, requests before warm-ups, any job can be stopped.

Knows nothing of sockets; jobs report through callables that must be safe to call from this thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fimble.backend.decode.constraint import LeftConstraint
from fimble.backend.decode.guard import guard_for
from fimble.backend.host.cores import ThreadChooser, masked_cores, usable_cores
from fimble.backend.host.protocol import ModelSpec
from fimble.backend.llama import generate, recall
from fimble.backend.llama.context import ContextOptions, LlamaContext
from fimble.backend.llama.kvdisk import KvShelf
from fimble.backend.llama.kvkey import state_key
from fimble.backend.llama.library import build_facts
from fimble.backend.llama.model import LlamaModel, LoadOptions
from fimble.core.errors import FimbleError, InputError
from fimble.core.flow import GenerationStats, ModelInfo, Prompt, StopReason, Token, TokenId
from fimble.syntax.left import LeftMemory
from fimble.syntax.parse import TreeCache
from fimble.syntax.parse_log import LOG_CHANGED_NOTE, log_is_understood

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Work for the thread. Exactly one of `on_done` and `on_error` is called, once."""

    spec: ModelSpec
    on_done: Callable[[dict[str, object]], None]
    on_error: Callable[[Exception], None]
    prompt: Prompt | None = None
    on_token: Callable[[Token], None] | None = None
    is_warm_up: bool = False
    texts: tuple[str, ...] | None = None
    markers: tuple[str, ...] | None = None
    candidates: tuple[tuple[TokenId, ...], ...] | None = None
    arrived: float = field(default_factory=time.perf_counter)
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class StatePlace:
    """Where what was read is kept for the next start, and how much of it."""

    folder: Path
    max_bytes: int


class _Unload:
    """Said to the thread instead of a job."""


class Inference:
    """Owns the model in memory; at most one at a time."""

    def __init__(self, states: StatePlace | None = None) -> None:
        """Start the thread; weights are loaded by the first job that needs them."""
        self._states = states
        self._lock = threading.Condition()
        self._vocabulary_lock = threading.Lock()  # held while weights are replaced, and while another thread reads them
        self._requests: deque[Job] = deque()
        self._warm_ups: deque[Job] = deque()
        self._running: Job | None = None
        self._stopping = False
        self._unload_wanted = False
        self._spec: ModelSpec | None = None
        self._model: LlamaModel | None = None
        self._context: LlamaContext | None = None
        self._shelf: KvShelf | None = None
        self._info: ModelInfo | None = None
        self._chooser = ThreadChooser(masked_cores(), max_threads=usable_cores())
        self._trees, self._left_memory = TreeCache(), LeftMemory()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. A request stops a running warm-up and drops the waiting ones.

        Questions to a loaded model's vocabulary and cache are answered here and now: they must not wait for a running
        job.
        """
        with self._lock:
            self._unload_wanted = False
        if _is_question(job) and self._answer_at_once(job):
            return
        with self._lock:
            if job.is_warm_up:
                self._drop_waiting_warm_ups()
                self._warm_ups.append(job)
            else:
                self._requests.append(job)
                if self._running and self._running.is_warm_up:
                    self._interrupt(self._running)
            self._lock.notify()

    def cancel(self, job: Job) -> None:
        """Stop a job: at once if it runs, before it starts if it waits. It still reports, as cancelled."""
        with self._lock:
            job.cancelled = True
            if self._running is job:
                self._interrupt(job)

    def unload(self) -> None:
        """Free the weights when the thread is next idle, unless it is asked for something before."""
        with self._lock:
            self._unload_wanted = True
            self._lock.notify()

    @property
    def is_loaded(self) -> bool:
        """Whether weights are in memory."""
        return self._model is not None

    def close(self) -> None:
        """Stop the running job, free everything, end the thread."""
        with self._lock:
            self._stopping = True
            if self._running:
                self._interrupt(self._running)
            self._lock.notify()
        self._thread.join(timeout=30)

    def _interrupt(self, running: Job) -> None:
        """Stop the running job; where its weights are still being loaded, once they are there. Under the lock."""
        running.cancelled = True
        if self._context:
            self._context.abort()

    def _answer_at_once(self, job: Job) -> bool:
        with self._vocabulary_lock:
            if self._spec != job.spec or self._model is None or self._context is None:
                return False
            result = _look_up(self._model, self._context, self._shelf, job)
        job.on_done(result)
        return True

    def _run(self) -> None:
        while job := self._next():
            if isinstance(job, _Unload):
                self._free()
                continue
            try:
                result = self._do(job)
            except FimbleError as error:
                job.on_error(error)
            except Exception as error:
                _log.exception("a job failed")
                job.on_error(error)
            else:
                job.on_done(result)
            finally:
                with self._lock:
                    self._running = None
        self._free()

    def _next(self) -> Job | _Unload | None:
        with self._lock:
            while not self._stopping:
                is_unload_wanted, self._unload_wanted = self._unload_wanted, False
                if self._requests or self._warm_ups:
                    job = (self._requests or self._warm_ups).popleft()
                    self._running = job
                    if self._context:
                        self._context.allow()
                    return job
                if is_unload_wanted:
                    return _Unload()
                self._lock.wait()
            return None

    def _drop_waiting_warm_ups(self) -> None:
        while self._warm_ups:
            waiting = self._warm_ups.popleft()
            waiting.on_done({"dropped": True})

    def _do(self, job: Job) -> dict[str, object]:
        if job.cancelled and job.prompt is not None:
            return {"dropped": True} if job.is_warm_up else {"stats": asdict(_never_begun(job, job.prompt))}
        model, context = self._ready(job.spec)
        if _is_question(job):
            return _look_up(model, context, self._shelf, job)
        if job.prompt is None:
            return {"info": asdict(self._describe(job.spec, model))}
        if job.prompt.n_tokens + 1 > context.n_ctx:
            raise InputError(
                f"A prompt of {job.prompt.n_tokens} tokens does not fit into the context of {context.n_ctx}.",
                mend="Lower `prompt.max_tokens` or raise `model.n_ctx`.",
            )
        if job.cancelled:
            context.abort()
        self._choose_threads(job.spec, context)
        if self._shelf:
            recall.recall(context, self._shelf, job.prompt.tokens)
        if job.is_warm_up:
            generate.warm(context, job.prompt.tokens)
            return {"dropped": False}
        queue_ms = (time.perf_counter() - job.arrived) * 1000.0
        box_ms = job.prompt.stop.time_box_ms
        guard = guard_for(job.prompt.constraint, self._trees, time_box_ms=box_ms, check=context.raise_if_aborted)
        constraint = LeftConstraint(job.prompt.constraint, self._trees, self._left_memory)
        stream = generate.Generation(model, context, job.prompt, guard=guard, constraint=constraint, queue_ms=queue_ms)
        for token in stream:
            if job.on_token:
                job.on_token(token)
            self._choose_threads(job.spec, context)
        return {"stats": asdict(stream.stats) if stream.stats else {}}

    def _choose_threads(self, spec: ModelSpec, context: LlamaContext) -> None:
        if not spec.n_threads:
            context.set_threads(self._chooser.n_threads())

    def _ready(self, spec: ModelSpec) -> tuple[LlamaModel, LlamaContext]:
        if self._spec != spec:
            self._free()
            options = LoadOptions(
                spec.path, spec.n_gpu_layers, adapter=spec.adapter, has_extra_kernels=spec.has_extra_kernels
            )
            model = LlamaModel(options)
            try:
                context = LlamaContext(model, ContextOptions(spec.n_ctx, spec.n_threads or usable_cores()))
            except BaseException:
                model.close()
                raise
            _touch(context, model)
            shelf = _open_shelf(self._states, spec, model) if self._states else None
            with self._lock, self._vocabulary_lock:
                self._model, self._context, self._spec, self._shelf = model, context, spec, shelf
        if not self._model or not self._context:
            raise AssertionError("a spec without a model")
        return self._model, self._context

    def _describe(self, spec: ModelSpec, model: LlamaModel) -> ModelInfo:
        if self._info is None:
            self._info = ModelInfo(
                model_id=spec.model_id,
                name=model.metadata("general.name") or spec.path.stem,
                architecture=model.metadata("general.architecture"),
                n_vocab=model.n_vocab,
                n_ctx=spec.n_ctx,
                fim_tokens=dict(model.fim_tokens()),
                eog_tokens=model.end_tokens(),
                n_gpu_layers=model.n_gpu_layers,
                size_bytes=model.size_bytes,
                note="" if log_is_understood() else LOG_CHANGED_NOTE,
                files_stamp=spec.files_stamp,
            )
        return self._info

    def _free(self) -> None:
        if self._context and self._shelf:
            recall.put_away(self._context, self._shelf)
        with self._vocabulary_lock:
            context, model = self._context, self._model
            self._context = self._model = self._spec = self._info = self._shelf = None
            if context:
                context.close()
            if model:
                model.close()


def _touch(context: LlamaContext, model: LlamaModel) -> None:
    """Bring the weights from disk into memory now, so that the first request does not pay for it."""
    context.evaluate(0, (model.tokenize("\n")[0],))
    context.cut(0, 0)
    _ = model.piece_index


def _open_shelf(place: StatePlace, spec: ModelSpec, model: LlamaModel) -> KvShelf | None:
    try:
        key = state_key(spec.path, spec.adapter, n_ctx=spec.n_ctx, n_gpu_layers=model.n_gpu_layers, build=build_facts())
    except OSError as error:  # replaced or gone since it was loaded
        _log.warning("no KV states are used: %s", error)
        return None
    return KvShelf(place.folder, key, place.max_bytes)


def _never_begun(job: Job, prompt: Prompt) -> GenerationStats:
    queue_ms = (time.perf_counter() - job.arrived) * 1000.0
    return GenerationStats(
        n_prompt_tokens=prompt.n_tokens,
        n_reused_tokens=0,
        n_generated_tokens=0,
        queue_ms=queue_ms,
        prompt_ms=0.0,
        first_token_ms=queue_ms,
        total_ms=queue_ms,
        stop_reason=StopReason.CANCELLED,
    )


def _is_question(job: Job) -> bool:
    return job.texts is not None or job.markers is not None or job.candidates is not None


def _look_up(model: LlamaModel, context: LlamaContext, shelf: KvShelf | None, job: Job) -> dict[str, object]:
    if job.texts is not None:
        return {"ids": [model.tokenize(text) for text in job.texts]}
    if job.candidates is not None:
        return {"n_cached": [recall.n_at_hand(context, shelf, tokens) for tokens in job.candidates]}
    return {"ids": [model.marker_id(marker) for marker in job.markers or ()]}
