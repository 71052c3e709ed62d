"""Every question that the page asks the store. Nothing else of the page knows a table.

There are two views. The office's has the exact figures: of the present the published ones, of a
past day of knowledge evaluated from the cells. The public's has what the views ``public_…`` release
(small counts suppressed, steps of ten, up to yesterday), and of other counts whole tens.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from consumers.store.client import Store
from pipeline.catalogue import INDICATORS, TARGETS
from pipeline.catalogue.model import Count
from pipeline.catalogue.selection import select
from pipeline.catalogue.sql import readings_sql, values_sql
from pipeline.catalogue.windows import span
from pipeline.core.published import PROVISIONAL, SETTLED, SETTLED_AFTER
from schemas.clock import ZONE
from schemas.districts import CITY

Row = dict[str, Any]

LOOKED_BACK = 40
"""Days in which the newest published reading of a key is looked for."""
FIGURES = (
    *("indicator", "base", "district", "window", "as_of", "known_on"),
    *("numerator", "denominator", "value", "low", "high", "completeness", "status"),
    *("reason", "note", "published_at"),
)
_SHOWN = ", ".join(f"`{name}`" for name in FIGURES)
_LONG = "\nSETTINGS max_query_size = 1048576"
_INDICATORS = "population.indicators"
_RELEASED = "population.public_indicators"
_COUNTS = "population.daily"
_COUNTS_AS_KNOWN = "population.daily_as_known(known_on = {known_on:Date32})"
RECENT_DAYS = 28
USUAL_DAYS = 182
"""Days over which it is looked how much a source usually sends."""


class Mark(NamedTuple):
    """How far the store has come; two that differ say that something is news.

    Attributes:
        cells: version of the newest counts.
        published: moment of the newest reading.
        refused: number of refusals.
        baseline: version of the newest baseline.
        last: newest day of knowledge; 1970-01-01 while there is none.
    """

    cells: int
    published: datetime
    refused: int
    baseline: int
    last: date


class View(NamedTuple):
    """Which figures are asked for.

    Attributes:
        as_of: last day of the windows.
        known_on: nothing learnt later is in them; None: what is published now.
        public: only what may be released; there are no past days of knowledge then.
    """

    as_of: date
    known_on: date | None = None
    public: bool = False


def today() -> date:
    """The local date."""
    return datetime.now(ZONE).date()


def mark(store: Store) -> Mark:
    """How far the store has come, cheaply."""
    row = store.query(
        "SELECT (SELECT sum(v) FROM (SELECT max(version) AS v FROM population.cells"
        " GROUP BY shard)), (SELECT max(published_at) FROM population.readings),"
        " (SELECT count() FROM population.rejected_rows),"
        " (SELECT max(version) FROM population.baseline_rows),"
        " (SELECT max(known_on) FROM population.cells)"
    )[0]
    return Mark(*row)


def pulse(store: Store) -> Row:
    """The counters of the head: how much has come, and when the newest.

    Returns:
        ``accepted`` and ``refused`` messages, ``newest`` acceptance, ``published`` newest
        reading, ``first`` and ``last`` day of knowledge, ``simulated``.
    """
    accepted, newest = store.query(
        "SELECT sum(n), max(t) FROM (SELECT max(journal_offset) + 1 AS n, max(accepted_at) AS t"
        " FROM population.reports GROUP BY shard)"
    )[0]
    published, first, last, cells = store.query(
        "SELECT (SELECT max(published_at) FROM population.readings), min(known_on), max(known_on),"
        " count() FROM population.cells"
    )[0]
    refused = store.query("SELECT count() FROM population.rejected WHERE NOT mended")[0][0]
    cities = store.query("SELECT scale, start FROM population.simulations ORDER BY begun_at")
    any_reading = published.year > 1970
    return {
        "accepted": accepted,
        "refused": refused,
        "newest": newest if accepted else None,
        "published": published if any_reading else None,
        "first": first if cells else None,
        "last": last if cells else None,
        "today": today(),
        "simulated": [{"scale": scale, "start": start} for scale, start in cities],
    }


def figures(
    store: Store,
    view: View,
    *,
    indicators: Sequence[str],
    districts: Sequence[str] | None = None,
    windows: Sequence[str] | None = None,
) -> list[Row]:
    """Readings of some indicators, one row for each base, district and window.

    Args:
        store: A connection.
        view: Which day, as known when.
        indicators: Keys of the catalogue.
        districts: Codes; None: the ten and the city.
        windows: Names; None: all that an indicator has.
    """
    if view.public:
        return _published(store, view.as_of, indicators, districts, windows, _RELEASED)
    if view.known_on is None:
        return _published(store, view.as_of, indicators, districts, windows)
    return _evaluated(store, view, indicators, districts, windows)


def _evaluated(
    store: Store,
    view: View,
    indicators: Sequence[str],
    districts: Sequence[str] | None,
    windows: Sequence[str] | None,
) -> list[Row]:
    """Figures from the cells, as they were known on a day (today: as known now)."""
    selection = select(indicators, districts, windows)
    if not selection.entries:
        return []
    rows = store.query(
        readings_sql(selection) + _LONG,
        {"as_of": view.as_of, "known_on": view.known_on or today()},
    )
    return [dict(zip(FIGURES, row, strict=True)) for row in rows]


def _published(
    store: Store,
    as_of: date,
    indicators: Sequence[str],
    districts: Sequence[str] | None,
    windows: Sequence[str] | None,
    relation: str = _INDICATORS,
) -> list[Row]:
    rows = store.query(
        f"SELECT {_SHOWN} FROM {relation}"  # noqa: S608 - names of our own
        " WHERE as_of > {as_of:Date32} - {back:UInt16} AND as_of <= {as_of:Date32}"
        " AND indicator IN {indicators:Array(String)}"
        " AND (empty({districts:Array(String)}) OR district IN {districts:Array(String)})"
        " AND (empty({windows:Array(String)}) OR `window` IN {windows:Array(String)})"
        " ORDER BY as_of DESC LIMIT 1 BY indicator, base, district, `window`",
        {
            "as_of": as_of,
            "back": LOOKED_BACK,
            "indicators": list(indicators),
            "districts": list(districts or ()),
            "windows": list(windows or ()),
        },
    )
    return [dict(zip(FIGURES, row, strict=True)) for row in rows]


def targets(store: Store, view: View) -> list[Row]:
    """The city's figure for each target of the plan that has one."""
    keys = list(dict.fromkeys(target.indicator for target in TARGETS))
    wanted = {(target.indicator, target.base, target.window) for target in TARGETS}
    found = figures(store, view, indicators=keys, districts=[CITY])
    return [row for row in found if (row["indicator"], row["base"], row["window"]) in wanted]


