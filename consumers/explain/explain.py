"""One reading taken apart: formula, terms, baselines, cells, records, and whether they add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

from consumers.explain.parts import Base, CellLine, Explanation, Imported, Part, Role
from consumers.explain.records import contributions
from consumers.explain.terms import Term, districts_of, left_over, of_count, of_stock
from consumers.indicators import readings
from consumers.store.client import Store
from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.model import URBAN_CLASS, Between, Chapman, Count, Fact, Indicator, Stock
from pipeline.catalogue.selection import divisor, mothers, women
from pipeline.catalogue.targets import TARGETS
from pipeline.catalogue.vocabulary import BASES, REPORTS, CatalogueError, known
from pipeline.core.rates import Reading, chapman
from schemas.clock import LAST_VALID


def explain(
    store: Store,
    indicator: str,
    area: str,
    as_of: date,
    known_on: date | None = None,
    *,
    window: str | None = None,
    base: str | None = None,
    limit: int | None = 20,
) -> Explanation:
    """Take a reading apart.

    Args:
        store: A connection with the right to read persons.
        indicator: Key of the catalogue.
        area: A district's code, 320500 for the city.
        as_of: Last day of the window.
        known_on: Only what was known at the end of this day; None: all that is known.
        window: One of the indicator's; None: the plan's, else the year, else its first.
        base: One of the indicator's; None: the plan's, else its first.
        limit: How many cells and records to show of each term; None: all.

    Raises:
        CatalogueError: A name that does not exist; the message lists those that do.
        StoreUnavailable: ClickHouse is away.
    """
    known("indicator", indicator, INDICATORS)
    entry = INDICATORS[indicator]
    target = next((t for t in TARGETS if t.indicator == indicator), None)
    if window is None:
        window = "year" if "year" in entry.windows else entry.windows[0]
    known("window", window, entry.windows, indicator)
    if base is None:
        base = target.base if target else entry.bases[0]
    if base not in entry.bases:
        spelled = [f"{one or 'all'} ({BASES[one][1]})" for one in entry.bases]
        raise CatalogueError(
            f"{indicator}: there is no base {base!r}. There are {', '.join(spelled)}"
        )
    found = readings(
        store, as_of, known_on, indicators=[indicator], districts=[area], windows=[window]
    )
    reading = next(each for each in found if each.base == base)
    taken = _Taken(store, entry, base, area, window, as_of, known_on, limit)
    return Explanation(reading, tuple(taken.parts(reading)), tuple(taken.detail(reading)))


@dataclass
class _Taken:
    """One reading being taken apart."""

    store: Store
    entry: Indicator
    base: str
    area: str
    window: str
    as_of: date
    known_on: date | None
    limit: int | None

    def parts(self, reading: Reading) -> Iterable[Part]:
        """Every part; of a reading without numbers what is there of it."""
        entry = self.entry
        yield from self._of(entry.numerator, "numerator", 1)
        if entry.less is not None:
            yield from self._of(entry.less, "less", 1)
        over = divisor(entry, self.window, self.as_of)
        yield from self._of(entry.denominator, "denominator", over)
        rest = left_over(entry, self.base, self.area, self.window, self.as_of)
        if rest is not None and reading.numerator is not None:
            yield self._counted(rest, "left_over", 1)

    def _of(self, term: Any, role: Role, over: int) -> Iterable[Part]:
        match term:
            case Count():
                counted = of_count(term, self.base, self.area, self.window, self.as_of)
                yield self._counted(counted, role, over)
            case Stock():
                yield from self._stock(term, role, over)
            case Between():
                yield from self._between(term.part, role)
            case Chapman():
                health, police, both = (int(n) for n in self._sectors(term.measure))
                yield Part(role, (term.measure,), chapman(health, police, both))
            case Fact():
                facts = tuple(self._facts(self.entry.key, (self.area,)))
                yield Part(role, (), sum((f.value for f in facts), Fraction(0)), facts=facts)
            case _:
                yield Part(role, (), Fraction(1))

    def _stock(self, stock: Stock, role: Role, over: int) -> Iterable[Part]:
        newest, _ = self._baselines()
        urban = self._urban() if stock.urban else {}
        for term in of_stock(
            stock,
            self.entry,
            self.base,
            self.area,
            self.window,
            self.as_of,
            newest[0] if newest else None,
            {fact.district: fact.value for fact in urban.values()},
        ):
            bases: tuple[Base, ...] = ()
            if "population" in term.signs and newest is not None:
                bases = (self._base(newest, term, term.looks),)
            yield self._counted(term, role, over, bases, tuple(urban.values()))

    def _between(self, part: str, role: Role) -> Iterable[Part]:
        newest, earlier = self._baselines()
        if newest is None or earlier is None:
            return
        everybody = Term({"population": 1}, districts_of(self.area), newest[0], earlier[0])
        signs = (1, 1) if part == "mean" else (1, -1)
        bases = tuple(
            self._base(days, everybody, sign)
            for days, sign in zip((newest, earlier), signs, strict=True)
        )
        over = 2 if part == "mean" else 1
        if part != "residual":
            yield Part(
                role, ("population",), sum(b.amount for b in bases) + Fraction(0), over, bases
            )
            return
        taken = Term({"population": -1}, everybody.districts, newest[0], earlier[0])
        yield self._counted(taken, role, over, bases)

    def _counted(
        self,
        term: Term,
        role: Role,
        over: int,
        bases: tuple[Base, ...] = (),
        facts: tuple[Imported, ...] = (),
    ) -> Part:
        total = self._total(term)
        lines, more = self._cells(term)
        return Part(
            role,
            tuple(term.signs),
            total + sum((each.amount for each in bases), Fraction(0)),
            over,
            bases,
            lines,
            more,
            facts,
            contributions(self.store, term, self.known_on, total, self.limit),
        )

    def _where(self, term: Term) -> tuple[str, dict[str, Any]]:
        """The cells of a term, but for what a factor of nothing leaves out."""
        conditions = [
            "measure IN {measures:Array(String)}",
            "district IN {districts:Array(String)}",
            "day <= {last:Date32}",
            "known_on <= {known_on:Date32}",
        ]
        values: dict[str, Any] = {
            "measures": list(term.signs),
            "districts": sorted(term.districts),
            "last": term.last,
            "known_on": self.known_on or LAST_VALID,
        }
        if term.after is not None:
            conditions.append("day > {after:Date32}")
            values["after"] = term.after
        if term.residencies:
            conditions.append("residency IN {residencies:Array(String)}")
            values["residencies"] = list(term.residencies)
        if term.sex:
            conditions.append("sex = {sex:String}")
            values["sex"] = term.sex
        if term.bands:
            conditions.append("band IN {bands:Array(String)}")
            values["bands"] = list(term.bands)
        return " AND ".join(conditions), values

    def _total(self, term: Term) -> Fraction:
        where, values = self._where(term)
        band = "band" if term.ages else "''"
        rows = self.store.query(
            f"SELECT measure, district, day, '', '', {band}, sum(value)"  # noqa: S608 - ours
            f" FROM population.cells FINAL WHERE {where} GROUP BY ALL",
            values,
        )
        loose = _without_bands(term)
        return sum(
            (term.amount(row[:6], row[6]) for row in rows if loose.takes(row[:6])), Fraction(0)
        )

    def _cells(self, term: Term) -> tuple[tuple[CellLine, ...], int]:
        """The newest cells that add something, and how many more there are."""
        where, values = self._where(term)
        names = "measure, district, day, known_on, residency, sex, band"
        rows = self.store.blocks(
            f"SELECT {names}, sum(value) AS total FROM population.cells FINAL"  # noqa: S608 - ours
            f" WHERE {where} GROUP BY {names} HAVING total != 0"
            " ORDER BY day DESC, known_on DESC, measure, district, sex, band",
            values,
        )
        lines: list[CellLine] = []
        more = 0
        for block in rows:
            for measure, district, day, known_on, residency, sex, band, value in block:
                cell = (measure, district, day, residency, sex, band)
                if not term.takes(cell) or not term.weight(measure, day):
                    continue
                if self.limit is not None and len(lines) >= self.limit:
                    more += 1
                    continue
                amount = term.amount(cell, value)
                lines.append(
                    CellLine(measure, district, day, known_on, residency, sex, band, value, amount)
                )
        return tuple(lines), more

    def _base(self, days: tuple[date, date], term: Term, times: int) -> Base:
        as_of, known_on = days
        rows = self.store.query(
            "SELECT district, sex, birth_year, value FROM population.baseline"
            " WHERE as_of = {as_of:Date32} AND known_on = {known_on:Date32}"
            " AND district IN {districts:Array(String)}",
            {"as_of": as_of, "known_on": known_on, "districts": sorted(term.districts)},
        )
        people, amount = 0, Fraction(0)
        free = _without_days(term)
        for district, sex, born, value in rows:
            if free.takes(("population", district, term.last, "hukou", sex, str(born))):
                people += value
                amount += value * times * term.times.get(district, Fraction(1))
        return Base(as_of, known_on, people, amount)

    def _baselines(self) -> tuple[tuple[date, date] | None, tuple[date, date] | None]:
        """The baseline that serves, and the one before it."""
        days = self.store.query(
            "SELECT DISTINCT as_of, known_on FROM population.baseline"
            " WHERE known_on <= {known_on:Date32}",
            {"known_on": self.known_on or LAST_VALID},
        )
        newest = max(days, key=lambda pair: (pair[1], pair[0]), default=None)
        before = [pair for pair in days if newest and pair[0] < newest[0]]
        return newest, max(before, default=None)

    def _urban(self) -> dict[str, Imported]:
        places = sorted(districts_of(self.area))
        return {fact.district: fact for fact in self._facts(URBAN_CLASS, places)}

    def _facts(self, key: str, places: Iterable[str]) -> Iterable[Imported]:
        """The newest reference fact of each place."""
        rows = self.store.query(
            "SELECT indicator, district, as_of, known_on, value, unit, source"
            " FROM population.reference WHERE indicator = {key:String}"
            " AND district IN {places:Array(String)} AND known_on <= {known_on:Date32}"
            " AND as_of <= {as_of:Date32} ORDER BY district, as_of DESC, known_on DESC"
            " LIMIT 1 BY district",
            {
                "key": key,
                "places": list(places),
                "known_on": self.known_on or LAST_VALID,
                "as_of": self.as_of,
            },
        )
        for indicator, district, as_of, known_on, value, unit, source in rows:
            yield Imported(indicator, district, as_of, known_on, Fraction(value), unit, source)

    def _sectors(self, measure: str) -> list[Fraction]:
        """Reports of health only, of police only, of both."""
        return [self._total(self._events(Count(measure, bands=(band,)))) for band in REPORTS]

    def _events(self, count: Count) -> Term:
        return of_count(count, self.base, self.area, self.window, self.as_of)

    def detail(self, reading: Reading) -> Iterable[tuple[str, Fraction]]:
        """What the value needs beside numerator and denominator."""
        entry = self.entry
        if reading.numerator is None:
            return
        if isinstance(entry.denominator, Chapman):
            yield from zip(REPORTS, self._sectors(entry.denominator.measure), strict=True)
        if entry.fertility:
            over = divisor(entry, self.window, self.as_of)
            for births, stock in zip(mothers(entry), (*women(entry), None), strict=True):
                age = (
                    "unknown"
                    if stock is None or not stock.ages
                    else f"{stock.ages[0]}-{stock.ages[1]}"
                )
                yield f"births {age}", self._total(self._events(births))
                if stock is not None:
                    parts = self._stock_amount(stock)
                    yield f"women {age}", parts / over

    def _stock_amount(self, stock: Stock) -> Fraction:
        newest, _ = self._baselines()
        total = Fraction(0)
        for term in of_stock(
            stock, self.entry, self.base, self.area, self.window, self.as_of,
            newest[0] if newest else None, {},
        ):  # fmt: skip
            total += self._total(term)
            if newest is not None:
                total += self._base(newest, term, term.looks).amount
        return total


def _without_bands(term: Term) -> Term:
    """The same for rows whose residency, sex and band were chosen before."""
    return replace(term, residencies=(), sex="", bands=())


def _without_days(term: Term) -> Term:
    """The same for people of a baseline, who belong to no day."""
    return replace(term, after=None, residencies=(), bands=())
