"""London's christenings of 1629–1710 as a daily series, with a shift if one is wanted."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

LONDON = Path(__file__).parents[1] / "data" / "christenings_london_1629_1710.csv"
YEARS_MOVED = 300
"""The contract takes no day before 1900."""


def christenings(factor: float = 1.0, since: int = 9999) -> Iterator[tuple[date, int, int]]:
    """Day, boys and girls; each year's are spread evenly over its days.

    Args:
        factor: of the odds of a boy, from a year on.
        since: that year, as moved.
    """
    with LONDON.open(newline="") as file:
        for line in csv.DictReader(file):
            year = int(line["year"]) + YEARS_MOVED
            boys, girls = int(line["boys"]), int(line["girls"])
            if year >= since:
                odds = boys / girls * factor
                boys, girls = (round((boys + girls) * part / (1 + odds)) for part in (odds, 1.0))
            first = date(year, 1, 1)
            days = (date(year + 1, 1, 1) - first).days
            for n in range(days):
                some = (count * (n + 1) // days - count * n // days for count in (boys, girls))
                yield (first + timedelta(n), *some)  # type: ignore[misc]
