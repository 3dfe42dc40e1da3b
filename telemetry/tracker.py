"""Turns answers, client notifications and edits into events: shown, seen, accepted, undone, what is left later.

Stands before the store as an event sink: the engine's events and the server's notifications pass through it. Needs the
texts' edits, keeps no documents. Loop thread only. Definitions: docs/telemetry.md.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Concatenate, Final, ParamSpec

from fimble.core.errors import invariant_broken
from fimble.core.flow import Event, EventKind, RequestId
from fimble.core.ports import Clock, CodeSink, EventSink
from fimble.core.position import ByteOffset
from fimble.telemetry.alignment import TextEdit, trimmed
from fimble.telemetry.persistence import HORIZONS_S, UNDO_MS, Accepted, AcceptedTexts, Measure
from fimble.telemetry.suggestion import Piece, Step, Suggestion

# Sourcegraph Cody: a suggestion counts once it was valid on the screen for this long.
SEEN_MS: Final = 750.0
# An acceptance is told by command before or after the edit it makes; they come this close together.
_EDIT_WAIT_MS: Final = 5_000.0
_MAX_ANSWERS: Final = 1024

_P = ParamSpec("_P")


class _End(Enum):
    ACCEPTED = "accepted"
    TYPED_THROUGH = "typed_through"
    DISMISSED = "dismissed"
    REPLACED = "replaced"


@dataclass(slots=True)
class _Offer:
    """A suggestion and what is known of its life. Times are monotonic milliseconds."""

    suggestion: Suggestion
    shown_ms: float | None = None
    shown_unix_ms: float = 0.0
    is_shown_exact: bool = False
    is_seen: bool = False
    is_accept_exact: bool = False
    is_dismiss_exact: bool = False
    expects_part: bool = False
    awaits_edit_until_ms: float | None = None
    end: _End | None = None
    accepted: Accepted | None = None
    # What came into the text when it seemed to be turned down; the client may yet say that this was the acceptance.
    other_shape: TextEdit | None = None

    def forget_last(self) -> None:
        """The document has changed since: what its last edit was can no longer be put right."""
        self.other_shape = None
        self.suggestion.forget_last()


@dataclass(frozen=True, slots=True)
class _Answer:
    """One request's part in an offer: a later request may continue an earlier one's suggestion."""

    offer: _Offer
    texts: tuple[str, ...]
    n_head_chars: tuple[int, ...]
    n_taken_before: int
    is_continuation: bool
    told: set[EventKind] = field(default_factory=set)


@dataclass(slots=True)
class _Text:
    version: int = -1
    live: _Offer | None = None
    ended: _Offer | None = None  # the last one, until the next edit


def _guarded(
    method: Callable[Concatenate[CompletionTracker, _P], None],
) -> Callable[Concatenate[CompletionTracker, _P], None]:
    """Counting must never stop completing: what fails here is our own bug, reported as such."""

    @functools.wraps(method)
    def call(self: CompletionTracker, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            invariant_broken(f"telemetry tracker: {method.__name__}: {error!r}")

    return call


class CompletionTracker:
    """The CompletionWatcher port."""

    def __init__(
        self, sink: EventSink, clock: Clock, *, infers_shown: bool = True, code_sink: CodeSink | None = None
    ) -> None:
        """With `infers_shown` an answer counts as shown until the client has reported its first `shown` itself."""
        self._sink = sink
        self._clock = clock
        self._infers_shown = infers_shown
        self._code_sink = code_sink
        self._texts: dict[str, _Text] = {}
        self._answers: OrderedDict[RequestId, _Answer] = OrderedDict()
        self._accepted = AcceptedTexts()
        self._due_ms = 0.0

    # What the client says.

    @_guarded
    def record(self, event: Event) -> None:
        """Take an event. What the server tells of the client's notifications is followed; the rest passes."""
        answer = self._answers.get(event.request_id)
        if answer is None:
            self._sink.record(event)
            return
        match event.kind:
            case EventKind.SHOWN:
                self.on_shown(event.request_id, _int(event.fields.get("candidate")))
            case EventKind.ACCEPTED:
                self.on_accepted(event.request_id, _int(event.fields.get("candidate")))
            case EventKind.PARTLY_ACCEPTED:
                candidate = _int(event.fields.get("candidate"))
                text = answer.texts[candidate] if candidate < len(answer.texts) else ""
                n_units = _int(event.fields.get("n_utf16_units_accepted"))
                self.on_partly_accepted(event.request_id, _n_chars(text, n_units), candidate)
            case EventKind.DISMISSED:
                self.on_dismissed(event.request_id)
            case _:
                self._sink.record(event)

    @_guarded
    def on_shown(self, request_id: RequestId, candidate: int = 0) -> None:
        """The client says that the item is on the screen."""
        self._advance()
        self._infers_shown = False
        answer = self._answers.get(request_id)
        if answer is None:
            self._tell(request_id, EventKind.SHOWN, exact=True)
            return
        answer.offer.suggestion.choose(candidate)
        self._show(request_id, answer, is_exact=True)

    @_guarded
    def on_accepted(self, request_id: RequestId, candidate: int = 0) -> None:
        """The client says that the item was inserted whole; its edit may have come before, or is still to come."""
        self._advance()
        answer = self._answers.get(request_id)
        if answer is None:
            self._tell(request_id, EventKind.ACCEPTED, exact=True)
            return
        offer = answer.offer
        if offer.is_accept_exact:
            return
        offer.is_accept_exact = True
        suggestion = offer.suggestion
        suggestion.choose(candidate)
        text = self._texts.get(suggestion.uri)
        if text is not None and text.live is offer and suggestion.rest:
            offer.awaits_edit_until_ms = self._clock.monotonic_ms() + _EDIT_WAIT_MS
            self._plan(offer.awaits_edit_until_ms)
            n_chars = len(suggestion.rest) + (suggestion.piece.n_inserted_chars if suggestion.piece else 0)
            self._tell(suggestion.root, EventKind.ACCEPTED, exact=True, n_chars=n_chars)
            return
        self._settle_last_edit(offer)
        self._tell_accepted(offer, is_exact=True)

    @_guarded
    def on_partly_accepted(self, request_id: RequestId, n_chars: int, candidate: int = 0) -> None:
        """The client says that the first `n_chars` characters of the item are in the text, from all parts together."""
        self._advance()
        answer = self._answers.get(request_id)
        if answer is None:
            self._tell(request_id, EventKind.PARTLY_ACCEPTED, exact=True, n_chars=n_chars)
            return
        offer, suggestion = answer.offer, answer.offer.suggestion
        suggestion.choose(candidate)
        n_head = answer.n_head_chars[candidate] if candidate < len(answer.n_head_chars) else 0
        if offer.end is None and answer.n_taken_before + n_chars - n_head > suggestion.n_taken:
            offer.expects_part = True
            return
        was_whole = offer.end in (_End.ACCEPTED, _End.TYPED_THROUGH)
        self._settle_last_edit(offer)
        if was_whole:
            self._tell_accepted(offer, is_exact=True)
        elif suggestion.piece is not None:
            n_inserted = suggestion.piece.n_inserted_chars
            self._tell(suggestion.root, EventKind.PARTLY_ACCEPTED, exact=True, n_chars=n_inserted)

    @_guarded
    def on_dismissed(self, request_id: RequestId) -> None:
        """The client says that the user turned the item away."""
        self._advance()
        answer = self._answers.get(request_id)
        if answer is None:
            self._tell(request_id, EventKind.DISMISSED, exact=True)
        elif answer.offer.end in (None, _End.DISMISSED) and not answer.offer.is_dismiss_exact:
            answer.offer.is_dismiss_exact = True
            self._end(answer.offer, _End.DISMISSED, is_exact=True)

    # What the server answers.

    @_guarded
    def on_answered(
        self,
        request_id: RequestId,
        uri: str,
        version: int,
        start: ByteOffset,
        old_text: str,
        new_texts: Sequence[str],
        n_menu_chars: int = 0,
    ) -> None:
        """Items went to the client. Ones for a text that has changed since are not followed: it will not show them."""
        self._advance()
        text = self._texts.setdefault(uri, _Text(version))
        found = Suggestion.of(request_id, uri, start, old_text, new_texts, n_menu_chars)
        if found is None or version < text.version:
            return
        live = text.live
        if live is not None and live.awaits_edit_until_ms is None and live.suggestion.is_same_as(found):
            offer, n_taken = live, live.suggestion.n_taken
            live.suggestion.n_menu_chars = n_taken + found.n_menu_chars
        else:
            if live is not None:
                self._end(live, _End.REPLACED, is_exact=False)
            offer, n_taken = _Offer(found), 0
            text.live = offer
        answer = _Answer(offer, tuple(new_texts), found.n_head_chars, n_taken, is_continuation=offer is live)
        self._answers[request_id] = answer
        while len(self._answers) > _MAX_ANSWERS:
            self._answers.popitem(last=False)
        if self._infers_shown:
            self._show(request_id, answer, is_exact=False)

    @_guarded
    def on_withdrawn(self, uri: str) -> None:
        """A request was answered with nothing: no suggestion is on the screen there."""
        self._advance()
        text = self._texts.get(uri)
        if text is not None and text.live is not None and text.live.awaits_edit_until_ms is None:
            self._end(text.live, _End.DISMISSED, is_exact=False)

    # What is done to the texts.

    @_guarded
    def on_open(self, uri: str, version: int, text: str) -> None:
        """A text was opened."""
        self._advance()
        self._texts[uri] = _Text(version)
        self._accepted.resume(uri, text)

    @_guarded
    def on_edit(self, uri: str, version: int, start: ByteOffset, old_text: str, new_text: str) -> None:
        """The text was edited in the editor."""
        self._advance()
        text = self._texts.setdefault(uri, _Text())
        text.version = version
        edit = trimmed(TextEdit(start, old_text, new_text))
        if edit.is_empty:
            return
        now_ms = self._clock.monotonic_ms()
        for accepted in self._accepted.edit(uri, edit):
            if now_ms - accepted.accepted_ms <= UNDO_MS and accepted.is_gone():
                self._accepted.drop(uri, accepted)
                self._tell(accepted.root, EventKind.UNDONE)
        if text.ended is not None:
            text.ended.forget_last()
            text.ended = None
        if text.live is not None:
            self._judge(text.live, edit)

    @_guarded
    def on_external_change(self, uri: str, version: int, old_text: str, new_text: str) -> None:
        """The whole text was replaced from outside the editor: nothing is accepted or undone by that."""
        self._advance()
        text = self._texts.setdefault(uri, _Text())
        text.version = version
        edit = trimmed(TextEdit(ByteOffset(0), old_text, new_text))
        if edit.is_empty:
            return
        self._accepted.edit(uri, edit)
        if text.live is not None:
            self._end(text.live, _End.DISMISSED, is_exact=False)

    @_guarded
    def on_rename(self, old_uri: str, new_uri: str) -> None:
        """A file or folder was renamed; may come before or after the close and open of its texts."""
        self._advance()
        self._accepted.rename(old_uri, new_uri)

    @_guarded
    def on_close(self, uri: str) -> None:
        """A text was closed: what is left of accepted texts is carried to the measures still due."""
        self._advance()
        text = self._texts.pop(uri, None)
        if text is not None and text.live is not None:
            self._end(text.live, _End.DISMISSED, is_exact=False)
        self._accepted.park(uri)

    # Time.

    @_guarded
    def tick(self) -> None:
        """Measure what has become due. Values are those at the due time: every edit since is looked at before it."""
        self._advance()

    @_guarded
    def close(self) -> None:
        """The session ends: what is there now is carried to every measure still due."""
        self._advance()
        for text in self._texts.values():
            if text.live is not None:
                self._end(text.live, _End.DISMISSED, is_exact=False)
        for accepted, measure in self._accepted.take_all():
            self._tell_measure(accepted, measure, self._clock.unix_ms())

    def _advance(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._due_ms:
            return
        dues: list[float] = []
        for text in self._texts.values():
            offer = text.live
            if offer is None:
                continue
            if offer.shown_ms is not None and not offer.is_seen and not offer.is_accept_exact:
                if now_ms >= offer.shown_ms + SEEN_MS:
                    offer.is_seen = True
                    at_ms = offer.shown_unix_ms + SEEN_MS
                    self._tell(offer.suggestion.root, EventKind.SEEN, at_ms, exact=offer.is_shown_exact)
                else:
                    dues.append(offer.shown_ms + SEEN_MS)
            if offer.awaits_edit_until_ms is not None:
                if now_ms >= offer.awaits_edit_until_ms:
                    self._finish(offer, _End.ACCEPTED)
                else:
                    dues.append(offer.awaits_edit_until_ms)
        for accepted, measure in self._accepted.take_due(now_ms):
            self._tell_measure(accepted, measure, accepted.accepted_unix_ms + measure.after_s * 1000.0)
        due_ms = self._accepted.due_ms
        self._due_ms = min(dues if due_ms is None else [*dues, due_ms], default=float("inf"))

    def _plan(self, due_ms: float) -> None:
        self._due_ms = min(self._due_ms, due_ms)

    # Inner steps.

    def _show(self, request_id: RequestId, answer: _Answer, *, is_exact: bool) -> None:
        offer = answer.offer
        root = offer.suggestion.root
        if answer.is_continuation and EventKind.SHOWN not in answer.told:
            answer.told.add(EventKind.SHOWN)
            self._tell(request_id, EventKind.SHOWN, exact=is_exact, continues=root)
        if offer.shown_ms is not None and (offer.is_shown_exact or not is_exact):
            return
        if offer.shown_ms is None:
            offer.shown_ms, offer.shown_unix_ms = self._clock.monotonic_ms(), self._clock.unix_ms()
            self._plan(offer.shown_ms + SEEN_MS)
        offer.is_shown_exact = offer.is_shown_exact or is_exact
        self._tell(root, EventKind.SHOWN, exact=is_exact)

    def _judge(self, offer: _Offer, edit: TextEdit) -> None:
        suggestion = offer.suggestion
        is_told = offer.awaits_edit_until_ms is not None
        match suggestion.judge(edit, is_accepting=is_told or offer.expects_part):
            case Step.NOTHING | Step.TYPED:
                pass
            case Step.TYPED_ALL:
                self._end(offer, _End.TYPED_THROUGH, is_exact=False)
            case Step.TOOK_PART:
                self._follow(offer)
                if suggestion.piece is not None and not is_told:
                    n_chars = suggestion.piece.n_inserted_chars
                    self._tell(suggestion.root, EventKind.PARTLY_ACCEPTED, exact=offer.expects_part, n_chars=n_chars)
                offer.expects_part = False
            case Step.TOOK_ALL:
                self._follow(offer)
                self._finish(offer, _End.ACCEPTED)
                if not is_told:
                    self._tell_accepted(offer, is_exact=offer.expects_part)
            case Step.LEFT if is_told:
                self._take_other_shape(offer, edit)
            case Step.LEFT:
                if edit.new and suggestion.touches(edit):
                    offer.other_shape = edit
                self._end(offer, _End.DISMISSED, is_exact=False)

    def _take_other_shape(self, offer: _Offer, edit: TextEdit) -> None:
        """The client has told of an acceptance and the edit is not as suggested: it is the one at that place."""
        suggestion = offer.suggestion
        if edit.new and suggestion.touches(edit):
            suggestion.insert_otherwise(edit)
            self._follow(offer)
            self._finish(offer, _End.ACCEPTED)
        else:
            suggestion.move(edit)

    def _settle_last_edit(self, offer: _Offer) -> None:
        """The last edit was an acceptance, whatever it seemed to be."""
        suggestion = offer.suggestion
        if offer.other_shape is not None:
            suggestion.insert_otherwise(offer.other_shape)
            offer.other_shape = None
            offer.end = _End.ACCEPTED
        else:
            suggestion.count_last_as_taken()
            if offer.end is _End.TYPED_THROUGH:
                offer.end = _End.ACCEPTED
        self._follow(offer)

    def _follow(self, offer: _Offer) -> None:
        piece: Piece | None = offer.suggestion.piece
        if piece is None:
            return
        if offer.accepted is None:
            offer.accepted = Accepted(offer.suggestion.root, piece, self._clock.monotonic_ms(), self._clock.unix_ms())
            self._accepted.add(offer.suggestion.uri, offer.accepted)
            self._plan(offer.accepted.accepted_ms + HORIZONS_S[0] * 1000.0)
        elif offer.accepted.piece != piece:
            offer.accepted.grow(piece)
        if self._code_sink:
            self._code_sink.record_code(offer.suggestion.root, "accepted", piece.text)

    def _finish(self, offer: _Offer, end: _End) -> None:
        offer.end = end
        text = self._texts.get(offer.suggestion.uri)
        if text is not None and text.live is offer:
            text.live, text.ended = None, offer

    def _end(self, offer: _Offer, end: _End, *, is_exact: bool) -> None:
        """Off the screen. Nobody knows of suggestions that were never shown, so nothing is told of them."""
        self._finish(offer, end)
        if offer.shown_ms is not None and not offer.is_accept_exact:
            visible_ms = self._clock.monotonic_ms() - offer.shown_ms
            kind = EventKind(end.value)
            self._tell(offer.suggestion.root, kind, exact=is_exact, visible_ms=round(visible_ms, 1))

    # Telling.

    def _tell_accepted(self, offer: _Offer, *, is_exact: bool) -> None:
        piece = offer.suggestion.piece
        n_chars = piece.n_inserted_chars if piece else 0
        self._tell(offer.suggestion.root, EventKind.ACCEPTED, exact=is_exact, n_chars=n_chars)

    def _tell_measure(self, accepted: Accepted, measure: Measure, at_ms: float) -> None:
        self._tell(
            accepted.root,
            EventKind.PERSISTED,
            at_ms,
            after_s=measure.after_s,
            kept=measure.kept,
            n_kept_chars=measure.n_kept_chars,
            unmodified=measure.is_unmodified,
            carried=measure.is_carried,
        )
        if self._code_sink and measure.after_s == HORIZONS_S[-1]:
            self._code_sink.record_code(accepted.root, "kept", accepted.range.text)

    def _tell(
        self, request_id: RequestId, kind: EventKind, at_ms: float | None = None, **fields: str | int | float | bool
    ) -> None:
        self._sink.record(Event(request_id, kind, self._clock.unix_ms() if at_ms is None else at_ms, fields))


def _int(value: str | int | float | bool | None) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _n_chars(text: str, n_units: int) -> int:
    """How many characters the first `n_units` UTF-16 code units of `text` are."""
    raw = text.encode("utf-16-le", "surrogatepass")[: 2 * n_units]
    return len(raw.decode("utf-16-le", "ignore"))
