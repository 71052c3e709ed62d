"""What is measured with: a simulated city in its steady state, not its first registration.

A twentieth of Suzhou in February and after: 54 % permits, 34 % moves, 9 % discharges, 1 % births
and deaths each, reported with delays, twice, corrected and voided, 320 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice

from producers.items import Dated
from producers.simulate.city import City

SCALE = 0.05
START = date(2016, 1, 1)
STEADY = date(2016, 2, 1)
END = date(2017, 12, 31)


def events(number: int) -> Iterator[Dated]:
    """So many messages, always the same."""
    return islice(City(7, SCALE, START).days(STEADY, END), number)
