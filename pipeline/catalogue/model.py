"""What an entry is made of: terms over the vocabulary, and the indicator they define.

Every name is checked when an entry is made, so a wrong one stops the program at import.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.catalogue.vocabulary import (
    BASES,
    CONVENTIONS,
    INTERVALS,
    MEASURES,
    RESIDENCIES,
    SEXES,
    UNITS,
    WINDOWS,
    CatalogueError,
    known,
)

URBAN_CLASS = "urban_class"
"""Reference fact of a district: the urban share of its residents, 0 to 1."""
STOCKS = {
    "hukou": ("population",),
    "resident": ("population", "migrants_resident"),
}
"""The stock measures whose sum is the population of a base."""


@dataclass(frozen=True)
class Count:
    """Events of a window.

    Attributes:
        measure: of the cells.
        sex: only this code.
        bands: only these; all when left out.
        residency: only this one; the base's when left out.
        border: in the whole city only what crosses its border counts.
    """

    measure: str
    sex: str = ""
    bands: tuple[str, ...] = ()
    residency: str = ""
    border: bool = False

    def __post_init__(self) -> None:
        known("measure", self.measure, MEASURES)
        measure = MEASURES[self.measure]
        if measure.stock:
            raise CatalogueError(f"{self.measure} is a stock: name it with Stock, not with Count")
        if self.sex:
            known("sex", self.sex, SEXES, self.measure)
        for band in self.bands:
            known("band", band, measure.bands, self.measure)
        if self.residency:
            known("residency", self.residency, measure.residencies, self.measure)
        if self.border and "outside" not in measure.bands:
            raise CatalogueError(f"{self.measure} does not say what crosses the border")

    def residencies(self, base: str) -> tuple[str, ...]:
        """Residencies of the cells that count on a base."""
        return (self.residency,) if self.residency else RESIDENCIES[base]

    def holds(self, base: str, residency: str, sex: str, band: str, *, in_city: bool) -> bool:
        """Whether a cell of the measure counts on a base, in a district or in the whole city."""
        return (
            (not (base or self.residency) or residency in self.residencies(base))
            and self.sex in ("", sex)
            and (not self.bands or band in self.bands)
            and not (self.border and in_city and band != "outside")
        )


@dataclass(frozen=True)
class Stock:
    """People at the end of a day.

    Attributes:
        measure: a stock measure; the population of the entry's base when left out.
        sex: only this code.
        ages: first and last completed year at the end of the calendar year; the last may be open.
        urban: times the urban share of their district (reference fact ``urban_class``).
    """

    measure: str = ""
    sex: str = ""
    ages: tuple[int, int | None] | None = None
    urban: bool = False

    def __post_init__(self) -> None:
        if self.measure:
            known("stock", self.measure, [name for name, m in MEASURES.items() if m.stock])
        if self.sex:
            known("sex", self.sex, SEXES, "a stock")
        if self.ages is not None and self.measure not in ("", "population"):
            raise CatalogueError(f"{self.measure} has no ages: only the registered population has")

    def measures(self, base: str) -> tuple[str, ...]:
        """The stock measures that are summed on a base."""
        return (self.measure,) if self.measure else STOCKS[base]

    def holds(self, year: int, sex: str, born: int | None) -> bool:
        """Whether somebody of a sex and birth year belongs to it at the end of a year."""
        if self.sex not in ("", sex):
            return False
        if self.ages is None:
            return True
        first, last = self.ages
        return born is not None and first <= year - born and (last is None or year - born <= last)

    def needs_baseline(self, base: str) -> bool:
        """Whether the cells alone do not give it."""
        return "population" in self.measures(base)


@dataclass(frozen=True)
class Between:
    """The two newest baselines: ``residual``, ``increase`` or ``mean``.

    ``residual``: the newest less what the one before it and the cells between them give.
    """

    part: str

    def __post_init__(self) -> None:
        known("part of a balance", self.part, ("residual", "increase", "mean"))


@dataclass(frozen=True)
class Fact:
    """The newest reference fact under the entry's own key: imported, never computed."""


@dataclass(frozen=True)
class One:
    """Nothing is divided."""


@dataclass(frozen=True)
class Chapman:
    """How many there were, estimated from two sectors' reports (Chapman 1951)."""

    measure: str

    def __post_init__(self) -> None:
        known("measure", self.measure, [n for n in MEASURES if n.endswith("_by_report")])


Numerator = Count | Stock | Between | Fact
Denominator = Count | Stock | Between | Chapman | One


