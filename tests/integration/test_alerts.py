"""The alerts agent on real Kafka and the real engine: changes of state are told, once."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.alerts import decide, history, listed, newest
from consumers.store.client import Store
from pipeline.alerts import Alerts
from pipeline.catalogue.evaluate import Cell
from pipeline.journal import Journal
from schemas.alert import Alert
from schemas.clock import ZONE
from schemas.districts import CITY
from schemas.topics import ALERTS
from tests.cases.cells import add_cells, put_cells
from tests.cases.london import christenings

TODAY = date(2016, 6, 15)
LONG_AGO = TODAY - timedelta(days=500)
WUZHONG = "320506"


@pytest.fixture
async def topic(bootstrap: str) -> AsyncIterator[Journal]:
    async with Journal(bootstrap, ALERTS) as journal:
        yield journal


class Clock:
    """A day that is moved by hand."""

    def __init__(self) -> None:
        self.today = TODAY

    def __call__(self) -> date:
        return self.today


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def agent(
    store: Store, topic: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Alerts:
    monkeypatch.setattr("pipeline.alerts.SHARE_OF_TIME", 1.0)
    monkeypatch.setattr("pipeline.alerts.RESTED_SECONDS", 0.0)
    monkeypatch.setattr("pipeline.alerts._AGAIN_SECONDS", 0.0)
    for table in ("cells", "reports", "alert_rows", "alert_decisions"):
        store.command(f"TRUNCATE TABLE {table}")
    return Alerts(store, topic, today=clock)


def told(bootstrap: str, since: int = 0) -> list[dict[str, Any]]:
    """What stands in the topic, from an offset on."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        place = TopicPartition(ALERTS, 0)
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        consumer.seek(place, since)
        messages: list[Any] = []
        while len(messages) < end - since:
            messages += consumer.poll(timeout_ms=5000).get(place, [])
        assert all(message.key.decode() == json.loads(message.value)["id"] for message in messages)
        return [json.loads(message.value) for message in messages]
    finally:
        consumer.close()


def stock(day: date, known: int, managed: int, district: str = WUZHONG) -> list[Cell]:
    cells = [("migrants_known", known), ("migrants_managed", managed)]
    return [
        Cell(measure, district, day, min(day, TODAY), "migrant", "1", "", value)
        for measure, value in cells
        if value
    ]


def open_alerts(store: Store) -> dict[tuple[str, str], Alert]:
    return {
        (alert.monitor, alert.district): alert
        for alert in newest(store)
        if alert.state in ("pending", "firing")
    }


async def test_ten_thousand_lapsed_permits(
    agent: Alerts, store: Store, clock: Clock, bootstrap: str
) -> None:
    before = len(told(bootstrap))
    tomorrow = TODAY + timedelta(1)
    put_cells(
        store,
        [
            *stock(LONG_AGO, 100_000, 99_900),
            *stock(LONG_AGO, 900_000, 899_000, "320505"),
            *stock(tomorrow, 0, -10_000),
        ],
    )
    assert await agent.step() == 0, "all is well on the last day in force"

    clock.today = tomorrow
    assert await agent.step() > 0, "one evaluation after midnight"
    fired = open_alerts(store)
    alert = fired["management_rate_level", WUZHONG]
    assert ("management_rate_level", "320505") not in fired
    assert (alert.state, alert.severity, alert.limit) == ("firing", "critical", ">= 99")
    assert (alert.numerator, alert.denominator) == (89_900, 100_000)
    assert alert.value == pytest.approx(89.9)
    assert (alert.since, alert.as_of) == (tomorrow, tomorrow)
    assert "10,100" in alert.summary_zh
    assert "吴中区" in alert.summary_zh
    assert "Wuzhong" in alert.summary_en
    assert "10,100" in alert.summary_en
    assert WUZHONG in alert.worklist
    assert store.query(alert.worklist) == [], "it runs, on a store without people"
    assert ("management_rate_fall", WUZHONG) in fired

    assert await agent.step() == 0
    other = Alerts(store, agent._topic, today=clock)
    assert await other.step() == 0, "another leader has nothing to say that was not said"

    clock.today += timedelta(20)
    assert await agent.step() >= 1
    assert ("management_rate_fall", WUZHONG) not in open_alerts(store), "it falls no more"
    add_cells(store, stock(clock.today, 0, 10_000))
    assert await agent.step() >= 1
    assert ("management_rate_level", WUZHONG) not in open_alerts(store)
    (first, last) = history(store, alert.id)
    assert (first.state, last.state) == ("firing", "resolved")
    assert last.value == pytest.approx(99.9)
    messages = [m for m in told(bootstrap, before) if m["id"] == alert.id]
    assert [m["state"] for m in messages] == ["firing", "resolved"]
    assert Alert.model_validate(messages[0]) == first


