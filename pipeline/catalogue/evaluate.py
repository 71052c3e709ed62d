"""The catalogue evaluated in plain Python, day by day: what the SQL has to agree with.

It follows the definitions literally (a stock is looked at on every day of a window), so it is
slow and needs no engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from pipeline.catalogue.model import (
    URBAN_CLASS,
    Between,
    Chapman,
    Count,
    Denominator,
    Fact,
    Indicator,
    Numerator,
    One,
    Stock,
)
from pipeline.catalogue.selection import Selection, divisor, factor, mothers, unknown_sex, women
from pipeline.catalogue.vocabulary import REPORTS
from pipeline.catalogue.windows import Span, span
from pipeline.core.rates import Ingredients, Reading, chapman, quotient
from schemas.districts import CITY, INSIDE


class Cell(NamedTuple):
    """One count."""

    measure: str
    district: str
    day: date
    known_on: date
    residency: str
    sex: str
    band: str
    value: int


class Person(NamedTuple):
    """One count of a baseline."""

    as_of: date
    known_on: date
    district: str
    sex: str
    birth_year: int
    value: int


class Imported(NamedTuple):
    """One reference fact; the value has at most six decimals."""

    indicator: str
    district: str
    as_of: date
    known_on: date
    value: Fraction


Baseline = tuple[date, date]
"""(as_of, known_on)"""


@dataclass
class Known:
    """What is known at the end of a day, and the day that is looked at.

    Attributes:
        as_of: last day of the windows.
        cells: of every measure.
        people: rows of baselines.
        facts: newest value by key and district.
        stocks: what was found before, by stock, base, district and day.
        changes: likewise, by stock, base and district.
    """

    as_of: date
    cells: dict[str, list[Cell]]
    people: dict[Baseline, list[Person]]
    facts: dict[tuple[str, str], Fraction]
    stocks: dict[tuple[Stock, str, str, date], int] = field(default_factory=dict)
    changes: dict[tuple[Stock, str, str], list[tuple[date, int, date | None]]] = field(
        default_factory=dict
    )

    @property
    def newest(self) -> Baseline | None:
        """The baseline that serves all days: the newest by known_on, then by as_of."""
        return max(self.people, key=lambda days: (days[1], days[0]), default=None)

    @property
    def earlier(self) -> Baseline | None:
        """The newest baseline of a day before that one's."""
        newest = self.newest
        return max((days for days in self.people if newest and days[0] < newest[0]), default=None)


def evaluate(
    selection: Selection,
    as_of: date,
    known_on: date | None,
    cells: Iterable[Cell],
    people: Iterable[Person] = (),
    facts: Iterable[Imported] = (),
) -> list[Reading]:
    """Readings of a selection.

    Args:
        selection: What is asked for.
        as_of: Last day of every window.
        known_on: Only what was known at the end of this day; None: everything.
        cells: Counts.
        people: Rows of baselines.
        facts: Reference facts.
    """
    known = _known(as_of, known_on or date.max, cells, people, facts)
    return [
        _reading(entry, base, area, window, known, known_on)
        for entry in selection.entries
        for base in entry.bases
        for area in selection.areas
        for window in selection.windows
        if window in entry.windows
    ]


def _known(
    as_of: date,
    until: date,
    cells: Iterable[Cell],
    people: Iterable[Person],
    facts: Iterable[Imported],
) -> Known:
    by_measure = defaultdict(list)
    for cell in cells:
        if cell.known_on <= until:
            by_measure[cell.measure].append(cell)
    baselines = defaultdict(list)
    for person in people:
        if person.known_on <= until:
            baselines[person.as_of, person.known_on].append(person)
    newest: dict[tuple[str, str], Fraction] = {}
    for fact in sorted(facts, key=lambda fact: (fact.as_of, fact.known_on)):
        if fact.known_on <= until and fact.as_of <= as_of:
            newest[fact.indicator, fact.district] = fact.value
    return Known(as_of, by_measure, baselines, newest)


def _reading(
    entry: Indicator, base: str, area: str, window: str, known: Known, known_on: date | None
) -> Reading:
    days = span(window, known.as_of)
    missing = _missing(entry, base, area, known)
    if missing:
        parts = Ingredients(Fraction(0), Fraction(0), Fraction(0), missing)
    else:
        place = _Place(entry, base, area, window, days, known)
        over = divisor(entry, window, known.as_of)
        parts = Ingredients(
            place.amount(entry.numerator) - (place.count(entry.less) if entry.less else 0),
            place.amount(entry.denominator) / over,
            factor(entry, window, known.as_of),
            detail=tuple(place.detail()),
        )
    made = quotient(parts, entry.interval)
    return Reading(
        entry.key,
        base,
        area,
        window,
        known.as_of,
        known_on,
        None if missing else parts.numerator,
        None if missing else parts.denominator,
        made.value,
        made.low,
        made.high,
        made.reason,
        made.note,
    )


def _missing(entry: Indicator, base: str, area: str, known: Known) -> str:
    terms = (entry.numerator, entry.denominator)
    stocks = [term for term in terms if isinstance(term, Stock)]
    between = any(isinstance(term, Between) for term in terms)
    if (between or any(s.needs_baseline(base) for s in stocks)) and known.newest is None:
        return "no_baseline"
    if between and known.earlier is None:
        return "no_earlier_baseline"
    needed = [(entry.key, area)] if any(isinstance(term, Fact) for term in terms) else []
    if any(stock.urban for stock in stocks):
        needed += [(URBAN_CLASS, place) for place in _districts(area)]
    return "" if all(key in known.facts for key in needed) else "no_reference"


def _districts(area: str) -> frozenset[str]:
    return INSIDE if area == CITY else frozenset((area,))


