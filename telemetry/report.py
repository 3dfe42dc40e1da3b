"""Reads the store and sums it up: acceptance, persistence and latency by language, model, node kind, arm or day."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from fimble.telemetry.intervals import percentile
from fimble.telemetry.persistence import HORIZONS_S
from fimble.telemetry.tally import NOTHING_KEPT, Group, KeptTally, Latency, Tally

UNKNOWN: Final = "(unknown)"
_QUARTER_HOUR_MS: Final = 900_000

_SHOWN: Final = "NOT is_continuation AND (seen_ms IS NOT NULL OR accepted_ms IS NOT NULL)"
_ACCEPTED: Final = "accepted_ms IS NOT NULL AND undone_ms IS NULL"
# By Tally's field names. Two queries, since sums over the few that were on a screen are the costly ones.
_REQUEST_SUMS: Final = {
    "n_requested": "count(*)",
    "n_answered": "count(source)",
    "n_answered_by_model": "sum(source = :model_source)",
    "n_rejected": "count(reason)",
    "n_prompt_tokens": "sum(n_prompt_tokens)",
    "n_reused_tokens": "sum(n_reused_tokens)",
}
_SUGGESTION_SUMS: Final = {
    "n_on_screen": "sum(NOT is_continuation AND shown_ms IS NOT NULL)",
    "n_shown": f"sum({_SHOWN})",
    "n_shown_exact": f"sum({_SHOWN} AND is_shown_exact IS 1)",
    "n_accepted": f"sum({_ACCEPTED})",
    "n_accepted_of_shown_exact": f"sum({_ACCEPTED} AND is_shown_exact IS 1)",
    "n_accept_told": f"sum({_ACCEPTED} AND is_accepted_exact IS 1)",
    "n_whole": f"sum({_ACCEPTED} AND accepted_how IS 'whole')",
    "n_part": f"sum({_ACCEPTED} AND accepted_how IS 'part')",
    "n_typed": f"sum({_ACCEPTED} AND accepted_how IS 'typed')",
    "n_undone": "count(undone_ms)",
    "n_accepted_chars": f"sum(CASE WHEN {_ACCEPTED} THEN n_accepted_chars ELSE 0 END)",
}


class By(StrEnum):
    """What completions are grouped by."""

    LANGUAGE = "language"
    MODEL = "model"
    NODE = "node"
    ARM = "arm"
    CLIENT = "client"
    DAY = "day"


_KEYS: Final[Mapping[By | None, str]] = {
    None: "0",
    By.LANGUAGE: "language",
    By.MODEL: "model",
    By.NODE: "node_kind",
    By.ARM: "arm",
    By.CLIENT: "client",
    # The local day is worked out for a quarter of an hour at a time: time zones differ by no less.
    By.DAY: f"requested_ms / {_QUARTER_HOUR_MS}",
}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of a stretch of time, in Unix milliseconds."""

    since_ms: float
    until_ms: float
    by: By | None
    total: Group
    groups: tuple[Group, ...]
    reasons: Mapping[str, int]
    sources: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which completions count: a stretch of time, and further SQL over the columns of `completions`."""

    since_ms: float
    until_ms: float
    condition: str = "TRUE"

    @property
    def where(self) -> str:
        """For a WHERE over `completions`. Rows lie by and large in the order of time, so reading on from one is quick.

        The unary plus keeps SQLite from looking up each row by the index of times.
        """
        in_time = "+requested_ms >= :since_ms AND +requested_ms < :until_ms"
        return f"completions.id >= :first_id AND {in_time} AND {self.condition}"


def report(db: sqlite3.Connection | None, since_ms: float, until_ms: float, by: By | None = None) -> Report:
    """Sum up what was requested in `[since_ms, until_ms)`; `db` None is an empty store.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    if db is None:
        return Report(since_ms, until_ms, by, Group("all", Tally(), NOTHING_KEPT, None), (), {}, {})
    choice = Choice(since_ms, until_ms)
    total, groups = groups_of(db, choice, by)
    return Report(
        since_ms,
        until_ms,
        by,
        total,
        () if by is None else groups,
        _named_counts(db, choice, "reason"),
        _named_counts(db, choice, "source"),
    )


