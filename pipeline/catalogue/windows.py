"""Where a window begins, and how many days it has."""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.catalogue.vocabulary import WINDOWS, known

CALENDAR = ("year", "mcyear")
FIRST_MONTH_OF_MCYEAR = 10


@dataclass(frozen=True)
class Span:
    """The days of one window.

    Attributes:
        before: the day before its first.
        last: its last day, the ``as_of``.
        days: how many it has.
        twelve_months: days of the twelve months that end with it, 365 or 366.
    """

    before: date
    last: date
    days: int
    twelve_months: int


def span(window: str, as_of: date) -> Span:
    """The days of a window that ends with ``as_of``.

    Raises:
        CatalogueError: there is no such window.
    """
    known("window", window, WINDOWS)
    if window == "year":
        before = date(as_of.year - 1, 12, 31)
    elif window == "mcyear":
        before = date(as_of.year - (as_of.month < FIRST_MONTH_OF_MCYEAR), 9, 30)
    else:
        before = as_of - timedelta(days=int(window[:-1]))
    clamped = as_of.month == 2 and as_of.day == 29 and not isleap(as_of.year - 1)
    year_before = as_of.replace(year=as_of.year - 1, day=28 if clamped else as_of.day)
    return Span(before, as_of, (as_of - before).days, (as_of - year_before).days)
