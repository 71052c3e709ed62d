"""The catalogue's SQL on the real engine against its plain evaluation, on random cells."""

from __future__ import annotations

import random
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.delays import delays
from consumers.indicators import readings
from consumers.store.client import Store
from pipeline.catalogue import INDICATORS, REFERENCE_KEYS
from pipeline.catalogue.evaluate import Cell, Imported, Person, evaluate
from pipeline.catalogue.selection import select
from pipeline.catalogue.vocabulary import MEASURES, SEXES
from pipeline.core.delays import FINAL
from pipeline.core.published import publish
from pipeline.core.rates import Reading
from pipeline.indicators import complete_share
from schemas.clock import day_number
from schemas.districts import CITY, INSIDE
from tests.cases.cells import put_cells, put_facts, put_people

AREAS = ("320505", "320506", CITY)
DAYS = [
    date(2016, 2, 29),
    date(2015, 12, 31),
    date(2017, 1, 1),
    date(2016, 9, 30),
    date(2017, 2, 28),
]


def city(
    seed: int,
) -> tuple[list[Cell], list[Person], list[Imported], date, date]:
    """Cells, baselines and facts about a day, and a day of knowledge; any of them may be empty."""
    chance = random.Random(seed)
    as_of = chance.choice(DAYS)
    cells = []
    for measure, rule in MEASURES.items():
        for _ in range(chance.choice([0, 3, 12])):
            band = chance.choice(rule.bands or ("",))
            if measure == "population":
                band = chance.choice(["unknown", *map(str, range(1930, 2018, 3))])
            day = as_of - timedelta(
                chance.choice([-3, 0, 1, 6, 7, 27, 28, 90, 91, 200, 364, 365, 900])
            )
            cell = Cell(
                measure,
                chance.choice(["320505", "320505", "320506", "320581"]),
                day,
                day + timedelta(chance.choice([0, 2, 40])),
                chance.choice(rule.residencies),
                chance.choice(SEXES),
                band,
                chance.choice([1, 1, 2, 5, 30, -1 if rule.stock else 1]),
            )
            cells.append(cell)
            if chance.random() < 0.2:  # taken back later
                later = cell.known_on + timedelta(30)
                cells.append(cell._replace(known_on=later, value=-cell.value))
    people = []
    for days_before, delay in chance.choice(
        [(), ((400, 20),), ((900, 9), (100, 30)), ((30, 5), (700, 500))]
    ):
        of_day = as_of - timedelta(days_before)
        people += [
            Person(of_day, of_day + timedelta(delay), place, sex, born, chance.choice([0, 4, 50]))
            for place in INSIDE
            for sex in "12"
            for born in range(of_day.year - 70, of_day.year, 4)
        ]
    facts = [
        Imported(
            key,
            place,
            as_of - timedelta(back),
            as_of - timedelta(back - 7),
            Fraction(chance.choice([0, 749, 1000]), 1000),
        )
        for key in chance.choice([(), REFERENCE_KEYS])
        for place in (*INSIDE, CITY)
        for back in (10, 400)
    ]
    return cells, people, facts, as_of, as_of + timedelta(chance.choice([0, -60, 60]))


def close(left: Reading, right: Reading) -> bool:
    """Equal to the digit in what is exact, and to rounding in the interval."""
    exact = ("key", "as_of", "numerator", "denominator", "value", "reason", "note")
    if any(getattr(left, name) != getattr(right, name) for name in exact):
        return False
    if left.low is None or right.low is None:
        return left.low is right.low and left.high is right.high
    ends = (right.low, right.high)
    return (left.low, left.high) == pytest.approx(ends, rel=1e-9, abs=1e-9)


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_sql_and_plain_evaluation_agree(store: Store, seed: int) -> None:
    _agree(store, seed)


@pytest.mark.long
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_they_agree_on_many_cities(store: Store, seed: int) -> None:
    _agree(store, seed)


def _agree(store: Store, seed: int) -> None:
    cells, people, facts, as_of, known_on = city(seed)
    put_cells(store, cells)
    put_people(store, people)
    put_facts(store, facts)
    found = readings(store, as_of, known_on, districts=AREAS)
    plain = evaluate(select(districts=AREAS), as_of, known_on, cells, people, facts)
    assert len(found) == len(plain) > len(INDICATORS)
    for ours, theirs in zip(found, plain, strict=True):
        assert close(ours, theirs), (ours, theirs)
    rows = {
        row[:4]: row[4:]
        for row in store.query(
            "SELECT indicator, base, district, `window`, numerator, denominator, value, low, high,"
            " reason, note, completeness, status"
            " FROM indicators_as_known(as_of = {a:Date32}, known_on = {k:Date32})",
            {"a": as_of, "k": known_on},
        )
    }
    shares = delays(store, known_on)
    for ours in found:
        *figures, reason, note, complete, status = rows[ours.key]
        assert (reason, note) == (ours.reason, ours.note), ours
        wanted = (ours.numerator, ours.denominator, ours.value, ours.low, ours.high)
        for seen, exact in zip(figures, wanted, strict=True):
            about = None if exact is None else pytest.approx(float(exact), rel=1e-6, abs=1e-6)
            assert seen == about, ours
        share = complete_share(ours, shares, known_on)
        assert complete == (None if share is None else pytest.approx(share, abs=0.0011)), ours
        news = publish(ours, share, None, known_on, "")
        assert news is not None
        assert status == news.status or abs((share or 0) - FINAL) < 0.001, ours


def test_a_subset_is_the_same_as_the_whole(store: Store) -> None:
    as_of = date(2016, 3, 1)
    cells = [
        Cell("births", place, as_of - timedelta(n), as_of, "hukou", "1", "25-29", 2)
        for place in ("320505", "320581")
        for n in range(40)
    ]
    people = [Person(date(2015, 12, 31), as_of, p, "2", 1990, 100) for p in INSIDE]
    put_cells(store, cells)
    put_people(store, people)
    put_facts(store, [])
    whole = {reading.key: reading for reading in readings(store, as_of)}
    some = readings(store, as_of, indicators=["birth_rate"], districts=["320505"], windows=["28d"])
    assert [reading.base for reading in some] == ["hukou", "resident"]
    assert all(whole[reading.key] == reading for reading in some)
    assert some[0].numerator == 56
    assert day_number(as_of) > 0
