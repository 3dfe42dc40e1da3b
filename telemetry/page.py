"""The report as one HTML page with plots: no scripts, no fonts, nothing fetched. Opens anywhere, prints well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from html import escape
from importlib import resources
from typing import Final

from fimble.telemetry.charts import SHARE_AXIS, Point, Series, axis_for, bar_chart, line_chart, share_bar
from fimble.telemetry.intervals import Estimate
from fimble.telemetry.persistence import HORIZONS_S
from fimble.telemetry.report import By, Report, report
from fimble.telemetry.serialize import moment_text
from fimble.telemetry.tally import NOTHING_KEPT, Group, Tally

_HORIZON_NAMES: Final = ("30 s", "2 min", "5 min", "10 min")
_FIVE_MINUTES: Final = HORIZONS_S.index(300)
_MAX_ROWS: Final = 20


def page(db: sqlite3.Connection | None, since_ms: float, until_ms: float) -> str:
    """The page for what was requested in `[since_ms, until_ms)`; `db` None is an empty store.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    by_day = report(db, since_ms, until_ms, By.DAY)
    total = by_day.total
    if total.tally.n_requested == 0:
        return _html(by_day, '<p class="empty">Nothing was recorded in this time.</p>')
    days = _every_day(by_day.groups)
    labels = [day.label[5:] for day in days]
    parts = [_cards(total), '<section class="plots">']
    parts.append(
        line_chart("Accepted of shown, by day", labels, [_series("CAR", "a", days, lambda g: g.tally.car)], SHARE_AXIS)
    )
    kept = [
        Series(
            "kept", "a", tuple(_point(name, tally.cpr) for name, tally in zip(_HORIZON_NAMES, total.kept, strict=True))
        ),
        Series(
            "untouched",
            "b",
            tuple(_point(name, tally.unmodified) for name, tally in zip(_HORIZON_NAMES, total.kept, strict=True)),
        ),
    ]
    parts.append(line_chart("Left of accepted text after some time", _HORIZON_NAMES, kept, SHARE_AXIS))
    parts.append(
        line_chart(
            "Left after 5 minutes, by day",
            labels,
            [_series("CPR", "a", days, lambda g: g.kept[_FIVE_MINUTES].cpr)],
            SHARE_AXIS,
        )
    )
    parts.append(_count_chart(labels, days))
    parts.append(_chars_chart(labels, days))
    parts.append(_latency_chart(labels, days))
    parts.append("</section>")
    for by, title in ((By.LANGUAGE, "By language"), (By.NODE, "By kind of syntax"), (By.MODEL, "By model")):
        parts.append(_table(title, report(db, since_ms, until_ms, by).groups))
    parts.append(_endings(by_day))
    return _html(by_day, "".join(parts))


def _cards(total: Group) -> str:
    tally = total.tally
    after_5 = total.kept[_FIVE_MINUTES]
    per_shown = total.kept_chars_per_shown
    cards = [
        ("Accepted", _percent(tally.car), f"{tally.n_accepted:,} of {tally.n_shown:,} shown{_range(tally.car)}"),
        ("Kept after 5 min", _percent(after_5.cpr), f"of {after_5.n:,} accepted texts{_range(after_5.cpr)}"),
        ("Characters kept", f"{total.n_kept_chars:,}", "" if per_shown is None else f"{per_shown:.1f} for each shown"),
        (
            "Answer time",
            "-" if total.latency is None else f"{total.latency.p50_ms:,.0f} ms",
            "" if total.latency is None else f"nine of ten within {total.latency.p90_ms:,.0f} ms",
        ),
    ]
    return (
        '<section class="cards">'
        + "".join(f"<div><h2>{name}</h2><p class=big>{value}</p><p>{note}</p></div>" for name, value, note in cards)
        + "</section>"
    )


def _latency_chart(labels: Sequence[str], days: Sequence[Group]) -> str:
    def points(choose: Callable[[Group], float | None]) -> tuple[Point, ...]:
        return tuple(
            Point(value, note=f"{day.label}: {value:,.0f} ms") if (value := choose(day)) is not None else Point(None)
            for day in days
        )

    median = points(lambda day: day.latency and day.latency.p50_ms)
    slow = points(lambda day: day.latency and day.latency.p90_ms)
    axis = axis_for([point.value for point in (*median, *slow) if point.value is not None], "ms")
    series = [Series("half", "a", median), Series("nine of ten", "b", slow)]
    return line_chart("Time to the model's answer, by day", labels, series, axis)


def _count_chart(labels: Sequence[str], days: Sequence[Group]) -> str:
    def series(name: str, kind: str, choose: Callable[[Group], int]) -> Series:
        points = (
            Point(choose(day), note=f"{day.label}: {choose(day):,} {name}") if day.tally.n_requested else Point(None)
            for day in days
        )
        return Series(name, kind, tuple(points))

    shown = series("shown", "a", lambda day: day.tally.n_shown)
    accepted = series("accepted", "b", lambda day: day.tally.n_accepted)
    axis = axis_for([float(day.tally.n_shown) for day in days], "")
    return line_chart("Suggestions, by day", labels, [shown, accepted], axis)


