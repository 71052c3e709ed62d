"""The readings of a selection from the sums over cells, in Python.

The store sums (:class:`pipeline.catalogue.series.Series`), a few hundred numbers for each area;
what is divided by what is put together here. The view ``indicators_as_known`` does the same in SQL
alone, which takes the engine longer to plan than to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache

from pipeline.catalogue.model import (
    URBAN_CLASS,
    Between,
    Chapman,
    Count,
    Fact,
    Indicator,
    One,
    Stock,
)
from pipeline.catalogue.selection import (
    PARTS_PER_ONE,
    Selection,
    divisor,
    factor,
    mothers,
    unknown_sex,
    women,
)
from pipeline.catalogue.series import KNOWN, Series
from pipeline.catalogue.vocabulary import REPORTS
from pipeline.catalogue.windows import span
from pipeline.core.rates import Ingredients, Reading, quotient
from schemas.districts import CITY, INSIDE

Sums = Mapping[str, Sequence[int]]
"""The columns of one area, each an array over windows."""
_Get = Callable[[Sums, int], int]


@dataclass(frozen=True)
class Context:
    """What is looked up once.

    Attributes:
        newest: the day of the baseline that serves, days since 1970; None: there is none.
        earlier: the day of the newest one before it, likewise.
        facts: newest reference facts in millionths, by ``key|district``.
    """

    newest: int | None
    earlier: int | None
    facts: Mapping[str, int]


class Assembly:
    """How the readings of a selection are put together.

    Attributes:
        selection: what is asked for.
        series: the columns they need.
    """

    def __init__(self, selection: Selection, known: str = KNOWN) -> None:
        """Make it.

        Args:
            selection: what is asked for.
            known: which cells are looked at (see :class:`pipeline.catalogue.series.Series`).
        """
        self.selection = selection
        self.series = Series(selection, known)
        self._rows = [
            _Row(entry, base, self.series) for entry in selection.entries for base in entry.bases
        ]

    def readings(
        self,
        sums: Mapping[str, Sums],
        context: Context,
        as_of: date,
        known_on: date | None,
        wanted: Callable[[Indicator, str], bool] = lambda _entry, _area: True,
    ) -> Iterable[Reading]:
        """Readings in the order of the catalogue, then by base, area and window.

        Args:
            sums: columns by area.
            context: baselines and facts.
            as_of: last day of every window.
            known_on: the day of knowledge, as it is to be said; None: all that is known.
            wanted: entries and areas that are put together; all when left out.
        """
        for row in self._rows:
            for area in self.selection.areas:
                if not wanted(row.entry, area):
                    continue
                missing = row.missing(area, context)
                for place, window in enumerate(self.selection.windows):
                    if window in row.entry.windows:
                        parts = (
                            Ingredients(Fraction(0), Fraction(0), Fraction(0), missing)
                            if missing
                            else row.ingredients(
                                sums[area], place, window, as_of, context.facts, area
                            )
                        )
                        yield _reading(row, area, window, as_of, known_on, parts)


class _Row:
    """One entry on one base: which columns it takes."""

    def __init__(self, entry: Indicator, base: str, series: Series) -> None:
        self.entry, self.base = entry, base
        self._series = series
        self._top = self._of_numerator()
        self._bottom = self._of_denominator()
        self._detail = self._of_detail()

    def missing(self, area: str, context: Context) -> str:
        """What the store does not know for an area, a code; empty when all is there."""
        terms = (self.entry.numerator, self.entry.denominator)
        stocks = [term for term in terms if isinstance(term, Stock)]
        between = any(isinstance(term, Between) for term in terms)
        if between or any(stock.needs_baseline(self.base) for stock in stocks):
            if context.newest is None:
                return "no_baseline"
            if between and context.earlier is None:
                return "no_earlier_baseline"
        needed = [f"{self.entry.key}|{area}"] if any(isinstance(t, Fact) for t in terms) else []
        if any(stock.urban for stock in stocks):
            needed += [f"{URBAN_CLASS}|{d}" for d in (INSIDE if area == CITY else (area,))]
        return "" if all(key in context.facts for key in needed) else "no_reference"

    def ingredients(
        self,
        sums: Sums,
        place: int,
        window: str,
        as_of: date,
        facts: Mapping[str, int],
        area: str,
    ) -> Ingredients:
        """What one reading is made of; nothing is missing."""
        entry = self.entry
        if isinstance(entry.numerator, Fact):
            top = Fraction(facts[f"{entry.key}|{area}"], PARTS_PER_ONE)
        else:
            urban = isinstance(entry.numerator, Stock) and entry.numerator.urban
            top = Fraction(self._top(sums, place), PARTS_PER_ONE if urban else 1)
        bottom = Fraction(self._bottom(sums, place), self._bottom_parts(sums, place, window, as_of))
        detail = tuple(float(get(sums, place)) for get in self._detail)
        if entry.interval in ("wilson", "ratio_of_sums"):
            days = span(window, as_of).days
            one = entry.interval == "wilson" and not isinstance(entry.numerator, Stock)
            detail = (1.0 if one else float(days), *detail)
        return Ingredients(top, bottom, factor(entry, window, as_of), detail=detail)

    def _of_numerator(self) -> _Get:
        match self.entry.numerator:
            case Count() as count:
                counted = self._count(count)
                if self.entry.less is None:
                    return counted
                less = self._count(self.entry.less)
                return lambda sums, place: counted(sums, place) - less(sums, place)
            case Stock() as stock:
                return self._column(self._series.stock(stock, self.base, self.entry))
            case Between() as between:
                return self._column(self._series.balance(between.part))
            case Fact():
                return lambda _sums, _place: 0

    def _of_denominator(self) -> _Get:
        match self.entry.denominator:
            case Count() as count:
                return self._count(count)
            case Stock() as stock:
                return self._column(self._series.stock(stock, self.base, self.entry))
            case Between() as between:
                return self._column(self._series.balance(between.part))
            case Chapman() as reports:
                health, police, both = self._reports(reports)
                return lambda sums, place: (
                    (health(sums, place) + both(sums, place) + 1)
                    * (police(sums, place) + both(sums, place) + 1)
                    - both(sums, place)
                    - 1
                )
            case One():
                return lambda _sums, _place: 1

    def _bottom_parts(self, sums: Sums, place: int, window: str, as_of: date) -> int:
        match self.entry.denominator:
            case Between():
                return 2
            case Chapman() as reports:
                return self._reports(reports)[2](sums, place) + 1
            case _:
                return divisor(self.entry, window, as_of)

    def _of_detail(self) -> list[_Get]:
        """See :class:`pipeline.core.rates.Ingredients`; days come before, where they belong."""
        entry, numerator, denominator = self.entry, self.entry.numerator, self.entry.denominator
        match entry.interval:
            case "wilson_odds" if isinstance(numerator, Count):
                parts = [self._count(count) for count in unknown_sex(numerator)]
                return [lambda sums, place: sum(part(sums, place) for part in parts)]
            case "difference" if isinstance(numerator, Count) and entry.less is not None:
                first, second = self._count(numerator), self._count(entry.less)
                return [lambda sums, place: first(sums, place) + second(sums, place)]
            case "ratio_of_sums" if isinstance(numerator, Count) and isinstance(denominator, Count):
                name = self._series.moments(numerator, denominator, self.base)
                return [self._column(f"{name}_{part}") for part in ("yy", "xy", "xx")]
            case "fertility":
                groups = [self._series.stock(stock, self.base, entry) for stock in women(entry)]
                return [*map(self._count, mothers(entry)), *map(self._column, groups)]
            case "chapman" if isinstance(denominator, Chapman):
                return self._reports(denominator)
            case _:
                return []

    def _count(self, count: Count) -> _Get:
        return self._column(self._series.flow(count, self.base))

    def _reports(self, reports: Chapman) -> list[_Get]:
        return [self._count(Count(reports.measure, bands=(band,))) for band in REPORTS]

    def _column(self, name: str) -> _Get:
        return lambda sums, place: sums[name][place]


def _reading(
    row: _Row, area: str, window: str, as_of: date, known_on: date | None, parts: Ingredients
) -> Reading:
    made = quotient(parts, row.entry.interval)
    known = not parts.missing
    return Reading(
        row.entry.key,
        row.base,
        area,
        window,
        as_of,
        known_on,
        parts.numerator if known else None,
        parts.denominator if known else None,
        made.value,
        made.low,
        made.high,
        made.reason,
        made.note,
    )


@lru_cache(maxsize=64)
def assembly(selection: Selection) -> Assembly:
    """How a selection is put together, made once."""
    return Assembly(selection)
