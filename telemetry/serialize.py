"""Reports as plain data: for JSON, CSV, the page and exporters. Field names are part of the interface."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fimble.telemetry.intervals import Estimate
from fimble.telemetry.persistence import HORIZONS_S
from fimble.telemetry.report import Report
from fimble.telemetry.tally import Group


def report_data(found: Report) -> dict[str, Any]:
    """The whole report; rates are 0 to 1, times milliseconds, moments ISO 8601 in UTC."""
    return {
        "since": moment_text(found.since_ms),
        "until": moment_text(found.until_ms),
        "by": found.by and str(found.by),
        "total": group_data(found.total),
        "groups": [group_data(group) for group in found.groups],
        "rejections": dict(found.reasons),
        "sources": dict(found.sources),
    }


def group_data(group: Group) -> dict[str, Any]:
    """One group, nested."""
    tally, latency = group.tally, group.latency
    return {
        "label": group.label,
        "requested": tally.n_requested,
        "answered": tally.n_answered,
        "rejected": tally.n_rejected,
        "on_screen": tally.n_on_screen,
        "shown": tally.n_shown,
        "accepted": tally.n_accepted,
        "accepted_whole": tally.n_whole,
        "accepted_in_part": tally.n_part,
        "typed_through": tally.n_typed,
        "undone": tally.n_undone,
        "car": _estimate_data(tally.car),
        "car_exact": _estimate_data(tally.car_exact),
        "car_inferred": _estimate_data(tally.car_inferred),
        "persistence": {
            str(after_s): {
                "cpr": _estimate_data(kept.cpr),
                "unmodified": _estimate_data(kept.unmodified),
                "carried": kept.n_carried,
                "kept_chars": kept.n_kept_chars,
            }
            for after_s, kept in zip(HORIZONS_S, group.kept, strict=True)
        },
        "accepted_chars": tally.n_accepted_chars,
        "kept_chars": group.n_kept_chars,
        "kept_chars_per_shown": group.kept_chars_per_shown,
        "latency_ms": None
        if latency is None
        else {"p50": latency.p50_ms, "p90": latency.p90_ms, "p95": latency.p95_ms},
        "prompt_tokens": tally.n_prompt_tokens,
        "reused_tokens": tally.n_reused_tokens,
    }


def flat_data(group: Group) -> dict[str, str | int | float | None]:
    """One group as a row: nested names are joined by a dot."""
    return dict(_flatten("", group_data(group)))


def moment_text(at_ms: float) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(at_ms / 1000.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _flatten(prefix: str, data: dict[str, Any]) -> list[tuple[str, str | int | float | None]]:
    rows: list[tuple[str, str | int | float | None]] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        if value is None and key in _NESTED:
            rows.extend((f"{name}.{part}", None) for part in _NESTED[key])
        elif isinstance(value, dict):
            rows.extend(_flatten(f"{name}.", value))
        else:
            rows.append((name, value))
    return rows


def _estimate_data(estimate: Estimate | None) -> dict[str, float | int] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


_ESTIMATE = ("value", "low", "high", "n")
# What a nested field would have had: every row of a table has the same columns.
_NESTED = {
    **dict.fromkeys(("car", "car_exact", "car_inferred", "cpr", "unmodified"), _ESTIMATE),
    "latency_ms": ("p50", "p90", "p95"),
}
