"""The view ``nowcast``: estimated from cells on the real engine, kept by day of knowledge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from consumers.nowcast import DAYS, nowcasts
from consumers.store.client import Store
from consumers.store.embedded import EmbeddedStore
from consumers.store.migrate import migrate
from pipeline.catalogue.evaluate import Cell
from pipeline.nowcasts import Nowcasts
from schemas.districts import CITY
from tests.cases.cells import add_cells, put_cells

TODAY = date(2016, 6, 15)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def store(engine: EmbeddedStore) -> Iterator[Store]:
    with engine.store() as connected:
        migrate(connected)
        connected.command("TRUNCATE TABLE nowcast_rows")
        put_cells(connected, reported())
        yield connected


def reported() -> list[Cell]:
    """Half of a hundred births a day are known at once, the others three days later."""
    return [
        Cell("births", "320505", day, day + timedelta(late), "hukou", "1", "25-29", 50)
        for day in (TODAY - timedelta(n) for n in range(120))
        for late in (0, 3)
    ] + [
        Cell("arrivals", "320506", day, day, "hukou", "1", band, 10)
        for day in (TODAY - timedelta(n) for n in range(120))
        for band in ("outside", "within")
    ]


def test_recent_days_are_made_whole(store: Store) -> None:
    found = {(n.measure, n.district, n.day): n for n in nowcasts(store, TODAY)}
    today = found["births", CITY, TODAY]
    assert today.known == 50
    assert today.expected == pytest.approx(100, abs=1)
    assert 50 < today.low < 100 < today.high < 150
    settled = found["births", "320505", TODAY - timedelta(3)]
    assert (settled.known, settled.low, settled.high) == (100, 100, 100)
    assert found["arrivals", "320506", TODAY].known == 20
    assert found["arrivals", CITY, TODAY].known == 10, "only what crosses the city's border"
    assert min(day for _, _, day in found) == TODAY - timedelta(DAYS - 1)


async def test_a_reader_finds_the_newest_and_what_was_said_before(
    engine: EmbeddedStore, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.nowcasts.SHARE_OF_TIME", 1.0)
    days = [TODAY]
    agent = Nowcasts(store, today=lambda: days[-1])
    first = await agent.step()
    assert first == 4 * DAYS
    assert await agent.step() == 0, "nothing has changed"
    last = TODAY - timedelta(1)
    add_cells(store, [Cell("births", "320505", last, TODAY, "hukou", "2", "25-29", 7)])
    assert 0 < await agent.step() < first
    days.append(TODAY + timedelta(1))
    assert await agent.step() == first, "another day has all its days"
    with engine.store(reader=True) as reader:
        row = "SELECT known, expected, low, high FROM population.{} WHERE district = '320500'"
        row += " AND measure = 'births' AND day = {{day:Date32}}"
        (now,) = reader.query(row.format("nowcast"), {"day": last})
        assert now[0] == 57
        ((known_on,),) = reader.query("SELECT DISTINCT known_on FROM population.nowcast")
        assert known_on == TODAY + timedelta(1)
        before = "nowcast_as_known(known_on = '2016-06-15')"
        ((known, expected, low, high),) = reader.query(row.format(before), {"day": last})
        assert known == 57
        assert low <= expected <= high


async def test_little_known_is_no_estimate(store: Store) -> None:
    put_cells(store, reported()[:4])
    assert await Nowcasts(store, today=lambda: TODAY).step() == 0
