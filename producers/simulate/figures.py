"""The measure of the simulated city: yearly numbers, stocks and shapes.

``suzhou.csv`` says of each number whether it was published for Suzhou in 2015 or is assumed; the
shapes here are assumed in the likeness of published ones. Nobody in the city exists.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

Item = TypeVar("Item")

BIRTHS_BY_WEEKDAY = (1.06, 1.16, 1.10, 1.10, 1.12, 0.80, 0.66)
"""Monday first; planned deliveries avoid the week-end. The mean is 1."""
BIRTHS_BY_MONTH = (1.0, 0.96, 0.95, 0.94, 0.96, 0.98, 1.0, 1.03, 1.05, 1.07, 1.05, 1.01)
DEATHS_BY_MONTH = (1.18, 1.12, 1.04, 0.97, 0.93, 0.90, 0.93, 0.95, 0.92, 0.94, 1.0, 1.12)
OFFICE_BY_WEEKDAY = (1.25, 1.2, 1.15, 1.15, 1.2, 0.65, 0.4)
"""Offices and wards: acts that people choose the day of."""
ARRIVALS_BY_MONTH = (0.55, 1.35, 1.7, 1.2, 1.05, 1.0, 1.05, 0.95, 0.95, 0.85, 0.75, 0.6)
"""Migrants come after the Spring Festival."""

SEX_RATIO = 1.06
"""Boys to girls."""


class Mix(Generic[Item]):
    """Things with their weights."""

    def __init__(self, weights: dict[Item, float]) -> None:
        self._items = list(weights)
        self._cumulated = list(accumulate(weights.values()))

    def pick(self, chance: Random) -> Item:
        """One of them, as often as its weight says."""
        return chance.choices(self._items, cum_weights=self._cumulated)[0]


CAUSES = Mix(
    {
        "I21.9": 12.0,
        "I63.9": 14.0,
        "I25.1": 9.0,
        "C34.9": 9.0,
        "C16.9": 6.0,
        "C22.9": 5.0,
        "J44.9": 10.0,
        "J18.9": 4.0,
        "E14.9": 3.0,
        "V89.2": 2.5,
        "W19.x00": 2.5,
        "X70.x00": 0.8,
        "K74.6": 1.5,
        "N18.9": 1.2,
        "R54.x00": 6.0,
    }
)
INFANT_CAUSES = Mix({"P07.3": 5.0, "P21.9": 3.0, "Q24.9": 3.0, "P36.9": 1.0, "R95.x00": 0.5})
DIAGNOSES = Mix(
    {
        "I10.x00x002": 9.0,
        "I63.900": 7.0,
        "I25.103": 6.0,
        "J18.900": 7.0,
        "J44.101": 4.0,
        "E11.900": 5.0,
        "K80.200": 4.0,
        "K35.900": 3.0,
        "C34.900": 4.0,
        "C50.900": 2.0,
        "M51.202": 4.0,
        "S72.000": 2.5,
        "S82.800": 2.5,
        "N20.100": 3.0,
        "H25.900": 3.0,
        "F20.900": 1.0,
        "D25.900": 2.0,
        "A09.901": 1.5,
        "Z51.102": 8.0,
        "R42.x00": 2.0,
    }
)
DELIVERIES = Mix({"O80.000": 5.0, "O82.000": 4.0, "O81.000": 0.2, "O42.000": 1.2, "O24.400": 1.0})
DEFECTS = Mix({"Q21.0": 4.0, "Q21.1": 4.0, "Q69.9": 2.0, "Q36.9": 1.0, "Q54.9": 1.0, "Q66.8": 1.0})
SCHEMES = Mix({"employee": 45.0, "resident": 35.0, "other": 8.0, "none": 12.0})
FUND_SHARES = {"employee": 0.80, "resident": 0.66, "other": 0.5, "none": 0.0}
OUTSIDE = Mix(
    {
        "341200": 14.0,
        "341300": 8.0,
        "320900": 10.0,
        "321300": 8.0,
        "411500": 9.0,
        "411600": 7.0,
        "371300": 6.0,
        "420100": 4.0,
        "610100": 3.0,
        "522200": 4.0,
        "310115": 3.0,
        "000000": 1.0,
    }
)
"""Where people come from and go to."""
DEATH_AGES = Mix(
    {(0, 15): 1.0, (15, 45): 4.0, (45, 60): 11.0, (60, 70): 17.0, (70, 80): 26.0, (80, 100): 41.0}
)


@dataclass(frozen=True)
class Figures:
    """Yearly numbers and stocks of the whole city.

    Attributes:
        yearly: acts a year by name.
        hukou: weight of each district among people registered here.
        migrants: people living here without it, by district.
    """

    yearly: dict[str, float]
    hukou: dict[str, float]
    migrants: dict[str, float]


@cache
def suzhou() -> Figures:
    """What ``suzhou.csv`` says."""
    tables: dict[str, dict[str, float]] = defaultdict(dict)
    yearly: dict[str, float] = {}
    text = files("producers.simulate").joinpath("suzhou.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        if row["key"]:
            tables[row["quantity"]][row["key"]] = float(row["value"])
        else:
            yearly[row["quantity"]] = float(row["value"])
    return Figures(yearly, tables["hukou_thousands"], tables["migrants"])
