"""The scorecard as the store gives it: every target's figure, its trend, and what follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from consumers.delays import delays
from consumers.indicators import readings
from consumers.store.client import Store
from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.model import Count, Fact, Indicator
from pipeline.catalogue.targets import TARGETS, Target
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.catalogue.windows import span
from pipeline.core.delays import Shares, completeness
from pipeline.core.published import REVISED, publish
from pipeline.core.rates import Reading
from pipeline.core.scorecard import (
    Band,
    Figure,
    Outlook,
    Point,
    Slope,
    Verdict,
    accepted,
    covered_since,
    is_towards,
    judge,
    outlook,
    printed_start,
    slope,
)
from schemas.clock import LAST_VALID, ZONE
from schemas.districts import CITY

YEAR = 364
"""Days between the points of a slope: their windows do not overlap."""
STEPS = (0, YEAR // 2, YEAR, YEAR * 3 // 2, 2 * YEAR, 3 * YEAR, 4 * YEAR)
"""Days back at which a picture has its points."""
_AT_ONCE = 4
RAMP = timedelta(days=31)
"""A stock is first told of within a month; before that month is over it says little."""
_DEATHS = ("death_rate", "resident", "year")
_UNRELIABLE = frozenset({"unknown_sex"})
Key = tuple[str, str, str, str]
Since = tuple[date, int]
"""The first day that the events of a measure are of, and how many there are."""


@dataclass(frozen=True)
class Row:
    """One target of the plan.

    Attributes:
        target: what the plan asks.
        band: the values that it accepts here; open where nothing is asked.
        reading: the present value, in the target's window.
        completeness: expected share of its facts that are known; None: delays say nothing.
        status: ``provisional``, ``final`` or ``revised``.
        verdict: met, not met, cannot tell yet, or watched.
        series: values of the trend's window, oldest first.
        points: those of them whose windows do not overlap.
        slope: of these; None of fewer than two.
        outlook: what it means for the end of the plan.
    """

    target: Target
    band: Band
    reading: Reading
    completeness: float | None
    status: str
    verdict: Verdict
    series: tuple[Point, ...]
    points: tuple[Point, ...]
    slope: Slope | None
    outlook: Outlook

    @property
    def entry(self) -> Indicator:
        """The indicator's definition."""
        return INDICATORS[self.target.indicator]


@dataclass(frozen=True)
class Scorecard:
    """Every target of the plan in one place on one day.

    Attributes:
        district: a district's code, 320500 for the city.
        as_of: last day of the windows.
        known_on: nothing learnt after this day is in it; None: all that is known.
        heard: the last day of knowledge that is in it.
        death_rate: in ‰ on the base of the plan, for what its limits mean together.
        rows: in the order of the plan.
    """

    district: str
    as_of: date
    known_on: date | None
    heard: date
    death_rate: Fraction | None
    rows: tuple[Row, ...]


def known_through(store: Store) -> date:
    """The newest day on which anything became known, today at the latest.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """
    newest, number = store.query("SELECT max(known_on), count() FROM population.cells")[0]
    today = datetime.now(ZONE).date()
    return min(newest, today) if number else today


