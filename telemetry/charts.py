"""Plots as inline SVG, without scripts: points with intervals, lines, bars. Knows nothing of completions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 640
_HEIGHT: Final = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 30
_MAX_LABELS: Final = 7
# More points than this and dots would run into each other.
_MAX_DOTS: Final = 120


@dataclass(frozen=True, slots=True)
class Point:
    """One value over a label of the x axis; `low` and `high` are its interval. `value` None leaves a gap."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points over the labels, in their order. `kind` is a class of the page's style sheet."""

    name: str
    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """The y axis: from 0 to `top`, with marks at `marks`."""

    top: float
    marks: tuple[float, ...]
    unit: str

    def text(self, value: float) -> str:
        """A mark's label."""
        return f"{100 * value:.0f} %" if self.unit == "%" else f"{value:,.0f}{' ' + self.unit if self.unit else ''}"


SHARE_AXIS: Final = Axis(1.0, (0.0, 0.25, 0.5, 0.75, 1.0), "%")


def axis_for(values: Sequence[float], unit: str) -> Axis:
    """An axis that begins at 0 and holds all values, with three to six round marks."""
    most = max(values, default=0.0)
    if most <= 0:
        return Axis(1.0, (0.0, 1.0), unit)
    step = 10 ** math.floor(math.log10(most))
    for factor in (0.2, 0.5, 1.0, 2.0):
        if most / (step * factor) <= 5:
            step *= factor
            break
    n = math.ceil(most / step)
    return Axis(step * n, tuple(step * i for i in range(n + 1)), unit)


def line_chart(title: str, labels: Sequence[str], series: Sequence[Series], axis: Axis) -> str:
    """Dots with their intervals, joined by lines."""
    body = [_frame(labels, axis)]
    for each in series:
        spots = [(_x(i, len(labels)), point) for i, point in enumerate(each.points)]
        body.append(_line(spots, each.kind, axis))
        for x, point in spots:
            if point.value is None:
                continue
            if point.low is not None and point.high is not None:
                body.append(_upright(x, _y(point.high, axis), _y(point.low, axis), f"interval {each.kind}"))
            radius = 3.5 if len(labels) <= _MAX_DOTS else 1.5
            body.append(
                f'<circle class="dot {each.kind}" cx="{x:.1f}" cy="{_y(point.value, axis):.1f}" r="{radius}">'
                f"<title>{escape(point.note)}</title></circle>"
            )
    return _figure(title, "".join(body), series)


def bar_chart(title: str, labels: Sequence[str], series: Series, axis: Axis) -> str:
    """One bar for each label."""
    width = max(1.0, min(36.0, 0.7 * (_WIDTH - _LEFT - _RIGHT) / max(1, len(labels))))
    body = [_frame(labels, axis)]
    for i, point in enumerate(series.points):
        if point.value is None:
            continue
        y = _y(point.value, axis)
        body.append(
            f'<rect class="bar {series.kind}" x="{_x(i, len(labels)) - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{_y(0, axis) - y:.1f}" rx="1.5"><title>{escape(point.note)}</title></rect>'
        )
    return _figure(title, "".join(body), ())


def share_bar(point: Point) -> str:
    """A share with its interval, small enough for a table's cell."""
    if point.value is None:
        return ""
    low = point.value if point.low is None else point.low
    high = point.value if point.high is None else point.high
    return (
        '<svg class="share" viewBox="0 0 120 12" role="img">'
        f"<title>{escape(point.note)}</title>"
        '<rect class="track" width="120" height="12" rx="2"/>'
        f'<rect class="bar a" width="{120 * point.value:.1f}" height="12" rx="2"/>'
        f'<line class="whisker" x1="{120 * low:.1f}" x2="{120 * high:.1f}" y1="6" y2="6"/></svg>'
    )


def _figure(title: str, body: str, series: Sequence[Series]) -> str:
    keys = "".join(f'<span class="key {each.kind}">{escape(each.name)}</span>' for each in series if len(series) > 1)
    return (
        f"<figure><figcaption>{escape(title)}{keys}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{body}</svg></figure>'
    )


def _frame(labels: Sequence[str], axis: Axis) -> str:
    parts: list[str] = []
    for mark in axis.marks:
        y = _y(mark, axis)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="y" x="{_LEFT - 6}" y="{y + 4:.1f}">{axis.text(mark)}</text>')
    every = max(1, math.ceil(len(labels) / _MAX_LABELS))
    parts.extend(
        f'<text class="x" x="{_x(i, len(labels)):.1f}" y="{_HEIGHT - 8}">{escape(labels[i])}</text>'
        for i in range(0, len(labels), every)
    )
    return "".join(parts)


def _upright(x: float, y1: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _line(spots: Sequence[tuple[float, Point]], kind: str, axis: Axis) -> str:
    steps: list[str] = []
    is_gap = True
    for x, point in spots:
        if point.value is None:
            is_gap = True
            continue
        steps.append(f"{'M' if is_gap else 'L'}{x:.1f} {_y(point.value, axis):.1f}")
        is_gap = False
    return f'<path class="line {kind}" d="{" ".join(steps)}"/>' if steps else ""


def _x(i: int, n: int) -> float:
    room = _WIDTH - _LEFT - _RIGHT
    return _LEFT + room * (i + 0.5) / max(1, n)


def _y(value: float, axis: Axis) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1.0 - min(max(value / axis.top, 0.0), 1.0))
