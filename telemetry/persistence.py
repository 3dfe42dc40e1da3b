"""Follows accepted texts through later edits and measures what is left of them: persistence, and undoing.

Definitions and their sources: docs/telemetry.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import LCSseq, Levenshtein

from fimble.core.flow import RequestId
from fimble.telemetry.alignment import TextEdit, plain_line_ends
from fimble.telemetry.suggestion import Piece
from fimble.telemetry.tracked_range import TrackedRange

# Sourcegraph Cody, persistence tracker: half a minute, two, five and ten minutes.
HORIZONS_S: Final = (30, 120, 300, 600)
UNDO_MS: Final = 5_000.0


@dataclass(frozen=True, slots=True)
class Measure:
    """What is left of an accepted text. `kept` 1 is all, 0 nothing; `is_carried`: the document was closed before."""

    after_s: int
    kept: float
    n_kept_chars: int
    is_unmodified: bool
    is_carried: bool


class Accepted:
    """One accepted text, where it lies, and which measures are still due. Times are monotonic milliseconds."""

    __slots__ = ("_n_done", "accepted_ms", "accepted_unix_ms", "is_parked", "piece", "range", "root")

    def __init__(self, root: RequestId, piece: Piece, accepted_ms: float, accepted_unix_ms: float) -> None:
        """Begin where the text was put."""
        self.root = root
        self.accepted_ms = accepted_ms
        self.accepted_unix_ms = accepted_unix_ms
        self.is_parked = False  # its document is closed: the text is known as it was then
        self._n_done = 0
        self.piece = piece
        self.range = TrackedRange(piece.start, piece.text)

    def grow(self, piece: Piece) -> None:
        """More of the same suggestion was accepted."""
        self.piece = piece
        self.range = TrackedRange(piece.start, piece.text)

    @property
    def due_ms(self) -> float | None:
        """When the next measure is due; None when all are taken."""
        if self._n_done == len(HORIZONS_S):
            return None
        return self.accepted_ms + HORIZONS_S[self._n_done] * 1000.0

    def is_gone(self) -> bool:
        """Whether the document is, at this place, as it was before the acceptance."""
        return self.range.text in ("", self.piece.replaced)

    def next_measure(self, *, is_carried: bool) -> Measure:
        """Take the measure that is due next."""
        after_s = HORIZONS_S[self._n_done]
        self._n_done += 1
        accepted, now = plain_line_ends(self.piece.text), plain_line_ends(self.range.text)
        return Measure(
            after_s=after_s,
            kept=persistence(accepted, now),
            n_kept_chars=min(int(LCSseq.similarity(accepted, now)), self.piece.n_inserted_chars),
            is_unmodified=accepted == now,
            is_carried=is_carried,
        )


def persistence(accepted: str, now: str) -> float:
    """1 - Levenshtein distance / length of the longer text; 0 where nothing is left."""
    if not now:
        return 0.0
    return 1.0 - Levenshtein.distance(accepted, now) / max(len(accepted), len(now))


class AcceptedTexts:
    """All accepted texts that are still followed, by document."""

    def __init__(self) -> None:
        """None yet."""
        self._by_uri: dict[str, list[Accepted]] = {}

    def add(self, uri: str, accepted: Accepted) -> None:
        """Follow a text, from after the edit that brought it."""
        self._by_uri.setdefault(uri, []).append(accepted)

    def drop(self, uri: str, accepted: Accepted) -> None:
        """Follow it no more."""
        texts = self._by_uri.get(uri, [])
        if accepted in texts:
            texts.remove(accepted)
        if not texts:
            self._by_uri.pop(uri, None)

    def edit(self, uri: str, edit: TextEdit) -> tuple[Accepted, ...]:
        """Follow a trimmed edit; those it may have changed."""
        found = tuple(accepted for accepted in self._by_uri.get(uri, ()) if not accepted.is_parked)
        for accepted in found:
            accepted.range.apply(edit)
        return found

    def park(self, uri: str) -> None:
        """The document is closed: what is there now is carried to the measures still due."""
        for accepted in self._by_uri.get(uri, ()):
            accepted.is_parked = True

    def resume(self, uri: str, text: str) -> None:
        """The document is open again; texts that still lie where they lay are followed on."""
        parked = [accepted for accepted in self._by_uri.get(uri, ()) if accepted.is_parked]
        if not parked:
            return
        raw = text.encode("utf-8", "surrogatepass")
        for accepted in parked:
            there = raw[accepted.range.start : accepted.range.end]
            accepted.is_parked = there != accepted.range.text.encode("utf-8", "surrogatepass")

    def rename(self, old_uri: str, new_uri: str) -> None:
        """A document or folder has another name. Closing and opening it was part of that."""
        for uri in tuple(self._by_uri):
            if uri == old_uri or uri.startswith(old_uri.rstrip("/") + "/"):
                moved = self._by_uri.pop(uri)
                for accepted in moved:
                    accepted.is_parked = False
                self._by_uri.setdefault(new_uri + uri[len(old_uri) :], []).extend(moved)

    @property
    def due_ms(self) -> float | None:
        """When the next measure of any is due."""
        return min((due for _, accepted in self if (due := accepted.due_ms) is not None), default=None)

    def take_due(self, now_ms: float) -> Iterator[tuple[Accepted, Measure]]:
        """Every measure due by now. Those with none left are dropped."""
        for uri, accepted in tuple(self):
            while (due_ms := accepted.due_ms) is not None and due_ms <= now_ms:
                yield accepted, accepted.next_measure(is_carried=accepted.is_parked)
            if accepted.due_ms is None:
                self.drop(uri, accepted)

    def take_all(self) -> Iterator[tuple[Accepted, Measure]]:
        """Every measure not yet taken, with what is there now carried to it. None is followed any more."""
        for _, accepted in tuple(self):
            while accepted.due_ms is not None:
                yield accepted, accepted.next_measure(is_carried=True)
        self._by_uri.clear()

    def __iter__(self) -> Iterator[tuple[str, Accepted]]:
        """Each followed text with its document."""
        for uri, texts in self._by_uri.items():
            for accepted in texts:
                yield uri, accepted