def scorecard(
    store: Store,
    as_of: date,
    known_on: date | None = None,
    district: str = CITY,
    *,
    steps: Sequence[int] = STEPS,
) -> Scorecard:
    """Evaluate the plan.

    Args:
        store: A connection; the migrations have been applied.
        as_of: The day that is looked at.
        known_on: Only what was known at the end of this day; None: all that is known.
        district: A district's code, 320500 for the city.
        steps: Days back from ``as_of`` at which trends are looked at, 0 first.

    Raises:
        CatalogueError: There is no such district.
        StoreUnavailable: ClickHouse is away.
        StoreRefused: The schema is older than this program.
    """
    keys = [*dict.fromkeys(target.indicator for target in TARGETS), _DEATHS[0]]
    windows = {target.window for target in TARGETS} | {_trend_window(INDICATORS[k]) for k in keys}
    now = _by_key(
        readings(store, as_of, known_on, indicators=keys, districts=[district], windows=windows)
    )
    heard = known_on or max(known_through(store), as_of)
    shares = delays(store, heard)
    series = _series(store, as_of, known_on, district, now, steps)
    revised = _revised(store, as_of, known_on, district)
    rows = []
    for target in TARGETS:
        reading = now[target.indicator, target.base, district, target.window]
        complete = _complete(INDICATORS[target.indicator], reading, shares, heard)
        status = REVISED if reading.key in revised else _status(reading, complete, heard)
        points = series[target.indicator, target.base]
        rows.append(_row(target, reading, complete, status, points, as_of))
    indicator, base, window = _DEATHS
    rate = now[indicator, base, district, window].value
    return Scorecard(district, as_of, known_on, heard, rate, tuple(rows))


def _by_key(found: Iterable[Reading]) -> dict[Key, Reading]:
    return {reading.key: reading for reading in found}


def _row(
    target: Target,
    reading: Reading,
    complete: float | None,
    status: str,
    series: list[Point],
    as_of: date,
) -> Row:
    band = accepted(target.comparator, target.low, target.high, printed_start(target.baseline))
    of_the_city = INDICATORS[target.indicator].unit == "persons" and reading.district != CITY
    if of_the_city:
        band = Band()
    figure = Figure(
        reading.value,
        reading.low,
        reading.high,
        complete,
        reading.reason,
        reading.note in _UNRELIABLE,
    )
    facts = isinstance(INDICATORS[target.indicator].numerator, Fact)
    points = series if facts else [p for p in series if (as_of - p.day).days % YEAR == 0]
    trend = slope(points)
    towards = target.comparator == "within" and reading.value is not None
    moves = towards and is_towards(band, reading.value or Fraction(0), trend)
    verdict = judge(figure, band, towards=moves)
    if of_the_city:
        verdict = Verdict(verdict.outcome, "of_the_city")
    least = None if INDICATORS[target.indicator].less else 0
    ahead = outlook(figure, band, points, as_of, least=least)
    return Row(
        *(target, band, reading, complete, status, verdict),
        *(tuple(series), tuple(points), trend, ahead),
    )


def _complete(
    entry: Indicator, reading: Reading, shares: Mapping[str, Shares], heard: date
) -> float | None:
    """Expected share known of what an entry counts: of the slowest of its measures."""
    counted = [term.measure for term in (entry.numerator, entry.less) if isinstance(term, Count)]
    if not counted or any(measure not in shares for measure in counted):
        return None
    age = (heard - reading.as_of).days
    days = span(reading.window, reading.as_of).days
    return min(completeness(shares[measure], age, days) for measure in counted)


def _status(reading: Reading, complete: float | None, heard: date) -> str:
    published = publish(reading, complete, None, heard, "")
    assert published is not None  # noqa: S101 - what was never published before is news
    return published.status


def _revised(store: Store, as_of: date, known_on: date | None, district: str) -> set[Key]:
    """What was published as final and is another now."""
    rows = store.query(
        "SELECT indicator, base, district, `window` FROM population.readings"
        " WHERE as_of = {as_of:Date32} AND known_on <= {known_on:Date32}"
        " AND district = {district:String}"
        " GROUP BY indicator, base, district, `window`"
        " HAVING argMax(status, (known_on, published_at)) = {revised:String}",
        {
            "as_of": as_of,
            "known_on": known_on or LAST_VALID,
            "district": district,
            "revised": REVISED,
        },
    )
    return set(rows)


