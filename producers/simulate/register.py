"""The register of the simulated city: who is registered at a year's end, and reference facts.

Everything here is invented in the likeness of published figures (``ages.csv``, ``suzhou.csv``,
``reference.csv``) and says so in its source.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from random import Random
from typing import NamedTuple

from producers.simulate.city import City
from producers.simulate.figures import Mix, suzhou
from schemas.districts import CITY

SOURCE = "模拟数据，非真实统计 (simulated, not real statistics)"
_PUBLISHED_AFTER = timedelta(days=21)


class People(NamedTuple):
    """One count of a baseline."""

    as_of: date
    known_on: date
    district: str
    sex: str
    birth_year: int
    value: int


class Fact(NamedTuple):
    """One reference fact."""

    indicator: str
    district: str
    as_of: date
    known_on: date
    value: Decimal
    source: str


def year_ends(city: City, today: date) -> list[tuple[date, date]]:
    """The ends of years a register is published for, and the days it is published on.

    The one before the city starts, and each later one that is published by ``today``.
    """
    years = range(city.start.year - 1, today.year)
    ends = [(date(year, 12, 31), date(year, 12, 31) + _PUBLISHED_AFTER) for year in years]
    return [days for place, days in enumerate(ends) if place == 0 or days[1] <= today]


def register(city: City, today: date) -> Iterator[People]:
    """The registered population at each year's end, by district, sex and birth year.

    The first is drawn from the pyramid of ages; each later one is the one before it after an
    average year of births, deaths and moves, so it differs a little from what the city's events
    give, as real registers do.
    """
    chance = Random(city.seed)  # noqa: S311 - a simulation, reproducible on purpose
    people: Counter[tuple[str, str, int]] = Counter()
    for as_of, known_on in year_ends(city, today):
        if not people:
            _settle(people, city, as_of.year)
        else:
            _one_year(people, city, as_of.year, chance)
        for (district, sex, born), value in sorted(people.items()):
            yield People(as_of, known_on, district, sex, born, value)


def _settle(people: Counter[tuple[str, str, int]], city: City, year: int) -> None:
    """Shares are carried over from place to place, so the sum is right at any scale."""
    carried = 0.0
    for district, thousands in suzhou().hukou.items():
        for row in _table("ages.csv"):
            first, last = int(row["first"]), int(row["last"])
            of_age = (
                thousands * 1000 * city.scale * int(row["permille"]) / 1000 / (last - first + 1)
            )
            men = int(row["male_permille"]) / 1000
            for age in range(first, last + 1):
                for sex, share in (("1", men), ("2", 1 - men)):
                    exact = of_age * share + carried
                    value = int(exact)
                    carried = exact - value
                    people[district, sex, year - age] += value


def _one_year(people: Counter[tuple[str, str, int]], city: City, year: int, chance: Random) -> None:
    places, yearly = Mix(suzhou().hukou), suzhou().yearly

    def many(name: str) -> range:
        return range(round(yearly[name] * city.scale))

    for _ in many("births_hukou"):
        people[places.pick(chance), "12"[chance.random() > 0.515], year] += 1
    for _ in many("moves_in_hukou"):
        born = year - int(chance.triangular(0, 80, 28))
        people[places.pick(chance), "12"[chance.random() > 0.49], born] += 1
    for name, youngest in (("deaths_hukou", 60), ("moves_out_hukou", 18)):
        for _ in many(name):
            district = places.pick(chance)
            able = [
                place
                for place, value in sorted(people.items())
                if place[0] == district and value and place[2] <= year - youngest
            ]
            if able:
                people[chance.choice(able)] -= 1


def reference(city: City, today: date) -> Iterator[Fact]:
    """Reference facts of the city and of its districts, at each year's end."""
    chance = Random(city.seed)  # noqa: S311 - a simulation, reproducible on purpose
    apart = {district: chance.uniform(-1, 1) for district in sorted(suzhou().hukou)}
    for place, (as_of, known_on) in enumerate(year_ends(city, today)):
        for row in _table("reference.csv"):
            value, spread, yearly = (float(row[name]) for name in ("value", "spread", "yearly"))
            for district in (*apart, CITY):
                if district == CITY and row["key"] == "urban_class":
                    continue
                exact = value + yearly * place + spread * apart.get(district, 0.0)
                most = 1.0 if row["key"] == "urban_class" else 100.0
                told = Decimal(str(round(min(exact, most), 4)))
                yield Fact(row["key"], district, as_of, known_on, told, SOURCE)


def _table(name: str) -> list[dict[str, str]]:
    text = files("producers.simulate").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