def groups_of(db: sqlite3.Connection, choice: Choice, by: By | None) -> tuple[Group, tuple[Group, ...]]:
    """All together, and the groups that have any completion: days in order, others with the most shown first.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    to_label = _labels(db, by)
    parameters = _parameters(db, choice)
    parts: defaultdict[str, _Parts] = defaultdict(_Parts)
    for key, tally in _tallies(db, choice, by, parameters):
        parts[to_label(key)].tally += tally
    for key, horizon, kept in _kept(db, choice, by, parameters):
        parts[to_label(key)].kept[horizon] += kept
    for key, times_ms in _times(db, choice, by, parameters).items():
        parts[to_label(key)].times_ms.extend(times_ms)
    total = _Parts()
    for part in parts.values():
        total.tally += part.tally
        total.kept = [mine + more for mine, more in zip(total.kept, part.kept, strict=True)]
        total.times_ms.extend(part.times_ms)
    groups = [part.group(label) for label, part in parts.items()]
    if by is By.DAY:
        groups.sort(key=lambda group: group.label)
    else:
        groups.sort(key=lambda group: (-group.tally.n_shown, -group.tally.n_requested, group.label))
    return total.group("all"), tuple(groups)


def request_query(choice: Choice, by: By | None) -> str:
    """The query over all requests; its plan is tested."""
    sums = ", ".join(_REQUEST_SUMS.values())
    return f"SELECT {_KEYS[by]} AS key, {sums} FROM completions WHERE {choice.where} GROUP BY 1"


def suggestion_query(choice: Choice, by: By | None) -> str:
    """The query over what came on a screen; its plan is tested."""
    return f"""
        SELECT {_KEYS[by]} AS key, {", ".join(_SUGGESTION_SUMS.values())} FROM completions
        WHERE {choice.where} AND (shown_ms IS NOT NULL OR accepted_ms IS NOT NULL) GROUP BY 1
    """


def first_id_query() -> str:
    """The query for the first row of a stretch of time; its plan is tested."""
    return "SELECT min(id) FROM completions INDEXED BY completions_by_time WHERE requested_ms >= ?"


def kept_query(choice: Choice, by: By | None) -> str:
    """The query over what was kept; its plan is tested."""
    return f"""
        SELECT {_KEYS[by]} AS key, after_s, count(*), sum(kept), sum(kept * kept), sum(is_unmodified), sum(is_carried),
            sum(n_kept_chars)
        FROM completions CROSS JOIN persistence ON completion_id = completions.id
        WHERE {choice.where} AND {_ACCEPTED} GROUP BY 1, 2
    """


@dataclass(slots=True)
class _Parts:
    tally: Tally = field(default_factory=Tally)
    kept: list[KeptTally] = field(default_factory=lambda: list(NOTHING_KEPT))
    times_ms: list[float] = field(default_factory=list)

    def group(self, label: str) -> Group:
        self.times_ms.sort()
        p50, p90, p95 = (percentile(self.times_ms, q) for q in (0.5, 0.9, 0.95))
        latency = None if p50 is None or p90 is None or p95 is None else Latency(p50, p90, p95)
        return Group(label, self.tally, tuple(self.kept), latency)


_Parameters = dict[str, float | int | None]


def _tallies(
    db: sqlite3.Connection, choice: Choice, by: By | None, parameters: _Parameters
) -> Iterator[tuple[int | None, Tally]]:
    for query, names in ((request_query, _REQUEST_SUMS), (suggestion_query, _SUGGESTION_SUMS)):
        for key, *sums in db.execute(query(choice, by), parameters):
            yield key, Tally(**{name: value or 0 for name, value in zip(names, sums, strict=True)})


def _kept(
    db: sqlite3.Connection, choice: Choice, by: By | None, parameters: _Parameters
) -> Iterator[tuple[int | None, int, KeptTally]]:
    for key, after_s, *sums in db.execute(kept_query(choice, by), parameters):
        if after_s in HORIZONS_S:
            yield key, HORIZONS_S.index(after_s), KeptTally(*sums)


def _times(
    db: sqlite3.Connection, choice: Choice, by: By | None, parameters: _Parameters
) -> dict[int | None, list[float]]:
    times: defaultdict[int | None, list[float]] = defaultdict(list)
    query = f"SELECT {_KEYS[by]}, total_ms FROM completions WHERE {choice.where} AND source = :model_source"
    for key, total_ms in db.execute(query, parameters):
        if total_ms is not None:
            times[key].append(total_ms)
    return times


def _named_counts(db: sqlite3.Connection, choice: Choice, column: str) -> dict[str, int]:
    query = f"SELECT {column}, count(*) FROM completions WHERE {choice.where} AND {column} IS NOT NULL GROUP BY 1"
    names = _names(db)
    counts = Counter({names.get(key, UNKNOWN): n for key, n in db.execute(query, _parameters(db, choice))})
    return dict(counts.most_common())


def _parameters(db: sqlite3.Connection, choice: Choice) -> _Parameters:
    row = db.execute("SELECT id FROM names WHERE text = 'model'").fetchone()
    first_id = db.execute(first_id_query(), (choice.since_ms,)).fetchone()[0] if choice.since_ms > 0 else 0
    return {
        "since_ms": choice.since_ms,
        "until_ms": choice.until_ms,
        "first_id": first_id,
        "model_source": row[0] if row else None,
    }


def _labels(db: sqlite3.Connection, by: By | None) -> Callable[[int | None], str]:
    if by is None:
        return lambda _: "all"
    if by is By.DAY:
        return lambda key: local_day((key or 0) * _QUARTER_HOUR_MS)
    names = _names(db)
    return lambda key: UNKNOWN if key is None else names.get(key, UNKNOWN)


def local_day(at_ms: float) -> str:
    """The day there was on this machine's calendar, as 2026-11-21."""
    return datetime.fromtimestamp(at_ms / 1000.0).strftime("%Y-%m-%d")


def _names(db: sqlite3.Connection) -> dict[int, str]:
    return dict(db.execute("SELECT id, text FROM names").fetchall())
