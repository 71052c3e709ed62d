"""All monitors over the store: how each of them sees each series now."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from consumers.delays import delays
from consumers.drift.counts import Heard, counted, heard_by_district, heard_by_source, stocks
from consumers.drift.paths import Paths
from consumers.store.client import Store
from pipeline.catalogue.model import Count
from pipeline.catalogue.monitors import (
    MONITORS,
    OF_COUNTS,
    OF_STOCKS,
    Drift,
    Monitor,
    Quiet,
    Shift,
    Within,
)
from pipeline.core.alerts import Subject
from pipeline.core.delays import Shares, complete_after
from pipeline.core.drift.cusum import Episode, Path
from pipeline.core.drift.families import benjamini_hochberg, e_benjamini_hochberg
from pipeline.core.drift.series import Series
from pipeline.core.drift.silence import Pause, pauses
from schemas.districts import CITY

COMPLETE = 0.95
"""Share of a day's facts that must be known, as the delays have it, for the day to be read."""
UNKNOWN_DELAY = 28
"""Days after which a day is read while nothing is known about delays."""
FALSE_DISCOVERIES = 0.1
"""Share of false ones among the districts that fire, over all indicators of one method."""
PERMITS = "permits"


@dataclass(frozen=True)
class Seen:
    """One monitor on one series, or on one feed.

    Attributes:
        monitor: of the catalogue.
        name: the indicator, or the feed.
        district: 320500 is the city.
        last: the last day that was read.
        stretches: alarms in order of time.
        path: statistic by day; None for a feed.
        certain: whether an open alarm holds among all that are watched.
    """

    monitor: Monitor
    name: str
    district: str
    last: date
    stretches: tuple[Episode, ...] | tuple[Pause, ...]
    path: Path | None = None
    certain: bool = True

    @property
    def subject(self) -> Subject:
        """Monitor, indicator and district."""
        return self.monitor.key, self.name, self.district


@dataclass
class Sight:
    """What all monitors see.

    Attributes:
        today: the local day.
        seen: by subject, in the order of the catalogue.
        shares: share known by delay, of the measures that are watched.
        quiet: feeds that are silent now: name and district.
    """

    today: date
    seen: dict[Subject, Seen] = field(default_factory=dict)
    shares: dict[str, Shares] = field(default_factory=dict)
    quiet: set[tuple[str, str]] = field(default_factory=set)


def look(
    store: Store, today: date, paths: Paths | None = None, only: Collection[str] | None = None
) -> Sight:
    """Let all monitors look.

    Args:
        store: A connection.
        today: The local day; counts are read up to the last day that is complete, stocks up to
            today, feeds up to yesterday.
        paths: Remembers what has not changed.
        only: Keys of monitors; None: all.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """
    monitors = [m for key, m in MONITORS.items() if only is None or key in only]
    sight = Sight(today)
    kept = paths or Paths()
    measures = {_measure(m) for m in monitors if isinstance(m.rule, OF_COUNTS)}
    sight.shares = delays(store, today, sorted(measures | {PERMITS}))
    for monitor, series in _series(store, sight, monitors):
        for district, days in sorted(series.items()):
            path = kept.of(monitor, district, days)
            _see(sight, Seen(monitor, monitor.indicator, district, days.last,
                             tuple(path.episodes), path))  # fmt: skip
    for monitor in monitors:
        if isinstance(monitor.rule, Quiet):
            _listen(store, sight, monitor, monitor.rule)
    _compare(sight)
    return sight


def _see(sight: Sight, seen: Seen) -> None:
    sight.seen[seen.subject] = seen


def _measure(monitor: Monitor) -> str:
    bottom = monitor.entry.denominator
    return bottom.measure if isinstance(bottom, Count) else ""


def last_complete(sight: Sight, monitor: Monitor) -> date:
    """The last day on which enough of the facts a monitor counts are known."""
    after = complete_after(sight.shares.get(_measure(monitor)), COMPLETE)
    return sight.today - timedelta(max(UNKNOWN_DELAY if after is None else after, 1))


def _series(
    store: Store, sight: Sight, monitors: list[Monitor]
) -> Iterator[tuple[Monitor, dict[str, Series]]]:
    """The series of each monitor by district."""
    entries = {m.indicator: m.entry for m in monitors if isinstance(m.rule, OF_COUNTS)}
    counts = counted(store, entries.values(), sight.today - timedelta(1)) if entries else {}
    levels: dict[str, dict[str, Series]] = {}
    for monitor in monitors:
        if isinstance(monitor.rule, OF_COUNTS):
            last = last_complete(sight, monitor)
            found = counts[monitor.indicator].items()
            yield monitor, {p: s for p, whole in found if (s := whole.until(last)) is not None}
        elif isinstance(monitor.rule, OF_STOCKS):
            if monitor.indicator not in levels:
                levels[monitor.indicator] = stocks(store, monitor.entry, sight.today)
            yield monitor, levels[monitor.indicator]


def _listen(store: Store, sight: Sight, monitor: Monitor, rule: Quiet) -> None:
    """Feeds and their pauses. A sector's feeds say nothing while one of its sources is silent."""
    last = sight.today - timedelta(1)
    heard: Heard = (heard_by_source if rule.of == "source" else heard_by_district)(store, last)
    muted = {source.partition(".")[0] for source, place in sight.quiet if place == CITY}
    for (name, district), days in sorted(heard.items()):
        sector = name.partition(".")[0]
        if rule.of == "district" and sector in muted:
            continue
        found = tuple(pauses(days, last, rule.promise_days * len(heard)))
        _see(sight, Seen(monitor, name, district, last, found))
        if found and found[-1].end is None:
            sight.quiet.add((name, district))


def _compare(sight: Sight) -> None:
    """Which open alarms of districts hold when all districts and indicators are looked at."""
    for methods, discoveries in (
        ((Shift,), benjamini_hochberg),
        ((Drift, Within), e_benjamini_hochberg),
    ):
        family = {
            subject: seen
            for subject, seen in sight.seen.items()
            if isinstance(seen.monitor.rule, methods) and seen.district != CITY
        }
        all_ = {subject: _strength(seen) for subject, seen in family.items()}
        strengths = {subject: value for subject, value in all_.items() if value is not None}
        if discoveries is benjamini_hochberg:
            # Both directions are watched, hence the two.
            strengths = {k: min(2 * math.exp(-v), 1.0) for k, v in strengths.items()}
        certain = discoveries(strengths, FALSE_DISCOVERIES)
        for subject, seen in family.items():
            if subject not in certain and seen.path is not None and seen.path.lasting is not None:
                sight.seen[subject] = Seen(seen.monitor, seen.name, seen.district, seen.last,
                                           seen.stretches, seen.path, certain=False)  # fmt: skip


def _strength(seen: Seen) -> float | None:
    """The statistic of an open alarm at its highest, else of the last day; None: no baseline."""
    path = seen.path
    if path is None:
        return None
    if path.lasting is not None:
        return path.lasting.statistic
    newest = float(np.fmax(path.up[-1], path.down[-1]))
    return None if math.isnan(newest) else newest
