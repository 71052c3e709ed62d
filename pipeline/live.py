"""The sums behind one day's readings, kept up to date by what today's cells add.

Cells that become known today are few: what was known before is summed once by the store, and each
new or changed cell of today moves only the sums it counts in. A flush costs what it touched. News
about an earlier day of knowledge (a replay of history), another baseline or reference fact make the
sums stale: they are asked for anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from consumers.changes import CELL, Changed
from consumers.indicators import SETTINGS, sums
from consumers.store.client import Store
from pipeline.catalogue.assemble import Assembly
from pipeline.catalogue.model import URBAN_CLASS, Indicator
from pipeline.catalogue.selection import select
from pipeline.catalogue.windows import CALENDAR, span
from pipeline.core.rates import Reading
from schemas.clock import day_number
from schemas.districts import CITY

_BEFORE = "known_on < {known_on:Date32}"
_TODAY = f"""SELECT {", ".join(CELL)}, value FROM population.cells FINAL
WHERE known_on = {{known_on:Date32}}"""  # noqa: S608 - names of our own


class Live:
    """One day's sums.

    Args:
        store: a connection; what it holds is read at once.
        as_of: last day of every window, and the day of knowledge.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """

    def __init__(self, store: Store, as_of: date) -> None:
        self.as_of = as_of
        self._how = Assembly(select(), known=_BEFORE)
        series = self._how.series
        known = {"as_of": as_of, "known_on": as_of}
        self._sums, self._context = sums(
            store.columns(series.statement() + SETTINGS, known), self._how
        )
        names = [name + factor for name in series.scatter for factor in "yx"]
        self._daily: dict[tuple[str, int], dict[str, int]] = {
            (area, day): dict(zip(names, values, strict=True))
            for area, day, *values in store.query(series.daily(), known)
        }
        self._spans = [span(window, as_of) for window in series.windows]
        self._today = day_number(as_of)
        self._held: dict[tuple[Any, ...], int] = {}
        self._columns: dict[tuple[str, str, str, str, bool], tuple[tuple[str, ...], ...]] = {}
        self.apply(Changed(*row) for row in store.query(_TODAY, known))

    def apply(self, cells: Iterable[Changed]) -> None:
        """Count the new totals of cells known today in place of what was held of them."""
        for cell in cells:
            key = cell[:-1]
            moved = cell.value - self._held.get(key, 0)
            self._held[key] = cell.value
            if moved:
                day = day_number(cell.day)
                for area in (cell.district, CITY):
                    self._move(cell, area, day, moved)

    def readings(self, wanted: Callable[[Indicator, str], bool]) -> Iterator[Reading]:
        """The readings of entries and areas that are wanted."""
        yield from self._how.readings(self._sums, self._context, self.as_of, self.as_of, wanted)

    def _move(self, cell: Changed, area: str, day: int, moved: int) -> None:
        columns = self._sums[area]
        flows, stocks, pairs = self._columns_of(cell, in_city=area == CITY)
        age = self._today - day
        within = [place for place, window in enumerate(self._spans) if 0 <= age < window.days]
        for name in flows:
            column = columns[name]
            for place in within:
                column[place] += moved
        for name in stocks:
            column = columns[name]
            stock, _, conventions = self._how.series.stocks[name]
            share = self._context.facts.get(f"{URBAN_CLASS}|{cell.district}", 0)
            each = moved * (share if stock.urban else 1)
            for place in range(len(self._spans)):
                column[place] += each * self._weight(conventions, place, cell.measure, day)
        for name in pairs:
            self._scatter(columns, name, area, day, within, moved)
        if cell.measure == "population" and "residual" in columns:
            earlier, newest = self._context.earlier, self._context.newest
            if earlier is not None and newest is not None and earlier < day <= newest:
                columns["residual"][:] = [sum_ - moved for sum_ in columns["residual"]]

    def _weight(self, conventions: tuple[str, str], place: int, measure: str, day: int) -> int:
        """How often a change of a day is felt in a window; one that a baseline holds is not."""
        window, age = self._spans[place], self._today - day
        newest = self._context.newest
        held = measure == "population" and newest is not None and day <= newest
        at_end, at_start = age >= 0, age >= window.days
        convention = conventions[self._how.series.windows[place] in CALENDAR]
        return {
            "person_days": max(0, min(window.days, age + 1)) - window.days * held,
            "mean_of_ends": at_start + at_end - 2 * held,
            "end": at_end - held,
            "start": at_start - held,
        }[convention]

    def _scatter(
        self,
        columns: dict[str, list[int]],
        name: str,
        area: str,
        day: int,
        within: list[int],
        moved: int,
    ) -> None:
        """Move the sums of squares and products of one day's ``y`` or ``x``."""
        column, factor = name[:-1], name[-1]
        both = self._daily.setdefault((area, day), {})
        own, other = both.get(name, 0), both.get(column + "yx"["yx".index(factor) - 1], 0)
        both[name] = own + moved
        for place in within:
            columns[f"{column}_{factor * 2}"][place] += 2 * own * moved + moved * moved
            columns[f"{column}_xy"][place] += other * moved

    def _columns_of(self, cell: Changed, *, in_city: bool) -> tuple[tuple[str, ...], ...]:
        """The columns of counts, of stocks and of scatters in which a cell counts."""
        kind = (cell.measure, cell.residency, cell.sex, cell.band, in_city)
        if kind in self._columns:
            return self._columns[kind]
        series, told = self._how.series, (cell.residency, cell.sex, cell.band)
        born = int(cell.band) if cell.band.isdigit() else None
        flows = [
            name
            for name, (count, base) in series.flows.items()
            if count.measure == cell.measure and count.holds(base, *told, in_city=in_city)
        ]
        stocks = [
            name
            for name, (stock, base, _) in series.stocks.items()
            if cell.measure in stock.measures(base) and stock.holds(self.as_of.year, cell.sex, born)
        ]
        pairs = [
            name + factor
            for name, (y, x, base) in series.scatter.items()
            for factor, count in (("y", y), ("x", x))
            if count.measure == cell.measure and count.holds(base, *told, in_city=in_city)
        ]
        self._columns[kind] = (tuple(flows), tuple(stocks), tuple(pairs))
        return self._columns[kind]
