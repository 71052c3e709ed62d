"""One small picture a row, as SVG inside the page: values, intervals, the limit, the way ahead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from html import escape

from consumers.scorecard.read import Row
from consumers.scorecard.shown import number, places
from pipeline.core.scorecard import DEADLINE

WIDTH, HEIGHT = 260, 96
LEFT, RIGHT, TOP, BOTTOM = 6, 6, 14, 16
Place = Callable[[float], float]


def chart(row: Row, label: str) -> str:
    """The picture of a row; empty where there is nothing to draw.

    Args:
        row: of the scorecard.
        label: what it shows, for those who cannot see it.
    """
    if not row.series:
        return ""
    first, last = row.series[0].day, row.series[-1].day
    ahead = row.outlook.projected is not None
    end = max(last, DEADLINE) if ahead else last
    x, y = _across(first, end), _upwards(row)
    number_of = row.target.indicator
    inside = [
        _accepted(row, y),
        *_intervals(row, x, y),
        _line(row, x, y),
        _ahead(row, x, y) if ahead else "",
        *(
            f'<circle class="{"now" if p.day == last else "dot"}'
            f'{" open" if p.day == last and row.status == "provisional" else ""}"'
            f' cx="{x(p.day.toordinal()):.1f}" cy="{y(float(p.value)):.1f}" r="3"/>'
            for p in row.series
        ),
    ]
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(label)}">'
        f'<clipPath id="c-{number_of}"><rect x="0" y="{TOP - 4}" width="{WIDTH}"'
        f' height="{HEIGHT - TOP - BOTTOM + 8}"/></clipPath>'
        f'<g clip-path="url(#c-{number_of})">{"".join(inside)}</g>'
        f"{_limits(row, y)}{_days(first, end)}</svg>"
    )


def _across(first: date, last: date) -> Place:
    days = max((last - first).days, 1)
    wide = WIDTH - LEFT - RIGHT
    return lambda day: LEFT + wide * (day - first.toordinal()) / days


def _upwards(row: Row) -> Place:
    """Values, limits and the way ahead always fit; of wide intervals as much as is readable."""
    needed = [float(point.value) for point in row.series]
    needed += [float(end) for end in (row.band.low, row.band.high) if end is not None]
    if row.outlook.projected is not None:
        needed.append(float(row.outlook.projected))
    low, high = min(needed), max(needed)
    room = (high - low) or abs(high) * 0.1 or 1.0
    ends = [end for p in row.series for end in (p.low, p.high) if end is not None]
    low = max(min([low, *ends]), low - room)
    high = min(max([high, *ends]), high + room)
    tall = HEIGHT - TOP - BOTTOM
    return lambda value: TOP + tall * (1 - (value - low) / ((high - low) or 1.0))


def _accepted(row: Row, y: Place) -> str:
    """What the plan accepts, as a surface."""
    if row.band.free:
        return ""
    upper = 0.0 if row.band.high is None else y(float(row.band.high))
    lower = float(HEIGHT) if row.band.low is None else y(float(row.band.low))
    return (
        f'<rect class="band" x="0" y="{upper:.1f}" width="{WIDTH}"'
        f' height="{max(lower - upper, 1):.1f}"/>'
    )


def _limits(row: Row, y: Place) -> str:
    """The limit lines and their figures."""
    drawn = []
    for at, end in enumerate((row.band.high, row.band.low)):
        if end is None:
            continue
        height = y(float(end))
        text = height - 3 if at == 0 or height > HEIGHT - BOTTOM - 12 else height + 10
        drawn.append(
            f'<line class="limit" x1="0" x2="{WIDTH}" y1="{height:.1f}" y2="{height:.1f}"/>'
            f'<text class="limit" x="{WIDTH - 2}" y="{text:.1f}" text-anchor="end">'
            f"{number(end, min(places(row), 2))}</text>"
        )
    return "".join(drawn)


def _intervals(row: Row, x: Place, y: Place) -> list[str]:
    return [
        f'<line class="interval" x1="{x(p.day.toordinal()):.1f}" x2="{x(p.day.toordinal()):.1f}"'
        f' y1="{y(p.low):.1f}" y2="{y(p.high):.1f}"/>'
        for p in row.series
        if p.low is not None and p.high is not None
    ]


def _line(row: Row, x: Place, y: Place) -> str:
    points = " ".join(f"{x(p.day.toordinal()):.1f},{y(float(p.value)):.1f}" for p in row.series)
    return f'<polyline class="line" points="{points}"/>'


def _ahead(row: Row, x: Place, y: Place) -> str:
    """The trend until the deadline, with its interval."""
    ahead, last = row.outlook, row.points[-1]
    if ahead.projected is None or ahead.low is None or ahead.high is None:
        return ""
    end, start = x(DEADLINE.toordinal()), x(last.day.toordinal())
    value, here = y(float(ahead.projected)), y(float(last.value))
    return (
        f'<polygon class="fan" points="{start:.1f},{here:.1f} {end:.1f},{y(ahead.low):.1f}'
        f' {end:.1f},{y(ahead.high):.1f}"/>'
        f'<line class="ahead" x1="{start:.1f}" y1="{here:.1f}" x2="{end:.1f}" y2="{value:.1f}"/>'
    )


def _days(first: date, last: date) -> str:
    base = HEIGHT - 3
    return (
        f'<text class="axis" x="{LEFT - 4}" y="{base}">{first:%Y-%m}</text>'
        f'<text class="axis" x="{WIDTH - 2}" y="{base}" text-anchor="end">{last:%Y-%m}</text>'
    )
