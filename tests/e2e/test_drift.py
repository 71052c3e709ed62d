"""Drift through the whole stack: a hospital that stops, then delivers three weeks late."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.alerts import newest
from consumers.drift import drift_paths
from consumers.drift.paths import Paths
from pipeline.catalogue.monitors import MONITORS
from pipeline.core.drift.series import Series
from pipeline.indicators import local_today
from schemas.alert import Alert
from schemas.districts import CITY
from schemas.topics import ALERTS
from tests.e2e.stack import Message, RunningStack, until

HOSPITAL = "health.hospitals"
OTHERS = "health.birth-certificates"
DAYS = 500
SILENT = 21


class Birth(NamedTuple):
    """One birth, and when it would have been told in time."""

    number: int
    day: date
    known_on: date
    source: str
    sex: str

    def message(self, at_ms: int | None = None) -> Message:
        person = md5(f"child-{self.number}".encode()).hexdigest()
        event = {
            "kind": "birth",
            "record_id": f"B-{self.number}",
            "revision": 1,
            "source": self.source,
            "recorded_at": f"{self.day}T10:00:00+08:00",
            "person": person,
            "mother": md5(f"mother-{self.number}".encode()).hexdigest(),
            "born_on": self.day.isoformat(),
            "district": "320506",
            "residency": "hukou",
            "sex": self.sex,
        }
        noon_ms = (self.known_on - date(1970, 1, 1)).days * 86_400_000 + 4 * 3_600_000
        raw = json.dumps(event).encode()
        return "population.births.v1", at_ms or noon_ms, raw, person.encode()


def _births(today: date) -> list[Birth]:
    """Births up to yesterday, each known within two days and not later than yesterday."""
    chance = random.Random(4)
    yesterday = today - timedelta(1)
    found = []
    for back in range(DAYS, 0, -1):
        day = today - timedelta(back)
        for number in range(120):
            known_on = min(day + timedelta(chance.choice((0, 0, 0, 1, 2))), yesterday)
            sex = "1" if chance.random() < 105 / 205 else "2"
            source = HOSPITAL if number % 3 == 0 else OTHERS
            found.append(Birth(len(found), day, known_on, source, sex))
    return found


def _told(stack: RunningStack) -> list[Alert]:
    """Every message of the alerts' topic."""
    consumer = KafkaConsumer(bootstrap_servers=stack.ready["bootstrap"], enable_auto_commit=False)
    try:
        numbers = consumer.partitions_for_topic(ALERTS)
        assert numbers is not None
        places = [TopicPartition(ALERTS, number) for number in numbers]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        consumer.seek_to_beginning(*places)
        messages: list[Any] = []
        while len(messages) < sum(ends.values()):
            for some in consumer.poll(timeout_ms=5000).values():
                messages += some
        return [Alert.model_validate_json(message.value) for message in messages]
    finally:
        consumer.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path / "stack", "--workers", "2").start()
    yield running
    assert running.stop() == 0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hospital_three_weeks_late(stack: RunningStack) -> None:
    today = local_today()
    births = _births(today)
    first_silent = today - timedelta(SILENT)
    late = [b for b in births if b.source == HOSPITAL and b.known_on >= first_silent]
    assert len(late) > 500
    stack.publish(b.message() for b in sorted(set(births) - set(late)))
    stack.settle(300)

    def state() -> str:
        found = [a for a in newest(stack.store) if a.indicator == HOSPITAL]
        return found[-1].state if found else ""

    until(lambda: state() == "firing", "the hospital's silence is told", 120)
    (silence,) = [a for a in newest(stack.store) if a.indicator == HOSPITAL]
    assert silence.since == first_silent
    assert silence.monitor == "source_silence"
    assert HOSPITAL in silence.summary_zh

    stack.publish(b.message(time.time_ns() // 1_000_000) for b in late)
    stack.settle(300)
    until(lambda: state() == "resolved", "the hospital is heard again", 120)
    assert local_today() == today, "midnight passed during the test"

    messages = _told(stack)
    assert [a.state for a in messages if a.id == silence.id] == ["firing", "resolved"]
    assert not [a for a in messages if a.monitor.startswith("sex_ratio")], "nothing drifted"

    path = drift_paths(
        stack.store, today, monitors=["sex_ratio_shift"], districts=[CITY], since=first_silent
    )
    whole = Series.of((b.day, b.sex == "1", 1) for b in births).until(path[-1].day)
    assert whole is not None
    never_late = Paths().of(MONITORS["sex_ratio_shift"], CITY, whole)
    last = len(path)
    assert last > 7
    assert None not in [point.statistic for point in path]
    expected = [max(u, d) for u, d in zip(never_late.up, never_late.down, strict=True)][-last:]
    assert [p.statistic for p in path] == pytest.approx(expected)
