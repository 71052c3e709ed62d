"""Daily series for the monitors, and the days on which feeds were heard, from the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from consumers.store.client import Store
from pipeline.catalogue.model import Count, Indicator, Stock
from pipeline.core.drift.series import Series
from schemas.districts import CITY, INSIDE, counted_as
from schemas.sources import Source

STOCK_DAYS = 400
"""Days of a stock that are looked at."""
FEED_DAYS = 800
"""Days of arrivals that are looked at."""

Row = tuple[date, float, float]


def counted(store: Store, entries: Iterable[Indicator], last: date) -> dict[str, dict[str, Series]]:
    """The daily counts of indicators that divide a count by a count.

    Args:
        store: A connection.
        entries: Of the catalogue; counts without bands.
        last: The last day.

    Returns:
        Series by indicator and district (320500 for the city), districts without a count left
        out. Where an indicator divides one part by the other (boys by girls), the trials are both.
    """
    wanted = list(entries)
    counts = {entry.key: _terms(entry) for entry in wanted}
    measures = sorted({term.measure for pair in counts.values() for term in pair})
    rows = store.query(
        "SELECT day, toString(district), toString(measure), toString(sex), sum(value)"
        " FROM population.cells FINAL"
        " WHERE measure IN {measures:Array(String)} AND day <= {last:Date32}"
        " GROUP BY day, district, measure, sex",
        {"measures": measures, "last": last},
    )
    found: dict[str, dict[str, list[Row]]] = {entry.key: defaultdict(list) for entry in wanted}
    for day, district, measure, sex, value in rows:
        for entry in wanted:
            top, bottom = (value * _counts(term, measure, sex) for term in counts[entry.key])
            if top or bottom:
                part = top if entry.interval == "wilson_odds" else 0
                for place in (district, CITY):
                    found[entry.key][place].append((day, top, bottom + part))
    return {
        key: {place: _series(rows) for place, rows in places.items()}
        for key, places in found.items()
    }


def _series(rows: list[Row]) -> Series:
    """A series of counts; days whose corrections leave less than nothing count as nothing."""
    days: dict[date, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for day, some, all_ in rows:
        days[day][0] += some
        days[day][1] += all_
    return Series.of(
        (day, min(max(some, 0.0), max(all_, 0.0)), max(all_, 0.0))
        for day, (some, all_) in days.items()
    )


def _terms(entry: Indicator) -> tuple[Count, Count]:
    top, bottom = entry.numerator, entry.denominator
    if not (isinstance(top, Count) and isinstance(bottom, Count)):
        raise TypeError(f"{entry.key} is no count divided by a count")
    return top, bottom


def _counts(count: Count, measure: str, sex: str) -> bool:
    return count.measure == measure and (not count.sex or count.sex == sex)


def stocks(store: Store, entry: Indicator, last: date) -> dict[str, Series]:
    """A stock and the stock it is a part of, at the end of each of the last days.

    Args:
        store: A connection.
        entry: Of the catalogue; a stock divided by a stock.
        last: The last day.

    Returns:
        Series by district (320500 for the city), districts where both are zero left out.
    """
    top, bottom = entry.numerator, entry.denominator
    if not (isinstance(top, Stock) and isinstance(bottom, Stock)):
        raise TypeError(f"{entry.key} is no stock divided by a stock")
    first = last - timedelta(STOCK_DAYS - 1)
    rows = store.query(
        "SELECT greatest(day, {first:Date32}) AS d, toString(district),"
        " sumIf(value, measure = {top:String}), sumIf(value, measure = {bottom:String})"
        " FROM population.cells FINAL"
        " WHERE measure IN ({top:String}, {bottom:String}) AND day <= {last:Date32}"
        " GROUP BY d, district",
        {"first": first, "last": last, "top": top.measure, "bottom": bottom.measure},
    )
    moved: dict[str, dict[date, tuple[int, int]]] = defaultdict(dict)
    for day, district, some, all_ in rows:
        for place in (district, CITY):
            before = moved[place].get(day, (0, 0))
            moved[place][day] = (before[0] + some, before[1] + all_)
    return {
        place: series
        for place, days in moved.items()
        if (series := _levels(days, first)).trials.any()
    }


def _levels(moved: Mapping[date, tuple[int, int]], first: date) -> Series:
    """Stocks at the end of each day from their changes; a stock is never less than nothing."""
    rows, some, all_ = [], 0, 0
    for number in range(STOCK_DAYS):
        day = first + timedelta(number)
        change = moved.get(day, (0, 0))
        some, all_ = some + change[0], all_ + change[1]
        rows.append((day, min(max(some, 0), max(all_, 0)), max(all_, 0)))
    return Series.of(rows)


Heard = dict[tuple[str, str], set[date]]
"""Days on which something arrived, by name of the feed and district."""


def heard_by_source(store: Store, last: date) -> Heard:
    """Days on which each registered publisher was heard; the district is the city."""
    rows = store.query(
        "SELECT toString(source), groupUniqArray(known_on) FROM population.reports"
        " WHERE known_on <= {last:Date32} AND known_on > {last:Date32} - {days:UInt16}"
        " AND source IN (SELECT name FROM population.sources) GROUP BY source",
        {"last": last, "days": FEED_DAYS},
    )
    return {(source, CITY): set(days) for source, days in rows}


def heard_by_district(store: Store, last: date) -> Heard:
    """Days on which each sector was heard about each district and kind of event.

    A feed's name is ``<sector>.<kind>``.
    """
    rows = store.query(
        "SELECT toString(source), toString(kind), toString(district), groupUniqArray(known_on)"
        " FROM population.reports"
        " WHERE known_on <= {last:Date32} AND known_on > {last:Date32} - {days:UInt16}"
        " AND source IN (SELECT name FROM population.sources) GROUP BY source, kind, district",
        {"last": last, "days": FEED_DAYS},
    )
    heard: Heard = defaultdict(set)
    for source, kind, district, days in rows:
        place = counted_as(district)
        if place in INSIDE:
            heard[f"{Source(source, 1).sector}.{kind}", place] |= set(days)
    return heard
