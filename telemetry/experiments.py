"""Comparing two settings on oneself: which arm a session takes, what has come of it, what may be concluded.

Arms are drawn by lot for whole sessions or days, and only finished ones are weighed (see sequential.py).
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from fimble.core.config import Layer, Scalar, resolve
from fimble.core.errors import InputError
from fimble.telemetry.report import Choice, groups_of
from fimble.telemetry.sequential import ALPHA, Evidence, Unit, evidence
from fimble.telemetry.tally import Group
from fimble.telemetry.writer import Participation

_DAY_MS: Final = 86_400_000
ARMS: Final = ("a", "b")
Settings = Mapping[str, Scalar]


class Per(StrEnum):
    """What is assigned to an arm as a whole."""

    SESSION = "session"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Experiment:
    """Two settings under comparison. Times are Unix milliseconds; `stopped_ms` None while it runs."""

    id: int
    name: str
    per: Per
    seed: str
    arms: Mapping[str, Settings]
    started_ms: int
    stopped_ms: int | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a starting server shall do: lay `layer` over all other settings, and record under `participation`."""

    participation: Participation
    arm_label: str
    layer: Layer


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What one arm has come to: finished and running units, counts of the finished and running ones together."""

    arm: str
    settings: Settings
    n_units: int
    n_finished: int
    group: Group


@dataclass(frozen=True, slots=True)
class Result:
    """The state of an experiment. Only finished units are in `evidence`."""

    experiment: Experiment
    arms: tuple[ArmResult, ...]
    evidence: Evidence
    n_finished: int


def start(
    db: sqlite3.Connection, name: str, per: Per, a: Mapping[str, str], b: Mapping[str, str], now_ms: float
) -> Experiment:
    """Begin an experiment; `a` and `b` are options by key, as text. To be called within a transaction.

    Raises:
        InputError: one runs already, the name was used, an option does not exist or has no such value, or the arms are
            alike.
        sqlite3.Error: it could not be written.
    """
    if (current := running(db)) is not None:
        raise InputError(f"The experiment {current.name!r} is running.", mend="End it first: fimble experiment stop.")
    if find(db, name) is not None:
        raise InputError(f"There was an experiment {name!r} already.", mend="Choose another name.")
    arms = {"a": _checked("a", a), "b": _checked("b", b)}
    if arms["a"] == arms["b"]:
        raise InputError(
            "Both arms have the same settings.", mend="Give an option two values: --a KEY=VALUE --b KEY=VALUE."
        )
    db.execute(
        "INSERT INTO experiments (name, per, seed, arms, started_ms) VALUES (?, ?, ?, ?, ?)",
        (name, str(per), secrets.token_hex(16), json.dumps(arms), int(now_ms)),
    )
    started = find(db, name)
    assert started is not None
    return started


def stop(db: sqlite3.Connection, now_ms: float) -> Experiment:
    """End the running experiment. To be called within a transaction.

    Raises:
        InputError: none runs.
        sqlite3.Error: it could not be written.
    """
    current = running(db)
    if current is None:
        raise InputError("No experiment is running.", mend="fimble experiment start NAME --a KEY=VALUE --b KEY=VALUE")
    db.execute("UPDATE experiments SET stopped_ms = ? WHERE id = ?", (int(now_ms), current.id))
    stopped = find(db, current.name)
    assert stopped is not None
    return stopped


def running(db: sqlite3.Connection) -> Experiment | None:
    """The experiment that runs now."""
    return _experiment(db.execute(f"{_SELECT} WHERE stopped_ms IS NULL").fetchone())


def find(db: sqlite3.Connection, name: str) -> Experiment | None:
    """An experiment by name."""
    return _experiment(db.execute(f"{_SELECT} WHERE name = ?", (name,)).fetchone())


def latest(db: sqlite3.Connection) -> Experiment | None:
    """The one that began last."""
    return _experiment(db.execute(f"{_SELECT} ORDER BY started_ms DESC, id DESC LIMIT 1").fetchone())


def assign(experiment: Experiment, session_uid: str, now_ms: float) -> Assignment:
    """The arm of a session that begins now. All sessions of one day agree where arms are drawn by day."""
    if experiment.per is Per.DAY:
        midnight = datetime.fromtimestamp(now_ms / 1000.0).replace(hour=0, minute=0, second=0, microsecond=0)
        unit = midnight.strftime("%Y-%m-%d")
        unit_ends_ms = int((midnight + timedelta(days=1)).timestamp() * 1000)
    else:
        unit, unit_ends_ms = session_uid, int(now_ms) + _DAY_MS
    lot = hashlib.sha256(f"{experiment.seed}\0{unit}".encode()).digest()[0] & 1
    arm = ARMS[lot]
    return Assignment(
        Participation(experiment.id, experiment.seed, arm, unit, unit_ends_ms),
        f"{experiment.name}:{arm}",
        Layer(f"experiment {experiment.name}, arm {arm}", dict(experiment.arms[arm])),
    )


def result(db: sqlite3.Connection, experiment: Experiment, now_ms: float) -> Result:
    """What the experiment has come to by now.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    end_ms = now_ms if experiment.stopped_ms is None else float(experiment.stopped_ms)
    arms: list[ArmResult] = []
    units = _units(db, experiment, end_ms)
    for arm in ARMS:
        choice = Choice(float(experiment.started_ms), end_ms, _in_arm(experiment, arm))
        total, _ = groups_of(db, choice, None)
        mine = [unit for unit in units if unit.arm == arm]
        arms.append(
            ArmResult(
                arm,
                experiment.arms[arm],
                len(mine),
                sum(unit.finished_ms is not None for unit in mine),
                Group(arm, total.tally, total.kept, total.latency),
            )
        )
    finished = sorted((unit for unit in units if unit.finished_ms is not None), key=_finish)
    weighed = evidence([Unit(unit.arm == "b", unit.n_hits, unit.n) for unit in finished])
    return Result(experiment, tuple(arms), weighed, len(finished))


