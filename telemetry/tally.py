"""Counts of a group of completions, and the rates made of them. Definitions and sources: docs/telemetry.md."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

from fimble.telemetry.intervals import Estimate, mean, share
from fimble.telemetry.persistence import HORIZONS_S


@dataclass(frozen=True, slots=True)
class _Sums:
    def __add__(self, other: Self) -> Self:
        """Both together, field by field."""
        names = [item.name for item in dataclasses.fields(self)]
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True)
class KeptTally(_Sums):
    """What was left of accepted texts after some time. `kept` values are summed, and their squares."""

    n: int = 0
    kept: float = 0.0
    kept_squared: float = 0.0
    n_unmodified: int = 0
    n_carried: int = 0
    n_kept_chars: int = 0

    @property
    def cpr(self) -> Estimate | None:
        """Completion persistence rate: the mean of what was kept."""
        return mean(self.kept, self.kept_squared, self.n)

    @property
    def unmodified(self) -> Estimate | None:
        """Share of accepted texts that nobody touched."""
        return share(self.n_unmodified, self.n)


@dataclass(frozen=True, slots=True)
class Tally(_Sums):
    """Requests, suggestions and acceptances of one group. A suggestion may answer several requests; it counts once."""

    n_requested: int = 0
    n_answered: int = 0
    n_answered_by_model: int = 0
    n_rejected: int = 0
    n_on_screen: int = 0
    n_shown: int = 0
    n_shown_exact: int = 0
    n_accepted: int = 0
    n_accepted_of_shown_exact: int = 0
    n_accept_told: int = 0  # accepted, and the client said so itself
    n_whole: int = 0
    n_part: int = 0
    n_typed: int = 0
    n_undone: int = 0
    n_accepted_chars: int = 0
    n_prompt_tokens: int = 0
    n_reused_tokens: int = 0

    @property
    def car(self) -> Estimate | None:
        """Completion acceptance rate: accepted / shown."""
        return share(self.n_accepted, self.n_shown)

    @property
    def car_exact(self) -> Estimate | None:
        """The same over suggestions that the client itself reported as shown."""
        return share(self.n_accepted_of_shown_exact, self.n_shown_exact)

    @property
    def car_inferred(self) -> Estimate | None:
        """The same over suggestions taken for shown because they were answered."""
        return share(self.n_accepted - self.n_accepted_of_shown_exact, self.n_shown - self.n_shown_exact)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from request to answer, of answers that the model wrote."""

    p50_ms: float
    p90_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Group:
    """All about the completions that have `label` in common."""

    label: str
    tally: Tally
    kept: tuple[KeptTally, ...]  # by HORIZONS_S
    latency: Latency | None

    @property
    def n_kept_chars(self) -> int:
        """Accepted characters still there at the last horizon."""
        return self.kept[-1].n_kept_chars

    @property
    def kept_chars_per_shown(self) -> float | None:
        """What a shown suggestion was worth in the end."""
        return self.n_kept_chars / self.tally.n_shown if self.tally.n_shown else None


NOTHING_KEPT = tuple(KeptTally() for _ in HORIZONS_S)
