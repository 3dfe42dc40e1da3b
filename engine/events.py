"""What the engine tells the counters of a request: asked, answered, refused. Names and numbers, never code."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from fimble.core.flow import Completion, CompletionRequest, Context, Event, EventKind, Prompt, Rejection
from fimble.core.ports import Clock, EventSink
from fimble.syntax.grammar import grammar_for
from fimble.syntax.languages import language_for
from fimble.syntax.parse import TreeCache
from fimble.syntax.scope import PLACEHOLDER, kind_of_hole

_log = logging.getLogger(__name__)

Fields = Mapping[str, str | int | float | bool | None]

_MAX_PARSED_CHARS = 400_000
_MAX_PARSE_MS = 20.0
_MAX_KNOWN = 64


@dataclass(slots=True)
class Notes:
    """What is found out about a request on the way to its answer.

    `node_kind` is the grammar's name of what the cursor stands in; `context_sources` names what the
    prompt's chunks come from, None where no prompt was made.
    """

    node_kind: str | None = None
    context_sources: str | None = None

    def take_sources(self, prompt: Prompt, context: Context) -> None:
        """Note which sources have a part in the prompt."""
        labels = {segment.label for segment in prompt.segments}
        names = {chunk.source for chunk in context.chunks if chunk.label in labels}
        self.context_sources = ",".join(sorted(names))


class Reporter:
    """Makes events and hands them to the sink."""

    def __init__(self, sink: EventSink, clock: Clock, adapter: str) -> None:
        """Tell `sink`. `adapter` is the configured one, a name or a file of which only the name is told; "": none."""
        self._sink = sink
        self._clock = clock
        self._adapter = PurePath(adapter).stem or None

    def requested(self, request: CompletionRequest) -> None:
        """A request came."""
        self._record(request, EventKind.REQUESTED, {"trigger": str(request.trigger)})

    def outcome(self, request: CompletionRequest, outcome: Completion | Rejection, notes: Notes) -> None:
        """A request has its answer, or the reason for none."""
        fields: dict[str, str | int | float | bool | None] = {
            "model": outcome.model_id,
            "adapter": self._adapter,
            "node_kind": notes.node_kind,
            "context_sources": notes.context_sources,
            "n_prompt_tokens": outcome.n_prompt_tokens,
            "n_reused_tokens": outcome.n_reused_tokens,
            "n_generated_tokens": outcome.n_generated_tokens,
            "n_refused_pieces": outcome.n_refused_pieces,
            **dataclasses.asdict(outcome.timings),
        }
        if isinstance(outcome, Rejection):
            self._record(request, EventKind.REJECTED, {**fields, "reason": str(outcome.reason)})
            return
        fields |= {
            "source": str(outcome.source),
            "confidence": outcome.confidence,
            "n_chars": len(outcome.text),
            "n_lines": outcome.text.count("\n") + 1,
            "stop_reason": str(outcome.stop_reason),
        }
        self._record(request, EventKind.ANSWERED, fields)

    def _record(self, request: CompletionRequest, kind: EventKind, fields: Fields) -> None:
        language = {"language": request.document.language_id}
        self._sink.record(Event(request.request_id, kind, self._clock.unix_ms(), {**language, **fields}))


class NodeKinds:
    """Tells what kind of syntax a cursor stands in, in a thread, while the model works."""

    def __init__(self) -> None:
        """No tree yet."""
        self._trees = TreeCache()
        self._lock = threading.Lock()
        self._known: OrderedDict[str, str | None] = OrderedDict()

    def last_of(self, uri: str) -> str | None:
        """The kind found last in a file: what an answer without the model is counted under."""
        return self._known.get(uri)

    async def look(self, request: CompletionRequest) -> None:
        """Find the kind; none in languages without a grammar and in texts that are much work."""
        try:
            kind = await asyncio.to_thread(self._find, request)
        except Exception:  # a statistic is not worth an answer
            _log.exception("no syntax node found")
            return
        self._known[request.document.uri] = kind
        self._known.move_to_end(request.document.uri)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

    def _find(self, request: CompletionRequest) -> str | None:
        language = language_for(request.document.language_id)
        grammar = grammar_for(language) if language else None
        if grammar is None or len(request.document.text) > _MAX_PARSED_CHARS:
            return None
        plain = request.document.text.encode("utf-8", "surrogatepass")
        text = plain[: request.cursor] + PLACEHOLDER + plain[request.cursor :]
        with self._lock:  # a TreeCache is one thread's at a time
            tree = self._trees.parse(grammar, text, max_cpu_ms=_MAX_PARSE_MS)
        return kind_of_hole(tree, request.cursor) if tree else None