async def test_reports_that_were_late_withdraw_an_alert(
    agent: Alerts, store: Store, clock: Clock
) -> None:
    put_cells(store, [*stock(LONG_AGO, 1000, 1000), *stock(TODAY, 0, -100)])
    await agent.step()
    alert = open_alerts(store)["management_rate_level", WUZHONG]
    clock.today += timedelta(2)
    put_cells(store, stock(LONG_AGO, 1000, 1000))
    await agent.step()
    assert not open_alerts(store)
    assert history(store, alert.id)[-1].state == "withdrawn"


def london(factor: float = 1.0, since: int = 9999) -> Iterator[Cell]:
    for day, *counts in christenings(factor, since):
        for sex, count in zip(("1", "2"), counts, strict=True):
            yield Cell("births", "320508", day, day, "hukou", sex, "unknown", count)


async def test_london_is_quiet_and_a_shift_is_not(
    agent: Alerts, store: Store, clock: Clock
) -> None:
    clock.today = date(2011, 3, 1)
    put_cells(store, london())
    began = time.monotonic()
    assert await agent.step() == 0
    print(f"82 years, first look: {time.monotonic() - began:.1f} s")
    put_cells(store, london(1.1, 1990))
    agent.forget()  # the cells carry the version they had
    assert await agent.step() > 0
    fired = open_alerts(store)
    for monitor in ("sex_ratio_shift", "sex_ratio_drift", "sex_ratio_level"):
        for district in (CITY, "320508"):
            alert = fired[monitor, district]
            assert alert.state == "firing"
            assert date(1989, 1, 1) <= alert.since <= date(1991, 12, 31)
    put_cells(store, london())
    agent.forget()
    assert await agent.step() == len(fired)
    assert not open_alerts(store)
    assert {alert.state for alert in newest(store)} == {"withdrawn"}


async def test_half_a_history_is_not_looked_at(
    agent: Alerts, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_cells(store, stock(LONG_AGO, 1000, 900))
    through = TODAY - timedelta(2)
    agent = Alerts(store, agent._topic, today=clock, settled=lambda _: through)
    assert await agent.step() == 0, "messages of the day before wait"
    through = TODAY - timedelta(1)
    monkeypatch.setattr("pipeline.alerts.RESTED_SECONDS", 3600.0)
    assert await agent.step() == 0, "all that is known is old, and has just arrived"
    add_cells(store, stock(TODAY - timedelta(1), 1, 0, "320505"), version=3)
    assert await agent.step() > 0, "what is known is of yesterday"


async def test_decisions_are_shown_with_their_reason(agent: Alerts, store: Store) -> None:
    put_cells(store, [*stock(LONG_AGO, 1000, 900)])
    await agent.step()
    (chosen, *_) = listed(store, ["firing"])
    assert not chosen.acknowledged_by
    until = datetime(2016, 7, 1, tzinfo=ZONE)
    decide(store, chosen.alert.id, "ack", "王芳", "已通知派出所")
    decide(store, chosen.alert.id, "silence", "王芳", "年审期间", until)
    (now,) = listed(store, identity=chosen.alert.id[:8])
    assert (now.acknowledged_by, now.silenced_by, now.why) == ("王芳", "王芳", "年审期间")
    assert now.silent(until - timedelta(1))
    assert not now.silent(until)
    with pytest.raises(ValueError, match="who decides and why"):
        decide(store, chosen.alert.id, "ack", "王芳", " ")
