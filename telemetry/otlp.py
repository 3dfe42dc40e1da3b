"""Totals as OpenTelemetry metrics, in OTLP's JSON form, and the only connection that counting ever makes: when asked.

Format: opentelemetry.io/docs/specs/otlp (1.x), ExportMetricsServiceRequest: 64-bit integers are strings in JSON.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final

from fimble.core.errors import FimbleError
from fimble.telemetry.persistence import HORIZONS_S
from fimble.telemetry.report import UNKNOWN, By, Choice, groups_of
from fimble.telemetry.tally import Group

_CUMULATIVE: Final = 2
_Attributes = dict[str, str]
_Data = dict[str, Any]


def metrics_message(db: sqlite3.Connection | None, since_ms: float, until_ms: float, version: str) -> _Data:
    """Sums and gauges by model and language. No names of files, no code, no session ids.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    groups = [] if db is None else list(_groups(db, since_ms, until_ms))
    start, end = _nanoseconds(since_ms), _nanoseconds(until_ms)
    metrics: list[_Data] = []
    for name, unit, doc, choose in _SUMS:
        points = [_point(start, end, attributes, asInt=str(choose(group))) for attributes, group in groups]
        total = {"aggregationTemporality": _CUMULATIVE, "isMonotonic": False, "dataPoints": points}
        metrics.append({"name": name, "unit": unit, "description": doc, "sum": total})
    for name, unit, doc, values in (
        ("fimble.persistence.ratio", "1", "Mean of what is left of accepted texts, by seconds since.", _kept_values),
        ("fimble.latency", "ms", "Time from request to answer, of answers that the model wrote.", _latency_values),
    ):
        points = [
            _point(start, end, {**attributes, **more}, asDouble=value)
            for attributes, group in groups
            for more, value in values(group)
        ]
        metrics.append({"name": name, "unit": unit, "description": doc, "gauge": {"dataPoints": points}})
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": _attributes({"service.name": "fimble", "service.version": version})},
                "scopeMetrics": [{"scope": {"name": "fimble.telemetry", "version": version}, "metrics": metrics}],
            }
        ]
    }


def send(message: _Data, endpoint: str, timeout_s: float) -> str:
    """Post the message to a collector (`http://host:4318`); where exactly.

    Raises:
        FimbleError: it did not take it.
    """
    import httpx

    url = f"{endpoint.rstrip('/')}/v1/metrics"
    try:
        httpx.post(url, json=message, timeout=timeout_s).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FimbleError(f"{url} did not take the totals: {error}", mend="Check telemetry.otlp_endpoint.") from error
    return url


def _groups(db: sqlite3.Connection, since_ms: float, until_ms: float) -> Iterator[tuple[_Attributes, Group]]:
    for name_id, model in db.execute(
        "SELECT DISTINCT model, text FROM completions LEFT JOIN names ON names.id = model"
    ):
        choice = Choice(since_ms, until_ms, "model IS NULL" if name_id is None else f"model = {int(name_id)}")
        for group in groups_of(db, choice, By.LANGUAGE)[1]:
            yield {"fimble.model": model or UNKNOWN, "fimble.language": group.label}, group


# A purge makes totals smaller, so they are not monotonic.
_SUMS: Final[tuple[tuple[str, str, str, Callable[[Group], int]], ...]] = (
    ("fimble.requests", "{request}", "Completions asked for.", lambda group: group.tally.n_requested),
    ("fimble.answers", "{answer}", "Requests answered with a completion.", lambda group: group.tally.n_answered),
    ("fimble.shown", "{suggestion}", "Suggestions seen for 750 ms, or accepted.", lambda group: group.tally.n_shown),
    ("fimble.accepted", "{suggestion}", "Suggestions accepted.", lambda group: group.tally.n_accepted),
    ("fimble.accepted.characters", "{character}", "Characters inserted.", lambda group: group.tally.n_accepted_chars),
    ("fimble.kept.characters", "{character}", "Of those, left after 10 minutes.", lambda group: group.n_kept_chars),
)


def _kept_values(group: Group) -> Iterator[tuple[_Attributes, float]]:
    for after_s, kept in zip(HORIZONS_S, group.kept, strict=True):
        if kept.cpr is not None:
            yield {"fimble.after_s": str(after_s)}, kept.cpr.value


def _latency_values(group: Group) -> Iterator[tuple[_Attributes, float]]:
    if group.latency is not None:
        yield {"fimble.quantile": "0.5"}, group.latency.p50_ms
        yield {"fimble.quantile": "0.9"}, group.latency.p90_ms
        yield {"fimble.quantile": "0.95"}, group.latency.p95_ms


def _point(start: str, end: str, attributes: _Attributes, **value: str | float) -> _Data:
    return {"startTimeUnixNano": start, "timeUnixNano": end, "attributes": _attributes(attributes), **value}


def _attributes(attributes: _Attributes) -> list[_Data]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]


def _nanoseconds(at_ms: float) -> str:
    return str(int(at_ms) * 1_000_000)