def _chars_chart(labels: Sequence[str], days: Sequence[Group]) -> str:
    values = [float(day.n_kept_chars) for day in days]
    points = tuple(
        Point(value, note=f"{day.label}: {value:,.0f} characters") for value, day in zip(values, days, strict=True)
    )
    series = Series("kept", "a", points)
    return bar_chart("Accepted characters still there after 10 minutes, by day", labels, series, axis_for(values, ""))


def _table(title: str, groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    rows = "".join(_row(group) for group in groups[:_MAX_ROWS])
    more = f'<p class="note">{len(groups) - _MAX_ROWS} more in <code>fimble stats</code>.</p>'
    return (
        f"<section><h2>{title}</h2><table><thead><tr><th><th>shown<th>accepted<th class=left colspan=2>CAR"
        "<th>kept 30 s<th>2 min<th>5 min<th>10 min<th>chars kept<th>half within</tr></thead><tbody>"
        f"{rows}</tbody></table>{more if len(groups) > _MAX_ROWS else ''}</section>"
    )


def _row(group: Group) -> str:
    tally = group.tally
    kept = "".join(f"<td>{_percent(each.cpr)}" for each in group.kept)
    latency = "-" if group.latency is None else f"{group.latency.p50_ms:,.0f} ms"
    bar = share_bar(_point(group.label, tally.car))
    return (
        f"<tr><th>{escape(group.label)}<td>{tally.n_shown:,}<td>{tally.n_accepted:,}<td>{_percent(tally.car)}"
        f'<td class="plot">{bar}{kept}<td>{group.n_kept_chars:,}<td>{latency}</tr>'
    )


def _endings(found: Report) -> str:
    tally = found.total.tally
    lines = [
        f"{tally.n_requested:,} requests, {tally.n_answered:,} answered: {_counts(found.sources)}.",
        f"Accepted: {tally.n_whole:,} whole, {tally.n_part:,} in part, {tally.n_typed:,} by typing them. "
        f"{tally.n_undone:,} were undone within 5 seconds and count as rejected.",
        f"Of those that the editor itself reported as shown, {_percent(tally.car_exact)} were accepted "
        f"({tally.n_shown_exact:,} shown); of those taken for shown because they were answered, "
        f"{_percent(tally.car_inferred)} ({tally.n_shown - tally.n_shown_exact:,}).",
        f"{sum(kept.n_carried for kept in found.total.kept):,} of {sum(kept.n for kept in found.total.kept):,} "
        "measures of what was left are carried from when the document was closed.",
    ]
    if found.reasons:
        lines.insert(1, f"Not answered: {_counts(found.reasons)}.")
    return "<section><h2>In words</h2>" + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</section>"


def _every_day(groups: Sequence[Group]) -> list[Group]:
    """The days with something, and those between without."""
    by_label = {group.label: group for group in groups}
    first, last = date.fromisoformat(groups[0].label), date.fromisoformat(groups[-1].label)
    return [by_label.get(label, _day_without(label)) for label in _days(first, last)]


def _days(first: date, last: date) -> Iterator[str]:
    for n in range((last - first).days + 1):
        yield (first + timedelta(days=n)).isoformat()


def _day_without(label: str) -> Group:
    return Group(label, Tally(), NOTHING_KEPT, None)


def _series(name: str, kind: str, days: Sequence[Group], choose: Callable[[Group], Estimate | None]) -> Series:
    return Series(name, kind, tuple(_point(day.label, choose(day)) for day in days))


def _point(label: str, estimate: Estimate | None) -> Point:
    if estimate is None:
        return Point(None)
    note = f"{label}: {_percent(estimate)} of {estimate.n:,}{_range(estimate)}"
    return Point(estimate.value, estimate.low, estimate.high, note)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items()) or "none"


def _percent(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{100 * estimate.value:.0f} %"


def _range(estimate: Estimate | None) -> str:
    return "" if estimate is None else f" (95 %: {100 * estimate.low:.0f} to {100 * estimate.high:.0f} %)"


def _style() -> str:
    return resources.files("fimble.telemetry").joinpath("page.css").read_text("utf-8")


def _html(found: Report, body: str) -> str:
    days = [group.label for group in found.groups]
    span = f"{days[0]} to {days[-1]}" if days else f"until {moment_text(found.until_ms)[:10]}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>fimble: accepted and kept</title>
<style>{_style()}</style>
</head>
<body>
<header><h1>Accepted and kept</h1><p>fimble on this machine, {span}. Made {moment_text(found.until_ms)}.</p></header>
{body}
<footer>CAR: accepted / shown, where shown means valid on the screen for 750 ms, or accepted. Kept (CPR): 1 - edit
distance to what was accepted, normalised; removed is 0. Bars and lines through dots are 95 % intervals. All from a file
on this machine; this page fetches nothing.</footer>
</body>
</html>
"""
