"""What became of the items that were sent: tells the event sink of shown, accepted, partly accepted and dismissed ones.

Knows lengths and names, never keeps or records the user's code.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fimble.core.flow import Event, EventKind, RejectReason, RequestId
from fimble.core.ports import Clock, EventSink

# A client can show only the last few; older ids are forgotten.
_MAX_OFFERS: Final = 256


@dataclass(frozen=True, slots=True)
class ItemId:
    """Names one item: the request it answers, and which of its candidates, from 0."""

    request_id: RequestId
    candidate: int = 0


@dataclass(slots=True)
class _Offer:
    language_id: str
    n_units: int  # UTF-16 code units, what LSP counts in
    n_lines: int
    n_units_taken: int = 0
    seen: set[EventKind] = field(default_factory=set)


class Journal:
    """The last items sent, and what the client said of them. Each step of an item is told once."""

    def __init__(self, sink: EventSink, clock: Clock) -> None:
        """Nothing was sent yet."""
        self._sink = sink
        self._clock = clock
        self._offers: OrderedDict[ItemId, _Offer] = OrderedDict()

    def offer(self, request_id: RequestId, language_id: str, texts: Sequence[str]) -> None:
        """Items go to the client."""
        for i, text in enumerate(texts):
            n_units = len(text.encode("utf-16-le", "surrogatepass")) // 2
            self._offers[ItemId(request_id, i)] = _Offer(language_id, n_units, text.count("\n") + 1)
        while len(self._offers) > _MAX_OFFERS:
            self._offers.popitem(last=False)

    def refuse(self, request_id: RequestId, language_id: str, reason: RejectReason) -> None:
        """A request got no items for a reason that the engine does not know of."""
        fields = {"language": language_id, "reason": str(reason)}
        self._sink.record(Event(request_id, EventKind.REJECTED, self._clock.unix_ms(), fields))

    def shown(self, item: ItemId) -> bool:
        """The item is on the screen. False, here and below, where no such item was sent."""
        return self._tell(item, EventKind.SHOWN)

    def accepted(self, item: ItemId) -> bool:
        """The item was taken whole."""
        return self._tell(item, EventKind.ACCEPTED)

    def dismissed(self, item: ItemId) -> bool:
        """The user turned the item away."""
        return self._tell(item, EventKind.DISMISSED)

    def partly_accepted(self, item: ItemId, n_units: int) -> bool:
        """The first `n_units` UTF-16 code units are in the text now; told again as it grows."""
        offer = self._offers.get(item)
        if offer is None:
            return False
        n_units = min(n_units, offer.n_units)
        if n_units > offer.n_units_taken:
            offer.n_units_taken = n_units
            self._record(item, offer, EventKind.PARTLY_ACCEPTED)
        return True

    def _tell(self, item: ItemId, kind: EventKind) -> bool:
        offer = self._offers.get(item)
        if offer is None:
            return False
        if kind not in offer.seen:
            offer.seen.add(kind)
            self._record(item, offer, kind)
        return True

    def _record(self, item: ItemId, offer: _Offer, kind: EventKind) -> None:
        n_accepted = offer.n_units if kind is EventKind.ACCEPTED else offer.n_units_taken
        self._sink.record(
            Event(
                item.request_id,
                kind,
                self._clock.unix_ms(),
                {
                    "candidate": item.candidate,
                    "language": offer.language_id,
                    "n_utf16_units": offer.n_units,
                    "n_utf16_units_accepted": n_accepted,
                    "n_lines": offer.n_lines,
                    "exact": True,  # the client said so; nothing was inferred
                },
            )
        )