def trend(store: Store, view: View, key: str, base: str, district: str, window: str) -> list[Row]:
    """A figure over the last two years, in order of days.

    Of the present: every day that is published, and ends of months that are not. Of a past day of
    knowledge: ends of months. For the public: the days that are released. A window that reaches
    back before the first counted event counts too little: its figure is left out.
    """
    found: list[Row] = []
    if view.known_on is None:
        relation = _RELEASED if view.public else _INDICATORS
        rows = store.query(
            f"SELECT {_SHOWN} FROM {relation}"  # noqa: S608 - names of our own
            " WHERE indicator = {key:String} AND base = {base:String}"
            " AND district = {district:String} AND `window` = {window:String}"
            " AND as_of <= {as_of:Date32} AND as_of > {as_of:Date32} - {back:UInt16}",
            {
                "key": key,
                "base": base,
                "district": district,
                "window": window,
                "as_of": view.as_of,
                "back": COURSE_DAYS,
            },
        )
        found = [dict(zip(FIGURES, row, strict=True)) for row in rows]
    if not view.public:
        there = {row["as_of"] for row in found}
        days = {view.as_of, *month_ends(view.as_of, MONTHS)[::MONTHS_APART]} - there
        for day in days:
            found += _quickly(store, View(day, view.known_on), key, base, district, window)
    counted = INDICATORS[key].numerator
    if isinstance(counted, Count):
        ((first,),) = store.query(
            "SELECT min(day) FROM population.daily WHERE value != 0 AND measure = {measure:String}",
            {"measure": counted.measure},
        )
        found = [row for row in found if _first_day(window, row["as_of"]) >= first]
    return sorted(found, key=lambda row: row["as_of"])


def _first_day(window: str, as_of: date) -> date:
    return as_of - timedelta(days=span(window, as_of).days - 1)


def _quickly(
    store: Store, view: View, key: str, base: str, district: str, window: str
) -> list[Row]:
    """One figure from the cells, without its completeness, which costs more than the figure."""
    known_on = view.known_on or today()
    rows = store.query(
        values_sql(select([key], [district], [window])) + _LONG,
        {"as_of": view.as_of, "known_on": known_on},
    )
    names = (
        *("indicator", "base", "district", "window", "days", "numerator", "denominator"),
        *("value", "low", "high", "reason", "note"),
    )
    settled = (known_on - view.as_of).days >= SETTLED_AFTER
    rest = {
        "as_of": view.as_of,
        "known_on": known_on,
        "completeness": None,
        "status": SETTLED if settled else PROVISIONAL,
        "published_at": None,
    }
    found = [{**dict(zip(names, row, strict=True)), **rest} for row in rows]
    return [row for row in found if row["base"] == base]


COURSE_DAYS = 730
MONTHS, MONTHS_APART = 22, 2
"""How far back months are evaluated where they are not published, and how far apart."""


