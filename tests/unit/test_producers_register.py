"""The simulated city's register and reference facts."""

from __future__ import annotations

from collections import Counter
from datetime import date

from producers.simulate.city import City
from producers.simulate.register import SOURCE, reference, register, year_ends
from schemas.districts import CITY, INSIDE

CITY_OF_TEST = City(seed=1, scale=0.002, start=date(2025, 1, 1))
TODAY = date(2026, 11, 25)


def test_a_year_s_register_is_published_three_weeks_later() -> None:
    before, after = date(2026, 1, 20), date(2026, 1, 21)
    first = (date(2024, 12, 31), date(2025, 1, 21))
    assert year_ends(CITY_OF_TEST, before) == [first]
    assert year_ends(CITY_OF_TEST, after) == [first, (date(2025, 12, 31), after)]


def test_it_has_the_size_of_the_city_and_covers_it() -> None:
    rows = list(register(CITY_OF_TEST, TODAY))
    totals = Counter[date]()
    for row in rows:
        totals[row.as_of] += row.value
    first, second = sorted(totals)
    assert abs(totals[first] - 6_699_000 * 0.002) < 2
    # A year of births, deaths and moves: 132 - 91 + 127 - 43.
    assert totals[second] - totals[first] == 125
    assert {row.district for row in rows if row.as_of == first} == INSIDE
    assert min(row.value for row in rows) >= 0
    assert rows == list(register(CITY_OF_TEST, TODAY))


def test_an_aged_city() -> None:
    rows = [row for row in register(CITY_OF_TEST, TODAY) if row.as_of == date(2024, 12, 31)]
    old = sum(row.value for row in rows if 2024 - row.birth_year >= 60)
    assert round(100 * old / sum(row.value for row in rows), 0) == 25


def test_facts_say_that_they_are_simulated() -> None:
    facts = list(reference(CITY_OF_TEST, TODAY))
    assert {fact.source for fact in facts} == {SOURCE}
    assert "simulated" in SOURCE
    assert "模拟" in SOURCE
    places = {fact.district for fact in facts if fact.indicator == "urban_class"}
    assert places == INSIDE
    assert {fact.district for fact in facts if fact.indicator == "beds_per_1000"} == {*INSIDE, CITY}
    shares = [fact.value for fact in facts if fact.indicator == "urban_class"]
    assert 0.5 < min(shares) <= max(shares) <= 1