def _series(
    store: Store,
    as_of: date,
    known_on: date | None,
    district: str,
    now: Mapping[Key, Reading],
    steps: Sequence[int],
) -> dict[tuple[str, str], list[Point]]:
    """Values of the year or two before, and of the same weekday of the years before them.

    A rolling window of 364 days has no seasons; a stock is taken on the day, a reference fact on
    its own day.
    """
    windows = {target: _trend_window(INDICATORS[target.indicator]) for target in TARGETS}
    since = _covered(store, as_of, known_on, district)
    counted = [t.indicator for t in TARGETS if not isinstance(_numerator(t), Fact)]

    def looked(back: int) -> Mapping[Key, Reading]:
        """The readings so many days back."""
        if not back:
            return now
        return _by_key(
            readings(
                store,
                as_of - timedelta(days=back),
                known_on,
                indicators=counted,
                districts=[district],
                windows=set(windows.values()),
            )
        )

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        days = dict(zip(steps, pool.map(looked, steps), strict=True))
    facts = _facts(store, as_of, known_on, district)
    series: dict[tuple[str, str], list[Point]] = {}
    for target, window in windows.items():
        name = target.indicator, target.base
        if isinstance(_numerator(target), Fact):
            series[name] = facts.get(target.indicator, [])
            continue
        series[name] = [
            Point(reading.as_of, reading.value, reading.low, reading.high)
            for back in sorted(steps, reverse=True)
            if (reading := days[back][*name, district, window]).value is not None
            and _is_covered(INDICATORS[target.indicator], window, reading.as_of, since)
        ]
    return series


def _numerator(target: Target) -> object:
    return INDICATORS[target.indicator].numerator


def _trend_window(entry: Indicator) -> str:
    return "364d" if "364d" in entry.windows else entry.windows[0]


def _is_covered(entry: Indicator, window: str, day: date, since: Mapping[str, Since]) -> bool:
    """Whether all of a window lies in the time that the events are of."""
    stocks = [measure for measure in entry.measures if MEASURES[measure].stock]
    flows = [measure for measure in entry.measures - set(stocks) if measure in since]
    # What is rare began when what is frequent did: no infant's death is no gap in the data.
    frequent = max(flows, key=lambda measure: since[measure][1], default=None)
    starts = [since[measure][0] + RAMP for measure in stocks if measure in since]
    if frequent is not None:
        starts.append(since[frequent][0])
    first = day if window == "1d" else span(window, day).before + timedelta(days=1)
    return bool(starts) and first >= max(starts)


def _covered(store: Store, as_of: date, known_on: date | None, district: str) -> dict[str, Since]:
    """Since when there are events of each measure, and how many."""
    rows = store.query(
        "SELECT measure, toYear(day), toMonth(day), sum(abs(value)) FROM population.cells FINAL"
        " WHERE day <= {as_of:Date32} AND known_on <= {known_on:Date32}"
        " AND ({district:String} = {city:String} OR district = {district:String})"
        " GROUP BY ALL",
        {
            "as_of": as_of,
            "known_on": known_on or LAST_VALID,
            "district": district,
            "city": CITY,
        },
    )
    months: dict[str, dict[date, int]] = defaultdict(dict)
    for measure, year, month, number in rows:
        months[measure][date(year, month, 1)] = number
    return {
        measure: (start, sum(counts.values()))
        for measure, counts in months.items()
        if (start := covered_since(counts)) is not None
    }


def _facts(
    store: Store, as_of: date, known_on: date | None, district: str
) -> dict[str, list[Point]]:
    """Reference facts by key, each on its own day, as known last."""
    rows = store.query(
        "SELECT indicator, as_of, argMax(value, known_on) FROM population.reference"
        " WHERE district = {district:String} AND known_on <= {known_on:Date32}"
        " AND as_of <= {as_of:Date32} GROUP BY indicator, as_of ORDER BY indicator, as_of",
        {"as_of": as_of, "known_on": known_on or LAST_VALID, "district": district},
    )
    series: dict[str, list[Point]] = defaultdict(list)
    for indicator, day, value in rows:
        series[indicator].append(Point(day, Fraction(value)))
    return series