def month_ends(day: date, number: int) -> list[date]:
    """The last days of the months before a day, the newest first."""
    ends = []
    for _ in range(number):
        day = day.replace(day=1) - timedelta(days=1)
        ends.append(day)
    return ends


DELAYS = (0, 7, 14, 30, 60, 90, 180)


def vintages(
    store: Store, as_of: date, key: str, base: str, district: str, window: str
) -> list[Row]:
    """One figure of one day, as it was known on that day, some days later, and now."""
    last = today()
    days = [as_of + timedelta(days=delay) for delay in DELAYS]
    days = [*(day for day in days if day < last), last]
    return [
        row
        for day in days
        for row in _quickly(store, View(as_of, day), key, base, district, window)
    ]


def counts(store: Store, view: View, district: str, days: int) -> list[Row]:
    """The cells of a district summed over the last days: measure, residency, sex, band, value.

    Of a stock the state at the end of the last day.
    """
    if view.public:
        return _released_counts(store, view, district)
    source = _COUNTS if view.known_on is None else _COUNTS_AS_KNOWN
    names = ("measure", "residency", "sex", "band", "value")
    rows = store.query(
        "SELECT measure, residency, sex, if(measure = 'population', '', band) AS shown,"  # noqa: S608
        f" sum(value) AS n FROM {source}"
        " WHERE (district = {district:String} OR {district:String} = {city:String})"
        " AND day <= {as_of:Date32} AND measure != 'findings'"
        " AND (day > {as_of:Date32} - {days:UInt16} OR measure IN {stocks:Array(String)})"
        " AND NOT ({district:String} = {city:String} AND band = 'within')"
        " GROUP BY measure, residency, sex, shown HAVING n != 0"
        " ORDER BY measure, residency, sex, shown",
        {
            "district": district,
            "city": CITY,
            "as_of": view.as_of,
            "days": days,
            "stocks": ["population", "migrants_known", "migrants_managed", "migrants_resident"],
            "known_on": view.known_on or view.as_of,
        },
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _released_counts(store: Store, view: View, district: str) -> list[Row]:
    """The released counts of the year of a day; null where suppressed."""
    rows = store.query(
        "SELECT measure, value FROM population.public_counts"
        " WHERE district = {district:String} AND period = {year:String} ORDER BY measure",
        {"district": district, "year": str(view.as_of.year)},
    )
    return [
        {"measure": measure, "residency": "", "sex": "", "band": "", "value": value}
        for measure, value in rows
    ]


def feeds(store: Store) -> list[Row]:
    """What each source has sent: how much, when the newest, and what of it was refused."""
    rows = store.query(
        "SELECT s.name, s.priority, r.reports, r.recent, r.usual, r.newest, r.last_day"
        " FROM population.sources AS s LEFT JOIN ("
        "  SELECT source, count() AS reports,"
        "   countIf(known_on > {today:Date32} - {days:UInt16}) AS recent,"
        "   countIf(known_on > {today:Date32} - {usual:UInt16}) AS usual,"
        "   max(accepted_at) AS newest, max(known_on) AS last_day"
        "  FROM population.reports WHERE known_on <= {today:Date32} GROUP BY source"
        " ) AS r ON r.source = s.name ORDER BY s.name",
        {"today": today(), "days": RECENT_DAYS, "usual": USUAL_DAYS},
    )
    names = ("source", "priority", "reports", "recent", "usual", "newest", "last_day")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        if not row["reports"]:
            row["newest"] = row["last_day"] = None
    return found


def findings(store: Store) -> list[Row]:
    """Standing findings by code, and by district."""
    rows = store.query(
        "SELECT code, district, count() FROM population.findings GROUP BY code, district"
        " ORDER BY code, district"
    )
    return [dict(zip(("code", "district", "count"), row, strict=True)) for row in rows]


def refused(store: Store) -> list[Row]:
    """Refused messages that wait, by reason."""
    rows = store.query(
        "SELECT code, count() AS n, max(rejected_at) FROM population.rejected WHERE NOT mended"
        " GROUP BY code ORDER BY n DESC, code"
    )
    return [dict(zip(("code", "count", "newest"), row, strict=True)) for row in rows]


ALERTS = (
    *("id", "monitor", "indicator", "district", "state", "severity", "since", "as_of"),
    *("known_on", "numerator", "denominator", "value", "low", "high", "completeness", "limit"),
    *("late_reporting_could_explain", "summary_zh", "summary_en", "acknowledged_by", "at"),
)


def alerts(store: Store) -> list[Row]:
    """Alerts, those that fire first, then the newest."""
    shown = ", ".join(f"`{name}`" for name in ALERTS)
    rows = store.query(
        f"SELECT {shown} FROM population.alerts"  # noqa: S608 - names of our own
        " ORDER BY state != 'firing', state != 'pending', at DESC LIMIT 50"
    )
    return [dict(zip(ALERTS, row, strict=True)) for row in rows]
