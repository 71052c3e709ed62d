"""What a page draws: the path of each monitor, and the funnel of the districts about the city."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from consumers.drift.paths import Paths, value_of
from consumers.drift.watch import Seen, look
from consumers.store.client import Store
from pipeline.catalogue.monitors import MONITORS, OF_COUNTS
from pipeline.catalogue.vocabulary import known
from pipeline.core.drift.funnel import funnel_limits, place
from pipeline.core.drift.series import Floats
from schemas.districts import CITY

SMOOTHED = 91
"""Days over which the value beside a statistic is taken: a day's counts alone say nothing."""


class PathPoint(NamedTuple):
    """One day of a path.

    Attributes:
        statistic: the greater of both directions; None: no baseline is known yet.
        threshold: at which it alarms.
        value: of the indicator over the last 91 days, a level on the day, in its unit.
    """

    monitor: str
    indicator: str
    district: str
    day: date
    statistic: float | None
    threshold: float | None
    value: float | None


class FunnelPoint(NamedTuple):
    """One district beside the city, in the indicator's unit.

    Attributes:
        denominator: of the value (girls, for the sex ratio); trials are its size in the funnel.
        place: ``inside``, ``outside95`` or ``outside998`` the limits for its size.
    """

    district: str
    numerator: float
    denominator: float
    trials: float
    value: float
    low95: float
    high95: float
    low998: float
    high998: float
    place: str


def drift_paths(
    store: Store,
    today: date,
    *,
    monitors: Collection[str] | None = None,
    districts: Collection[str] | None = None,
    since: date | None = None,
    paths: Paths | None = None,
) -> list[PathPoint]:
    """Statistic, threshold and value of monitors by day; feeds have no path.

    Args:
        store: A connection.
        today: The local day.
        monitors: Keys of the catalogue; None: all.
        districts: 320500 is the city; None: all with data.
        since: First day wanted; None: the last 364 days.
        paths: Remembers what has not changed, between calls.

    Raises:
        CatalogueError: A monitor that does not exist.
        StoreUnavailable: ClickHouse is away.
    """
    wanted = [key for key, m in MONITORS.items() if m.indicator] if monitors is None else monitors
    for key in wanted:
        known("monitor", key, MONITORS)
    first = since or today - timedelta(364)
    return [
        point
        for seen in look(store, today, paths, wanted).seen.values()
        if districts is None or seen.district in districts
        for point in _points(seen, first)
    ]


def _points(seen: Seen, first: date) -> Iterator[PathPoint]:
    path = seen.path
    if path is None:
        return
    start = max((first - path.series.first).days, 0)
    values = _values(seen)
    statistic = np.fmax(path.up, path.down)
    for index in range(start, len(path.series)):
        yield PathPoint(
            *seen.subject,
            path.series.day(index),
            _number(statistic[index]),
            _number(path.limits[index]),
            _number(values[index]),
        )


def _values(seen: Seen) -> Floats:
    """The indicator in its unit, day by day."""
    assert seen.path is not None  # noqa: S101 - the caller looked
    some, all_ = seen.path.series.successes, seen.path.series.trials
    if isinstance(seen.monitor.rule, OF_COUNTS):
        some, all_ = _rolled(some), _rolled(all_)
    other = all_ - some if seen.monitor.odds else all_
    nothing = np.full(len(some), np.nan)
    parts: Floats = np.divide(some, other, out=nothing, where=other > 0)
    return parts * seen.monitor.entry.scale


def _rolled(values: Floats) -> Floats:
    sums = np.concatenate([np.zeros(SMOOTHED), np.cumsum(values)])
    rolled: Floats = sums[SMOOTHED:] - sums[:-SMOOTHED]
    return rolled


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def funnel(
    store: Store,
    today: date,
    monitor: str,
    *,
    days: int = 364,
    paths: Paths | None = None,
) -> list[FunnelPoint]:
    """The districts about the city, each with the limits for its size; the city last.

    Args:
        store: A connection.
        today: The local day.
        monitor: Of a count divided by a count; its last complete day ends the window.
        days: Of the window.
        paths: As in :func:`drift_paths`.

    Raises:
        CatalogueError: A monitor that does not exist.
        StoreUnavailable: ClickHouse is away.
    """
    known("monitor", monitor, [k for k, m in MONITORS.items() if isinstance(m.rule, OF_COUNTS)])
    seen = {one.district: one for one in look(store, today, paths, [monitor]).seen.values()}
    samples = {}
    for district, one in seen.items():
        if one.path is not None:
            first = one.last - timedelta(days - 1)
            samples[district] = one.path.series.between(first, one.last)
    some, all_ = samples.get(CITY, (0.0, 0.0))
    if not 0 < some < all_:
        return []
    return [
        _beside(monitor, district, sample, some / all_)
        for district, sample in sorted(samples.items(), key=lambda item: (item[0] == CITY, item))
        if 0 <= sample[0] < sample[1]
    ]


def _beside(key: str, district: str, sample: tuple[float, float], share: float) -> FunnelPoint:
    monitor = MONITORS[key]
    some, all_ = sample
    limits = funnel_limits(all_, share)
    ends = (limits.low95, limits.high95, limits.low998, limits.high998)
    low95, high95, low998, high998 = (
        value_of(monitor, min(end, 1 - 1 / (2 * all_)) if monitor.odds else end) for end in ends
    )
    other = all_ - some if monitor.odds else all_
    value = value_of(monitor, some / all_)
    where = place(some, all_, limits)
    return FunnelPoint(district, some, other, all_, value, low95, high95, low998, high998, where)
