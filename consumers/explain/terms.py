"""What the terms of a reading are made of: which cells, and how often each of them counts.

An event counts once inside its window; a change of a stock counts on every day of the window on
which it is felt. It is the same rule as the catalogue's SQL follows, on single cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from pipeline.catalogue.model import Count, Indicator, Stock
from pipeline.catalogue.vocabulary import RESIDENCIES
from pipeline.catalogue.windows import Span, span
from schemas.districts import CITY, INSIDE

Cell = tuple[str, str, date, str, str, str]
"""(measure, district, day, residency, sex, band)"""


@dataclass(frozen=True)
class Term:
    """Cells with their weights.

    Attributes:
        signs: measure → +1 where it adds, −1 where it is taken away.
        districts: of the cells.
        last: no later cell counts.
        after: no cell of this day or an earlier one counts; None: from the beginning.
        residencies: of the cells; empty: all.
        sex: only this code; empty: all.
        bands: only these; empty: all.
        ages: of birth-year bands, first and last completed year at the end of the calendar year.
        felt: how a stock is summed over the window (a convention); empty for events.
        days: the window.
        origin: the day of the baseline on which the changes of the population count.
        times: factor of each district; 1 where it is left out.
    """

    signs: Mapping[str, int]
    districts: frozenset[str]
    last: date
    after: date | None
    residencies: tuple[str, ...] = ()
    sex: str = ""
    bands: tuple[str, ...] = ()
    ages: tuple[int, int | None] | None = None
    felt: str = ""
    days: Span | None = None
    origin: date | None = None
    times: Mapping[str, Fraction] = field(default_factory=dict)

    def takes(self, cell: Cell) -> bool:
        """Whether a cell is one of them."""
        measure, district, day, residency, sex, band = cell
        return (
            measure in self.signs
            and district in self.districts
            and day <= self.last
            and (self.after is None or day > self.after)
            and (not self.residencies or residency in self.residencies)
            and self.sex in ("", sex)
            and (not self.bands or band in self.bands)
            and self._has_age(band)
        )

    def _has_age(self, band: str) -> bool:
        if self.ages is None:
            return True
        first, last = self.ages
        if not band.isdigit():
            return False
        age = self.last_year - int(band)
        return first <= age and (last is None or age <= last)

    @property
    def last_year(self) -> int:
        """The calendar year at whose end ages are taken."""
        return self.days.last.year if self.days else self.last.year

    def amount(self, cell: Cell, value: int) -> Fraction:
        """What a cell that is taken adds."""
        measure, district, day, *_ = cell
        weight = self.signs[measure] * self.weight(measure, day)
        return value * weight * self.times.get(district, Fraction(1))

    def weight(self, measure: str, day: date) -> int:
        """How often a change of a day counts."""
        if not self.felt or self.days is None:
            return 1
        before = measure == "population" and self.origin is not None and day <= self.origin
        return self._felt(day) - self.looks * before

    def _felt(self, day: date) -> int:
        assert self.days is not None  # noqa: S101 - asked of stocks only
        first, last = self.days.before, self.days.last
        return {
            "person_days": min(max((last - day).days + 1, 0), self.days.days),
            "mean_of_ends": (day <= first) + (day <= last),
            "end": int(day <= last),
            "start": int(day <= first),
        }[self.felt]

    @property
    def looks(self) -> int:
        """On how many days of the window a stock is looked at."""
        if self.days is None:
            return 1
        return {"person_days": self.days.days, "mean_of_ends": 2}.get(self.felt, 1)


def districts_of(area: str) -> frozenset[str]:
    """The districts of a reading's place."""
    return INSIDE if area == CITY else frozenset((area,))


def of_count(count: Count, base: str, area: str, window: str, as_of: date) -> Term:
    """The events of a window."""
    days = span(window, as_of)
    bands = ("outside",) if count.border and area == CITY else count.bands
    return Term(
        {count.measure: 1},
        districts_of(area),
        days.last,
        days.before,
        residencies=count.residencies(base) if base or count.residency else (),
        sex=count.sex,
        bands=bands,
        days=days,
    )


def of_stock(
    stock: Stock,
    entry: Indicator,
    base: str,
    area: str,
    window: str,
    as_of: date,
    origin: date | None,
    urban: Mapping[str, Fraction],
) -> list[Term]:
    """The changes of a stock: of the population since its baseline, of migrants since ever.

    Args:
        stock: the catalogue's term.
        entry: the indicator that it belongs to.
        base: of the reading.
        area: its place.
        window: its window.
        as_of: its last day.
        origin: the day of the baseline that serves; None: there is none.
        urban: urban share of each district, where the stock is of towns.
    """
    days = span(window, as_of)
    terms = []
    for measure in stock.measures(base):
        after, last = None, days.last
        if measure == "population" and origin is not None:
            after, last = min(origin, days.before), max(origin, days.last)
        terms.append(
            Term(
                {measure: 1},
                districts_of(area),
                last,
                after,
                sex=stock.sex,
                ages=stock.ages,
                felt=entry.convention(window),
                days=days,
                origin=origin if measure == "population" else None,
                times=urban if stock.urban else {},
            )
        )
    return terms


def left_over(entry: Indicator, base: str, area: str, window: str, as_of: date) -> Term | None:
    """What of a denominator is not in the numerator, where somebody has to work through it.

    Migrants known and not managed, arrivals not registered in time, permits not endorsed in time.
    """
    whole, part = entry.denominator, entry.numerator
    if isinstance(whole, Stock) and isinstance(part, Stock) and part.measure and whole.measure:
        (term,) = of_stock(whole, entry, base, area, window, as_of, None, {})
    elif isinstance(whole, Count) and isinstance(part, Count) and _is_done(part.measure):
        term = of_count(whole, base, area, window, as_of)
    else:
        return None
    signs = {whole.measure: 1, part.measure: -1}
    return Term(
        signs,
        term.districts,
        term.last,
        term.after,
        residencies=RESIDENCIES[base] if base else ("migrant",),
        felt=term.felt,
        days=term.days,
    )


def _is_done(measure: str) -> bool:
    """Whether a count is of what was done in time."""
    return measure.endswith("_in_time")