def conclusion(found: Result) -> str:
    """What may be said by now, in a sentence or two."""
    a, b = (arm.group.tally.car for arm in found.arms)
    if a is None or b is None or found.n_finished == 0:
        return (
            f"Nothing can be concluded yet: no {found.experiment.per} is finished in both arms. Go on working; look as "
            "often as you like."
        )
    rates = f"a {100 * a.value:.0f} % of {a.n:,}, b {100 * b.value:.0f} % of {b.n:,} accepted"
    weighed = found.evidence
    if not weighed.is_decided:
        so_far = f"{weighed.highest:.1f} of the {1 / ALPHA:.0f} needed"
        return (
            f"No difference can be concluded yet ({rates}): after {found.n_finished} finished "
            f"{found.experiment.per}s the evidence is {so_far}. That is not a sign that the arms are alike; they may "
            "still differ. Looking again later does not make the result less sure."
        )
    better, other = ("b", "a") if weighed.direction > 0 else ("a", "b")
    return (
        f"The arms differ: {better} is accepted more often than {other} ({rates}). Were there no difference, evidence "
        f"as strong as this ({weighed.highest:,.0f}) would turn up in at most {_percent(weighed.p_bound)} of "
        "experiments, however often one looked. By how much they differ is less sure than that; see the intervals."
    )


@dataclass(slots=True)
class _CountedUnit:
    arm: str
    finished_ms: float | None
    n_hits: int = 0
    n: int = 0


def _units(db: sqlite3.Connection, experiment: Experiment, end_ms: float) -> list[_CountedUnit]:
    """Every session or day with its counts. A unit is finished when nothing can be added to it any more."""
    sessions: defaultdict[tuple[str, str], list[sqlite3.Row]] = defaultdict(list)
    for row in db.execute(
        "SELECT id, arm, unit, ended_ms, unit_ends_ms FROM sessions WHERE experiment_id = ? ORDER BY id",
        (experiment.id,),
    ):
        sessions[row["unit"], row["arm"]].append(row)
    counts = _counts_by_session(db, experiment, end_ms)
    units: list[_CountedUnit] = []
    for (_, arm), rows in sessions.items():
        ends_ms = float(max(row["unit_ends_ms"] for row in rows))
        has_ended = experiment.per is Per.SESSION and all(row["ended_ms"] is not None for row in rows)
        finished_ms = min(ends_ms, max(row["ended_ms"] for row in rows)) if has_ended else ends_ms
        # Of a unit that was running when the experiment was stopped nobody knows what it would have come to.
        unit = _CountedUnit(arm, finished_ms if finished_ms <= end_ms else None)
        for row in rows:
            n_hits, n = counts.get(row["id"], (0, 0))
            unit.n_hits += n_hits
            unit.n += n
        units.append(unit)
    return units


def _counts_by_session(db: sqlite3.Connection, experiment: Experiment, end_ms: float) -> dict[int, tuple[int, int]]:
    rows = db.execute(
        f"""
        SELECT session_id, sum(accepted_ms IS NOT NULL AND undone_ms IS NULL), count(*)
        FROM completions JOIN sessions ON sessions.id = session_id
        WHERE {_in_experiment(experiment)} AND requested_ms >= ? AND requested_ms < ?
            AND NOT is_continuation AND (seen_ms IS NOT NULL OR accepted_ms IS NOT NULL)
        GROUP BY 1
        """,
        (experiment.started_ms, end_ms),
    )
    return {session_id: (n_hits, n) for session_id, n_hits, n in rows}


def _in_experiment(experiment: Experiment) -> str:
    """A server that runs on after its unit's end keeps its arm; what it does then belongs to no unit."""
    return f"sessions.experiment_id = {experiment.id:d} AND requested_ms < unit_ends_ms"


def _in_arm(experiment: Experiment, arm: str) -> str:
    condition = f"sessions.id = session_id AND {_in_experiment(experiment)} AND sessions.arm = '{arm}'"
    return f"EXISTS (SELECT 1 FROM sessions WHERE {condition})"


def _finish(unit: _CountedUnit) -> float:
    return unit.finished_ms or 0.0


_SELECT: Final = "SELECT id, name, per, seed, arms, started_ms, stopped_ms FROM experiments"


def _experiment(row: sqlite3.Row | None) -> Experiment | None:
    if row is None:
        return None
    row_id, name, per, seed, arms, started_ms, stopped_ms = row
    return Experiment(row_id, name, Per(per), seed, json.loads(arms), started_ms, stopped_ms)


def _checked(arm: str, settings: Mapping[str, str]) -> dict[str, Scalar]:
    """The options with their values, as their types."""
    config, problems = resolve([Layer(f"arm {arm}", settings)])
    if problems:
        raise InputError(
            "\n".join(str(problem) for problem in problems), mend="docs/configuration.md lists every option."
        )
    if own := [key for key in settings if key.startswith("telemetry.")]:
        raise InputError(f"{own[0]} cannot be part of an experiment.", mend="Counting must be the same in both arms.")
    return {key: _value(config, key) for key in settings}


def _value(config: object, key: str) -> Scalar:
    section, name = key.split(".", 1)
    return getattr(getattr(config, section), name)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else f"{100 * share:.2g} %"
