"""Whole sources into a real Kafka: files, counts, and a simulated city that goes on."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from producers.kit import Publisher
from producers.publishing import publish_counts, publish_files, simulate
from producers.simulate.city import City
from producers.simulate.progress import Cursor, Pace
from producers.sources.counts import CountOptions
from schemas.topics import RAW, specs

LONDON = Path(__file__).parent.parent / "data" / "christenings_london_1629_1710.csv"
BIRTHS = "population.births.v1"


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path / "kafka", heap="256m") as server:
        ensure_topics(server.bootstrap, specs())
        yield server


def consumed(kafka: KafkaServer, *topics: str) -> list:
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, consumer_timeout_ms=10_000)
    try:
        places = [TopicPartition(topic, number) for topic in topics for number in range(4)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        left = sum(consumer.end_offsets(places).values())
        return [next(consumer) for _ in range(left)]
    finally:
        consumer.close()


def test_sources_reach_kafka(kafka: KafkaServer, tmp_path: Path) -> None:
    with Publisher(kafka.bootstrap) as publisher:
        files(kafka, publisher, tmp_path)
        counts(publisher, tmp_path)
        city(kafka, publisher, tmp_path)


def files(kafka: KafkaServer, publisher: Publisher, folder: Path) -> None:
    fields = {
        "record_id": "F-1",
        "revision": 1,
        "source": "health.birth-certificates",
        "recorded_at": "2016-01-01T10:00:00+08:00",
        "person": "1" * 32,
        "born_on": "2016-01-01",
        "district": "320508",
        "residency": "hukou",
        "sex": "1",
        "mother": "2" * 32,
    }
    lines = folder / "births.ndjson"
    lines.write_bytes(
        orjson.dumps({"kind": "birth", **fields})
        + b"\nbroken\n"
        + orjson.dumps({"kind": "birth", **fields, "record_id": "F-2", "district": "320500"})
    )
    table = folder / "births.csv"
    table.write_text(",".join(fields) + "\n" + ",".join(str(v) for v in fields.values()) + "\n")
    told: list[tuple[int, int]] = []
    summary = publish_files(
        [lines, table],
        publisher,
        stamp="recorded",
        progress=lambda sent, refused: told.append((sent, refused)),
    )
    assert (summary.sent, summary.refused, summary.failed, summary.spooled) == (2, 2, 0, 0)
    assert [(fault.line, Path(fault.path).name) for fault in summary.faults] == [
        (2, "births.ndjson"),
        (3, "births.ndjson"),
    ]
    assert "no known district. Use a GB/T 2260 code" in summary.faults[1].told
    assert told[-1] == (2, 2)
    first, second = consumed(kafka, BIRTHS)
    assert orjson.loads(first.value) == orjson.loads(second.value)
    assert first.timestamp == second.timestamp == 1_451_613_600_000


def counts(publisher: Publisher, folder: Path) -> None:
    table = folder / "table.csv"
    table.write_text("".join(LONDON.read_text().splitlines(keepends=True)[:3]) + "x,1,1\n")
    summary = publish_counts(table, publisher, CountOptions(shift_years=300))
    assert (summary.sent, summary.refused) == (5218 + 4683 + 4858 + 4457, 1)
    assert summary.faults[0].line == 4


class PowerCutError(Exception):
    pass


def city(kafka: KafkaServer, publisher: Publisher, folder: Path) -> None:
    cursor = folder / "cursor.json"
    place = City(5, 0.0005, date(2016, 1, 1))
    until = date(2016, 3, 1)
    before = len(consumed(kafka, *RAW))
    stop = threading.Event()

    def stop_soon(sent: int, _: int) -> None:
        if sent >= 1000:
            stop.set()

    def cut_off(sent: int, _: int) -> None:
        if sent >= 6000:
            raise PowerCutError

    first = simulate(publisher, place, until=until, cursor=cursor, stop=stop, progress=stop_soon)
    assert first.sent == 1000
    stopped = Cursor.read(cursor)
    assert stopped is not None
    with pytest.raises(PowerCutError):
        simulate(publisher, place, until=until, cursor=cursor, progress=cut_off)
    noted = Cursor.read(cursor)
    assert noted is not None
    assert stopped.next_day < noted.next_day <= until
    safe = place.days(place.start, noted.next_day - timedelta(days=1))
    assert {tuple(message) for message in safe} <= arrived(kafka)

    simulate(publisher, place, until=until, cursor=cursor)
    assert Cursor.read(cursor) == Cursor.of(place, until)
    assert simulate(publisher, place, until=until, cursor=cursor).sent == 0
    later = date(2016, 3, 20)
    paced = simulate(publisher, place, pace=Pace(100.0), until=later, cursor=cursor)
    assert paced.sent == len(list(place.days(date(2016, 3, 2), later)))
    expected = list(place.days(place.start, later))
    assert {tuple(message) for message in expected} <= arrived(kafka)
    assert len(consumed(kafka, *RAW)) - before < len(expected) + 2000


def arrived(kafka: KafkaServer) -> set[tuple]:
    return {(r.timestamp, r.topic, r.key, r.value) for r in consumed(kafka, *RAW)}