@dataclass(frozen=True)
class Indicator:
    """One indicator, whole: value = numerator (less ``less``) ÷ denominator × factor of the unit.

    A count over a stock is annualised: × days of the twelve months that end with the window ÷
    days of the window.

    Attributes:
        key: its name everywhere.
        name_zh: 名称.
        name_en: English name.
        numerator: what is divided.
        denominator: by what.
        unit: of the value; gives the factor.
        windows: which it is read for.
        source: where the definition comes from.
        bases: whose counts; each gives a reading of its own.
        less: subtracted from the numerator.
        interval: how its interval is found.
        rolling: what a stock is over rolling windows.
        calendar: what a stock is over calendar windows.
        fertility: the value is the sum of rates by five-year age group, times five.
    """

    key: str
    name_zh: str
    name_en: str
    numerator: Numerator
    denominator: Denominator
    unit: str
    windows: tuple[str, ...]
    source: str
    bases: tuple[str, ...] = ("",)
    less: Count | None = None
    interval: str = "none"
    rolling: str = "person_days"
    calendar: str = "mean_of_ends"
    fertility: bool = False

    def __post_init__(self) -> None:
        key = self.key
        for window in self.windows:
            known("window", window, WINDOWS, key)
        for base in self.bases:
            known("base", base, BASES, key)
        known("unit", self.unit, UNITS, key)
        known("interval", self.interval, INTERVALS, key)
        known("denominator convention", self.rolling, CONVENTIONS, key)
        known("denominator convention", self.calendar, CONVENTIONS, key)
        if not (self.windows and self.bases and self.name_zh and self.name_en and self.source):
            raise CatalogueError(f"{key}: windows, bases, both names and the source are needed")
        for base in self.bases:
            _same_base(self, base)
        stocks = [t for t in (self.numerator, self.denominator) if isinstance(t, Stock)]
        if stocks and "mcyear" in self.windows:
            raise CatalogueError(f"{key}: the mother-and-child year divides counts by counts only")
        if isinstance(self.numerator, Stock) and {"year", "mcyear"} & set(self.windows):
            raise CatalogueError(f"{key}: a stock is read for days, not for a calendar year")
        if not isinstance(self.numerator, Count | Stock) and self.windows != ("1d",):
            raise CatalogueError(f"{key}: a fact or a balance is read for '1d' only")

    @property
    def scale(self) -> int:
        """The factor of the unit; an imported fact is in its unit already."""
        return 1 if isinstance(self.numerator, Fact) else UNITS[self.unit][0]

    @property
    def annualised(self) -> bool:
        """Whether the value is per year."""
        return isinstance(self.numerator, Count) and isinstance(self.denominator, Stock)

    @property
    def measures(self) -> frozenset[str]:
        """The measures of the cells that it reads."""
        return frozenset(
            measure
            for term in (self.numerator, self.denominator, self.less)
            for base in self.bases
            for measure in _read(term, base)
        )

    def convention(self, window: str) -> str:
        """What a stock is over a window, as a denominator."""
        return self.calendar if window in ("year", "mcyear") else self.rolling


def _read(term: Numerator | Denominator | None, base: str) -> tuple[str, ...]:
    match term:
        case Count() | Chapman():
            return (term.measure,)
        case Stock():
            return term.measures(base)
        case Between():
            return STOCKS["hukou"]
        case _:
            return ()


def _same_base(entry: Indicator, base: str) -> None:
    """Refuse an entry that divides the counts of some people by those of others."""
    terms = [entry.numerator, entry.denominator, *((entry.less,) if entry.less else ())]
    for term in terms:
        if isinstance(term, Stock) and not (base or term.measure):
            raise CatalogueError(f"{entry.key}: a population needs a base, 'hukou' or 'resident'")
        if isinstance(term, Stock) and term.ages is not None and base == "resident":
            raise CatalogueError(
                f"{entry.key}: mixed bases: ages are known of the registered population only,"
                " so the base must be 'hukou'"
            )
    named = {_people(term, base) for term in terms} - {None}
    if len(named) > 1:
        found = " and ".join(sorted("+".join(people) for people in named if people))
        raise CatalogueError(
            f"{entry.key}: mixed bases: numerator and denominator count different people ({found})"
            f" on the base {base!r}; give all terms one residency, or leave it to the base"
        )


def _people(term: Numerator | Denominator, base: str) -> tuple[str, ...] | None:
    """Whose counts a term holds; None for what is nobody's."""
    if isinstance(term, Count):
        able = MEASURES[term.measure].residencies
        people = tuple(one for one in term.residencies(base) if one in able)
        return people or term.residencies(base)
    if isinstance(term, Stock):
        return tuple(r for name in term.measures(base) for r in MEASURES[name].residencies)
    return None
