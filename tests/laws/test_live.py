"""Sums kept up to date by today's cells against sums asked for anew, on the real engine."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from consumers.changes import Changed, Since, cells, changes, marks
from consumers.indicators import readings
from consumers.store.client import Store
from pipeline.catalogue.evaluate import Cell
from pipeline.live import Live
from tests.cases.cells import add_cells, put_cells, put_facts, put_people
from tests.laws.test_indicators import city

ALL = lambda *_: True  # noqa: E731


def known_today(cell: Cell, today: date, chance: random.Random) -> Cell:
    return cell._replace(known_on=today, value=cell.value + chance.choice([-1, 0, 1, 4]))


@pytest.mark.parametrize("seed", [3, 8])
def test_sums_that_follow_are_those_asked_for_anew(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    told, people, facts, as_of, _ = city(seed)
    told = [cell for cell in told if cell.known_on < as_of]
    put_cells(store, told)
    put_people(store, people)
    put_facts(store, facts)
    live = Live(store, as_of)
    assert list(live.readings(ALL)) == readings(store, as_of, as_of)
    for version in (2, 3):
        seen = marks(store, Since({})).cells
        news = {known_today(c, as_of, chance)[:-1]: c for c in chance.sample(told, 40)}
        add_cells(store, [Cell(*key, chance.randint(-2, 9)) for key in news], version)
        live.apply(cells(store, Since(seen), as_of))
        assert list(live.readings(ALL)) == readings(store, as_of, as_of)


def test_what_was_written_since_is_found(store: Store) -> None:
    day = date(2016, 3, 1)
    first = Cell("births", "320505", day, day, "hukou", "1", "25-29", 1)
    put_cells(store, [first])
    seen = marks(store, Since({})).cells
    assert seen == {0: 1}
    late = first._replace(day=day - timedelta(9), known_on=day - timedelta(2), value=7)
    add_cells(store, [first._replace(value=3), late], 5)
    for since in (Since(seen), Since(seen, all_shards=True)):
        (change,) = changes(store, since)
        assert change == ("births", "320505", late.day, late.known_on, 2)
        assert cells(store, since, day) == [
            Changed("births", "320505", day, "hukou", "1", "25-29", 0, 3)
        ]
        assert marks(store, since).cells == {0: 5}
