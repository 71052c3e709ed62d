"""The readings agent on real Kafka and the real engine: what changed is published, once."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.indicators import readings
from consumers.store.client import Store
from pipeline.catalogue.evaluate import Cell, Person
from pipeline.indicators import Readings, Touched, kept_days
from pipeline.journal import Journal
from schemas.districts import CITY, INSIDE
from schemas.topics import READINGS
from tests.cases.cells import add_cells, put_cells, put_people

TODAY = date(2016, 6, 15)
BEFORE = TODAY - timedelta(days=400)


@pytest.fixture
async def topic(bootstrap: str) -> AsyncIterator[Journal]:
    async with Journal(bootstrap, READINGS) as journal:
        yield journal


class Clock:
    """A day that is moved by hand."""

    def __init__(self) -> None:
        self.today = TODAY

    def __call__(self) -> date:
        return self.today


async def settle(agent: Readings) -> int:
    """Step until nothing waits; gives how many readings were published."""
    published = await agent.step()
    while agent.waiting:
        published += await agent.step()
    return published


def births(day: date, known_on: date, value: int = 1, district: str = "320505") -> Cell:
    return Cell("births", district, day, known_on, "hukou", "1", "25-29", value)


def permits(day: date, managed: int) -> list[Cell]:
    """Three migrants known from long ago, of whom some cease to be managed on a day."""
    return [
        Cell("migrants_known", "320505", BEFORE, BEFORE, "migrant", "1", "", 3),
        Cell("migrants_managed", "320505", BEFORE, BEFORE, "migrant", "1", "", 3),
        Cell("migrants_managed", "320505", day, BEFORE, "migrant", "1", "", managed - 3),
    ]


@pytest.fixture
async def agent(store: Store, topic: Journal, monkeypatch: pytest.MonkeyPatch) -> Readings:
    monkeypatch.setattr("pipeline.indicators.KEPT_DAYS", 3)
    monkeypatch.setattr("pipeline.indicators.KEPT_MONTHS", 2)
    store.command("TRUNCATE TABLE readings")
    people = [Person(BEFORE, BEFORE, place, "2", 1990, 1000) for place in INSIDE]
    put_people(store, people)
    put_cells(store, [births(BEFORE, BEFORE), *permits(TODAY + timedelta(1), 2)])
    return Readings(store, topic, today=Clock())


def test_recent_and_long_waiting_days_come_first(store: Store, topic: Journal) -> None:
    agent = Readings(store, topic, today=lambda: TODAY)
    now = time.monotonic()
    waited = {0: 0.0, 1: 2.0, 2: 2.0, 4: 6.0, 100: 60.0, 400: 30.0}
    agent.waiting = {
        TODAY - timedelta(age): Touched(since=now - seconds) for age, seconds in waited.items()
    }
    order = []
    while (day := agent._next(TODAY)) is not None:
        order.append((TODAY - day).days)
        del agent.waiting[day]
    assert order == [0, 100, 4, 1, 400, 2]


def rows(store: Store, view: str = "indicators", **where: Any) -> list[dict[str, Any]]:
    conditions = " AND ".join(f"{name} = {{{name}:String}}" for name in where) or "1"
    found = store.columns(f"SELECT * FROM population.{view} WHERE {conditions} ORDER BY ALL", where)
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def told(bootstrap: str) -> list[dict[str, Any]]:
    """Everything that stands in the topic."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        place = TopicPartition(READINGS, 0)
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        consumer.seek_to_beginning(place)
        messages: list[Any] = []
        while len(messages) < end:
            messages += consumer.poll(timeout_ms=5000).get(place, [])
        return [json.loads(message.value) for message in messages]
    finally:
        consumer.close()


async def test_everything_once_then_only_changes(
    agent: Readings, store: Store, topic: Journal, bootstrap: str
) -> None:
    first = await settle(agent)
    assert first == len(rows(store)) > 1000
    assert {row["as_of"] for row in rows(store)} >= {TODAY, TODAY - timedelta(3), date(2016, 5, 31)}
    assert len(told(bootstrap)) == first
    assert await settle(agent) == 0

    add_cells(store, [births(TODAY - timedelta(2), TODAY)])
    assert 0 < await settle(agent) < first / 4
    shown = {
        row["as_of"]: row
        for row in rows(store, indicator="birth_rate", base="hukou", district=CITY, window="28d")
    }
    assert [shown[TODAY - timedelta(n)]["numerator"] for n in range(4)] == [1, 1, 1, 0]
    assert shown[TODAY]["cause"] == "events: births"
    assert shown[TODAY - timedelta(3)]["cause"] == "start"

    newcomer = Readings(store, topic, today=lambda: TODAY)
    assert await settle(newcomer) == 0, "another leader has nothing to say that was not said"


async def test_a_lapse_at_midnight_needs_no_event(agent: Readings, store: Store) -> None:
    key = {"indicator": "migrant_management_rate", "district": "320505", "window": "1d"}
    await settle(agent)
    assert rows(store, "now", **key)[0]["value"] == 100
    agent.today.today += timedelta(1)  # type: ignore[attr-defined]
    await settle(agent)
    (now,) = rows(store, "now", **key)
    assert (now["as_of"], now["cause"]) == (TODAY + timedelta(1), "day")
    assert now["value"] == pytest.approx(200 / 3)


async def test_what_was_final_is_revised_with_date_and_cause(agent: Readings, store: Store) -> None:
    key = {"indicator": "birth_rate", "base": "hukou", "district": "320505", "window": "year"}
    old = BEFORE - timedelta(days=BEFORE.timetuple().tm_yday)
    put_cells(store, [births(old, old)])
    await settle(agent)
    (row,) = [row for row in rows(store, **key) if row["as_of"] == old]
    assert (row["status"], row["numerator"]) == ("final", 1)

    agent.today.today += timedelta(1)  # type: ignore[attr-defined]
    await settle(agent)
    add_cells(store, [births(old, TODAY + timedelta(1), 2)])
    await settle(agent)
    versions = [row for row in rows(store, "readings", **key) if row["as_of"] == old]
    assert [(v["known_on"], v["numerator"], v["status"]) for v in versions] == [
        (TODAY, 1, "final"),
        (TODAY + timedelta(1), 3, "revised"),
    ]
    assert versions[1]["cause"] == "events: births"


async def test_what_is_published_is_what_is_evaluated(agent: Readings, store: Store) -> None:
    add_cells(store, [births(TODAY - timedelta(n), TODAY, n + 1) for n in range(30)])
    await settle(agent)
    shown = {
        (row["indicator"], row["base"], row["district"], row["window"]): row
        for row in rows(store)
        if row["as_of"] == TODAY
    }
    found = readings(store, TODAY, TODAY)
    assert {reading.key for reading in found} == shown.keys()
    for reading in found:
        row = shown[reading.key]
        value = None if reading.value is None else float(reading.value)
        assert (row["value"], row["low"], row["high"], row["reason"]) == (
            value,
            reading.low,
            reading.high,
            reading.reason,
        )


def test_days_that_are_kept() -> None:
    days = list(kept_days(TODAY, date(2014, 2, 1)))
    assert days[:2] == [TODAY - timedelta(1), TODAY - timedelta(2)]
    assert {date(2014, 12, 31), date(2014, 9, 30), date(2016, 2, 29)} <= set(days)
    assert len(days) == len(set(days))
    assert TODAY not in days
    assert min(days) >= date(2014, 2, 1)
