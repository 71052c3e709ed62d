"""Two years of the simulated city: any day, as known on any day.

The city reports late, corrects and withdraws. Its events go through the ledger's own code into the
real engine; what an outside reader gets from ``indicators_as_known`` is compared with the plain
evaluation of a recount of only the records known by then.
"""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from consumers.audit.recount import Accepted, recount
from consumers.store.client import Store
from pipeline.catalogue.evaluate import Cell, Imported, Person, evaluate
from pipeline.catalogue.selection import select
from producers.simulate.city import City
from producers.simulate.register import reference, register
from schemas.clock import day_date, local_day
from schemas.districts import CITY
from schemas.sources import DEMONSTRATION
from tests.cases.cells import put_cells, put_facts, put_people
from tests.laws.machine import Machine

START, END = date(2016, 1, 1), date(2017, 12, 31)
PRIORITIES = {source.name: source.priority for source in DEMONSTRATION}
AREAS = ("320583", "320508", CITY)


class Lived:
    """A city, what was reported of it, and what its register says."""

    def __init__(self, scale: float) -> None:
        self.city = City(seed=5, scale=scale, start=START)
        self.accepted = [
            Accepted(json.loads(message.value), day_date(local_day(message.timestamp_ms)))
            for message in self.city.days(START, END)
        ]
        self.people = [Person(*row) for row in register(self.city, END + timedelta(40))]
        self.facts = [
            Imported(f.indicator, f.district, f.as_of, f.known_on, Fraction(f.value))
            for f in reference(self.city, END + timedelta(40))
        ]

    def known_by(self, by: date) -> tuple[list[Person], list[Imported]]:
        """The baselines and reference facts known by a day."""
        return (
            [row for row in self.people if row.known_on <= by],
            [fact for fact in self.facts if fact.known_on <= by],
        )

    def cells_known(self, by: date) -> list[Cell]:
        """Recounted from only the records known by a day."""
        known = [each for each in self.accepted if each.known_on <= by]
        counted = recount(known, PRIORITIES).cells
        return [Cell(*key, value) for key, value in counted.items()]


def _check(lived: Lived, store: Store, folder: Path, pairs: int) -> None:
    machine = Machine(folder, PRIORITIES, partitions=2)
    machine.publish(lived.accepted)
    machine.run([500], [])
    put_cells(store, [Cell(*key, value) for key, value in machine.cells().items()])
    put_people(store, lived.people)
    put_facts(store, lived.facts)
    chance = random.Random(1)
    selection = select(districts=AREAS)
    valued = 0
    for _ in range(pairs):
        known_on = START + timedelta(chance.randrange(30, (END - START).days))
        as_of = known_on - timedelta(chance.choice([0, 1, 3, 10, 40, 120, 300]))
        seen = {
            row[:4]: row[4:]
            for row in store.query(
                "SELECT indicator, base, district, `window`, numerator, denominator, value, reason"
                " FROM population.indicators_as_known(as_of = {a:Date32}, known_on = {k:Date32})",
                {"a": as_of, "k": known_on},
            )
        }
        cells = lived.cells_known(known_on)
        for wanted in evaluate(selection, as_of, None, cells, *lived.known_by(known_on)):
            numerator, denominator, value, reason = seen[wanted.key]
            figures = (wanted.numerator, wanted.denominator, wanted.value)
            for got, exact in zip((numerator, denominator, value), figures, strict=True):
                about = None if exact is None else pytest.approx(float(exact), rel=1e-12)
                assert got == about, (wanted, as_of, known_on)
            assert reason == wanted.reason
            valued += wanted.value is not None
    assert valued > pairs * 150


def test_a_small_city_as_known_on_some_days(store: Store, tmp_path: Path) -> None:
    _check(Lived(0.00004), store, tmp_path, 2)


@pytest.mark.long
def test_fifty_random_days_as_known_on_other_days(store: Store, tmp_path: Path) -> None:
    _check(Lived(0.0005), store, tmp_path, 50)
