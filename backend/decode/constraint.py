"""Keeps what is written a viable prefix of its language: judges pieces as they are chosen, within a budget of time.

A piece that comes when the budget is used up is taken unjudged, and judged together with the next one that there is
time for. So a wrong piece may be found out late, by a line mostly; then everything from it on is to be taken back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fimble.backend.decode.user_grammar import GrammarViability, viability_by
from fimble.core.flow import Constraint
from fimble.syntax.left import LeftMemory
from fimble.syntax.parse import TreeCache
from fimble.syntax.viable import Viability, viability_for

# A user's grammar may meet more bytes than characters: the first parse of larger files would use up the budget.
_MAX_TEXT_BYTES = 400_000
# Where much is allowed, trying the likeliest is quicker than looking up what is.
_MAX_NEXT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Refusal:
    """`n_back` accepted pieces are to be taken back, and what then comes next must not be `piece`."""

    n_back: int
    piece: bytes


class LeftConstraint:
    """Judges the pieces of one completion. Without a constraint, or with a share of 0, everything may come next."""

    def __init__(
        self,
        constraint: Constraint | None,
        trees: TreeCache,
        memory: LeftMemory | None = None,
        *,
        clock_ms: Callable[[], float] | None = None,
    ) -> None:
        """Nothing is parsed yet. `trees` and `memory` are of earlier requests.

        `clock_ms` is this process's time, for tests to hold still.
        """
        self._constraint = constraint if constraint and constraint.left_share > 0 else None
        self._trees = trees
        self._memory = memory
        self._clock_ms = clock_ms or (lambda: time.perf_counter() * 1000.0)
        self._started_ms = self._clock_ms()
        self._viability: Viability | GrammarViability | None = None
        self._is_open = self._constraint is not None
        self._pieces: list[bytes] = []
        self._n_judged = 0
        self.n_checked = 0
        self.n_rejected = 0
        self.spent_ms = 0.0

    def start(self) -> None:
        """The request begins to run: its time counts from here, and the text before the cursor is read."""
        self._started_ms = self._clock_ms()
        constraint = self._constraint
        if constraint is None:
            return
        if len(constraint.prefix) + len(constraint.suffix) > _MAX_TEXT_BYTES:
            self._is_open = False
            return
        by_user = viability_by(constraint.user_grammar, constraint.prefix) if constraint.user_grammar else None
        if by_user is not None:
            self._viability = by_user
        else:
            language_id, prefix, suffix = constraint.language_id, constraint.prefix, constraint.suffix
            viability = viability_for(language_id, prefix, suffix, trees=self._trees, memory=self._memory)
            self._viability = viability
            self._is_open = viability is not None and viability.left_constraint.is_on
        self._spend(self._started_ms)

    @property
    def is_on(self) -> bool:
        """Whether pieces are judged at all."""
        return self._is_open

    def push(self, piece: bytes) -> Refusal | None:
        """Take the next piece, or say why it is not taken."""
        viability = self._viability
        if viability is None or not self._is_open:
            return None
        if not self._has_time:
            viability.skip(piece)
            self._pieces.append(piece)
            return None
        began_ms = self._clock_ms()
        self.n_checked += 1
        refusal = None
        if viability.viable(piece):
            viability.accept(piece)
            self._pieces.append(piece)
            self._n_judged = len(self._pieces)
        else:
            self.n_rejected += 1
            refusal = self._find_first_refused(viability, piece)
        self._spend(began_ms)
        return refusal

    def next_bytes(self) -> tuple[int, ...] | None:
        """The bytes that a grammar of the user's own wants next; None where any may come, or nobody can say."""
        viability = self._viability
        if not isinstance(viability, GrammarViability) or not self._is_open or not self._has_time:
            return None
        began_ms = self._clock_ms()
        wanted = viability.next_bytes()
        self._spend(began_ms)
        return wanted if 0 < len(wanted) <= _MAX_NEXT_BYTES else None

    def take_back(self, n_pieces: int) -> None:
        """Forget the last pieces."""
        if self._viability is not None and self._is_open:
            for _ in range(n_pieces):
                self._viability.pop()
                self._pieces.pop()
            self._n_judged = min(self._n_judged, len(self._pieces))

    @property
    def _has_time(self) -> bool:
        constraint = self._constraint
        return constraint is not None and (
            self.spent_ms <= constraint.left_share * (self._clock_ms() - self._started_ms)
        )

    def _find_first_refused(self, viability: Viability | GrammarViability, piece: bytes) -> Refusal:
        """The first piece that is wrong: `piece`, or one of those before it that were not judged."""
        unjudged = self._pieces[self._n_judged :]
        for _ in unjudged:
            viability.pop()
        refused = Refusal(0, piece)
        for i, earlier in enumerate(unjudged):
            if not viability.viable(earlier):
                refused = Refusal(len(unjudged) - i, earlier)
                break
            viability.accept(earlier)
            self._n_judged += 1
        # What is to be taken back is the caller's to say: until then the pieces stand as they did.
        for later in self._pieces[self._n_judged :]:
            viability.skip(later)
        return refused

    def _spend(self, began_ms: float) -> None:
        self.spent_ms += self._clock_ms() - began_ms