@dataclass
class _Place:
    """One entry on one base in one area and window."""

    entry: Indicator
    base: str
    area: str
    window: str
    days: Span
    known: Known

    def amount(self, term: Numerator | Denominator) -> Fraction:
        """What a term comes to; a denominator's stock as its sum over days, or of both ends."""
        match term:
            case Count():
                return Fraction(self.count(term))
            case Stock():
                return self.stock(term)
            case Between():
                return self._between(term.part)
            case Chapman():
                reports = (Count(term.measure, bands=(band,)) for band in REPORTS)
                return chapman(*map(self.count, reports))
            case Fact():
                return self.known.facts[self.entry.key, self.area]
            case One():
                return Fraction(1)

    def count(self, term: Count, day: date | None = None) -> int:
        """Events of the window, or of one of its days."""
        return sum(
            cell.value
            for cell in self.known.cells.get(term.measure, ())
            if cell.district in _districts(self.area)
            and self.days.before < cell.day <= self.days.last
            and (day is None or cell.day == day)
            and term.holds(
                self.base, cell.residency, cell.sex, cell.band, in_city=self.area == CITY
            )
        )

    def stock(self, term: Stock) -> Fraction:
        """A stock on the days its convention looks at, summed."""
        days = {
            "person_days": [self.days.last - timedelta(n) for n in range(self.days.days)],
            "mean_of_ends": [self.days.before, self.days.last],
            "end": [self.days.last],
            "start": [self.days.before],
        }[self.entry.convention(self.window)]
        total = Fraction(0)
        for district in _districts(self.area):
            people = sum(self._people(term, district, day) for day in days)
            total += people * (self.known.facts[URBAN_CLASS, district] if term.urban else 1)
        return total

    def _people(self, term: Stock, district: str, day: date) -> int:
        """How many there are at the end of a day."""
        place = (term, self.base, district, day)
        if place not in self.known.stocks:
            self.known.stocks[place] = self._counted(term, district, day)
        return self.known.stocks[place]

    def _counted(self, term: Stock, district: str, day: date) -> int:
        return sum(
            value * ((changed <= day) - (origin is not None and changed <= origin))
            for changed, value, origin in self._changes(term, district)
        )

    def _changes(self, term: Stock, district: str) -> list[tuple[date, int, date | None]]:
        """Day and size of each change, and the day whose baseline holds it already."""
        place = (term, self.base, district)
        if place in self.known.changes:
            return self.known.changes[place]
        belongs = self._of(term)
        changes: list[tuple[date, int, date | None]] = []
        for measure in term.measures(self.base):
            origin = None
            if measure == "population" and self.known.newest is not None:
                origin = self.known.newest[0]
                people = self._baseline(self.known.newest, district, belongs)
                changes.append((date.min, people, None))
            changes += [
                (cell.day, cell.value, origin)
                for cell in self.known.cells.get(measure, ())
                if cell.district == district and belongs(cell.sex, _year(cell.band))
            ]
        self.known.changes[place] = changes
        return changes

    def _of(self, term: Stock) -> Callable[[str, int | None], bool]:
        """Whether somebody of a sex and birth year belongs to a stock."""
        return partial(term.holds, self.days.last.year)

    def _baseline(
        self, days: Baseline | None, district: str, of: Callable[[str, int | None], bool]
    ) -> int:
        rows = self.known.people[days] if days else ()
        return sum(r.value for r in rows if r.district == district and of(r.sex, r.birth_year))

    def _between(self, part: str) -> Fraction:
        newest, earlier = self.known.newest, self.known.earlier
        if newest is None or earlier is None:
            raise AssertionError("a balance needs two baselines")
        now, before = (
            sum(self._baseline(days, place, lambda *_: True) for place in _districts(self.area))
            for days in (newest, earlier)
        )
        if part == "mean":
            return Fraction(now + before, 2)
        change = sum(
            cell.value
            for cell in self.known.cells.get("population", ())
            if cell.district in _districts(self.area) and earlier[0] < cell.day <= newest[0]
        )
        return Fraction(now - before - (change if part == "residual" else 0))

    def detail(self) -> Iterable[float]:
        """See :class:`pipeline.core.rates.Ingredients`."""
        entry, numerator, denominator = self.entry, self.entry.numerator, self.entry.denominator
        if entry.interval == "wilson":
            yield self.days.days if isinstance(numerator, Stock) else 1
        elif entry.interval == "wilson_odds" and isinstance(numerator, Count):
            yield sum(map(self.count, unknown_sex(numerator)))
        elif entry.interval == "difference" and isinstance(numerator, Count) and entry.less:
            yield self.count(numerator) + self.count(entry.less)
        elif entry.interval == "ratio_of_sums":
            yield from self._scatter(numerator, denominator)
        elif entry.interval == "fertility":
            yield from map(self.count, mothers(entry))
            yield from (float(self.stock(group)) for group in women(entry))
        elif entry.interval == "chapman" and isinstance(denominator, Chapman):
            yield from (self.count(Count(denominator.measure, bands=(b,))) for b in REPORTS)

    def _scatter(self, y: Numerator, x: Denominator) -> Iterable[float]:
        if not (isinstance(y, Count) and isinstance(x, Count)):
            raise AssertionError("only counts have daily sums")
        days = [self.days.last - timedelta(n) for n in range(self.days.days)]
        pairs = [(self.count(y, day), self.count(x, day)) for day in days]
        yield len(days)
        yield sum(a * a for a, _ in pairs)
        yield sum(a * b for a, b in pairs)
        yield sum(b * b for _, b in pairs)


def _year(band: str) -> int | None:
    return int(band) if band.isdigit() else None
