"""Which readings are asked for, and the numbers that stand beside numerator and denominator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache

from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.model import Count, Indicator, Stock
from pipeline.catalogue.vocabulary import MOTHER_BANDS, WINDOWS, known
from pipeline.catalogue.windows import span
from schemas.districts import CITY, INSIDE

AREAS = (*sorted(INSIDE), CITY)
"""The ten districts and the city."""
AGES = tuple(range(15, 50, 5))
"""First year of the age groups of the fertility rate."""
PARTS_PER_ONE = 10**6
"""Reference facts have six decimals."""


@dataclass(frozen=True)
class Selection:
    """Readings asked for: each entry on each of its bases, in its windows among these."""

    entries: tuple[Indicator, ...]
    windows: tuple[str, ...]
    areas: tuple[str, ...]


def select(
    indicators: Iterable[str] | None = None,
    districts: Iterable[str] | None = None,
    windows: Iterable[str] | None = None,
) -> Selection:
    """Check names and keep what fits together; None means all.

    Raises:
        CatalogueError: a name that does not exist; the message lists those that do.
    """
    keys = tuple(INDICATORS) if indicators is None else tuple(dict.fromkeys(indicators))
    for key in keys:
        known("indicator", key, INDICATORS)
    wanted = tuple(WINDOWS) if windows is None else tuple(windows)
    for window in wanted:
        known("window", window, WINDOWS)
    places = AREAS if districts is None else tuple(dict.fromkeys(districts))
    for place in places:
        known("district", place, AREAS)
    entries = tuple(INDICATORS[key] for key in keys if set(INDICATORS[key].windows) & set(wanted))
    used = {window for entry in entries for window in entry.windows} & set(wanted)
    return Selection(entries, tuple(window for window in WINDOWS if window in used), places)


@lru_cache(maxsize=1024)
def factor(entry: Indicator, window: str, as_of: date) -> Fraction:
    """What the quotient is multiplied by: the unit's factor, and the annualisation."""
    if not entry.annualised:
        return Fraction(entry.scale)
    days = span(window, as_of)
    return Fraction(entry.scale * days.twelve_months, days.days)


def divisor(entry: Indicator, window: str, as_of: date) -> int:
    """How many days, or ends, the stock of a denominator was summed over.

    One where a stock is divided by a stock: their sums over the days are divided.
    """
    if not isinstance(entry.denominator, Stock) or isinstance(entry.numerator, Stock):
        return 1
    convention = entry.convention(window)
    return {"person_days": span(window, as_of).days, "mean_of_ends": 2}.get(convention, 1)


def mothers(entry: Indicator) -> tuple[Count, ...]:
    """Births by mothers' age group: under 15 with the first, over 49 with the last; then unknown.

    Ages outside 15–49 count at its ends.
    """
    if not isinstance(entry.numerator, Count):
        return ()
    groups: list[list[str]] = [[] for _ in AGES]
    for band in MOTHER_BANDS:
        if band != "unknown":
            first = int(band[:2])
            groups[min(max(first - AGES[0], 0) // 5, len(AGES) - 1)].append(band)
    measure = entry.numerator.measure
    return (*(Count(measure, bands=tuple(g)) for g in groups), Count(measure, bands=("unknown",)))


def women(entry: Indicator) -> tuple[Stock, ...]:
    """The women of each age group."""
    sex = entry.denominator.sex if isinstance(entry.denominator, Stock) else ""
    return tuple(Stock(sex=sex, ages=(age, age + 4)) for age in AGES)


def unknown_sex(count: Count) -> tuple[Count, Count]:
    """The counts whose sex is not said (0) or not known (9)."""
    return Count(count.measure, sex="0"), Count(count.measure, sex="9")
