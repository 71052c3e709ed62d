"""The publishing kit against a real Kafka: keys, reports, back-pressure, spool, restart, crash."""

import gc
import os
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from producers.delivery import BrokerAwayError, Delivery, PublishingError, RefusedError
from producers.kit import Publisher
from producers.link import Tuning
from producers.spool import Spool
from schemas.events import Birth
from schemas.topics import TopicSpec, specs

# kafka-python leaves sockets that were refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*<socket\.socket fd:pytest.PytestUnraisableExceptionWarning"
)

BIRTHS = "population.births.v1"
NOON = 1_451_620_800_000
"""2016-01-01T12:00+08:00."""
TOPIC = {"retention.ms": "-1", "message.timestamp.after.max.ms": "3600000"}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka"), heap="256m") as server:
        ensure_topics(server.bootstrap, specs())
        yield server


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def topic(kafka: KafkaServer, request: pytest.FixtureRequest) -> str:
    name = f"try.{zlib.crc32(request.node.name.encode())}"
    ensure_topics(kafka.bootstrap, [TopicSpec(name, 4, TOPIC)])
    return name


def consumed(kafka: KafkaServer, topic: str) -> list:
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, consumer_timeout_ms=10_000)
    try:
        places = [TopicPartition(topic, number) for number in range(4)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        left = sum(consumer.end_offsets(places).values())
        records = []
        while len(records) < left:
            records.append(next(consumer))
        return records
    finally:
        consumer.close()


def birth(number: int) -> dict:
    return {
        "kind": "birth",
        "record_id": f"KIT-{number}",
        "revision": 1,
        "source": "health.birth-certificates",
        "recorded_at": "2016-01-01T10:00:00+08:00",
        "person": f"{number:032x}",
        "born_on": "2016-01-01",
        "district": "320508",
        "residency": "hukou",
        "sex": "1",
        "mother": f"{number + 10**9:032x}",
    }


def test_events_arrive_checked_keyed_and_stamped(kafka: KafkaServer) -> None:
    reports: list[Delivery] = []
    with Publisher(kafka.bootstrap, on_delivery=reports.append) as publisher:
        publisher.publish(birth(1), timestamp_ms=NOON)
        publisher.publish(orjson.dumps(birth(2)), timestamp_ms=NOON + 1)
        publisher.publish(Birth.model_validate_json(orjson.dumps(birth(3))), timestamp_ms=NOON + 2)
        with pytest.raises(RefusedError, match="impossible_date: born_on is later"):
            publisher.publish(birth(4), timestamp_ms=NOON - 3 * 86_400_000)
        with pytest.raises(RefusedError, match="wrong_topic"):
            publisher.publish(birth(5), topic="population.deaths.v1")
        with pytest.raises(RefusedError, match="schema: sex"):
            publisher.publish({**birth(6), "sex": "3"})
        publisher.publish_raw(BIRTHS, None, b"broken", NOON)
        assert publisher.flush() == 0
        counts = publisher.counts
    assert (counts.accepted, counts.delivered, counts.refused) == (4, 4, 3)
    records = consumed(kafka, BIRTHS)
    assert sorted((r.timestamp, r.key) for r in records if r.key) == [
        (NOON, b"%032x" % 1),
        (NOON + 1, b"%032x" % 2),
        (NOON + 2, b"%032x" % 3),
    ]
    assert all(r.partition == (zlib.crc32(r.key) % 4 if r.key else 0) for r in records)
    assert {(r.message.value, r.partition, r.offset) for r in reports} == {
        (r.value, r.partition, r.offset) for r in records
    }


def test_window_is_bounded_and_all_arrive(kafka: KafkaServer, topic: str) -> None:
    highest = 0
    with Publisher(kafka.bootstrap, tuning=Tuning(window=700, linger_ms=0)) as publisher:
        for number in range(20_000):
            publisher.publish_raw(topic, b"%d" % number, b"%d" % number, NOON)
            highest = max(highest, publisher.counts.waiting)
        publisher.flush()
    assert highest <= 700
    found = [int(record.value) for record in consumed(kafka, topic)]
    assert sorted(found) == list(range(20_000))


def test_message_that_the_broker_never_takes_is_reported_and_the_rest_arrive(
    kafka: KafkaServer, topic: str
) -> None:
    failed: list[Delivery] = []
    far = int(time.time() * 1000) + 10 * 86_400_000
    with Publisher(
        kafka.bootstrap, on_delivery=lambda r: failed.append(r) if r.error else None
    ) as publisher:
        for number in range(300):
            stamp = far if number in (100, 200) else NOON
            publisher.publish_raw(topic, b"one-partition", b"%d" % number, stamp)
        assert publisher.flush() == 0
        assert (publisher.counts.delivered, publisher.counts.failed) == (298, 2)
    assert [report.message.value for report in failed] == [b"100", b"200"]
    assert all("Timestamp" in str(report.error) for report in failed)
    assert {int(r.value) for r in consumed(kafka, topic)} == set(range(300)) - {100, 200}


def test_topic_that_does_not_exist_is_named(kafka: KafkaServer) -> None:
    tuning = Tuning(kafka={"max_block_ms": 500})
    with (
        Publisher(kafka.bootstrap, tuning=tuning) as publisher,
        pytest.raises(PublishingError, match=r"no partitions of topic population\.berths\.v1: c"),
    ):
        publisher.publish_raw("population.berths.v1", b"k", b"v")


def test_without_spool_an_absent_broker_is_an_error_with_the_way_out(unused_port: int) -> None:
    publisher = Publisher(f"127.0.0.1:{unused_port}", patience=0.3)
    with pytest.raises(BrokerAwayError, match=r"did not answer for 0\.3 s.*popflow up"):
        publisher.publish_raw(BIRTHS, b"k", b"v")
    publisher.close()


def test_spool_keeps_messages_while_the_broker_is_away_and_sends_them_first(
    kafka: KafkaServer, topic: str, unused_port: int, tmp_path: Path
) -> None:
    with Publisher(f"127.0.0.1:{unused_port}", spool=tmp_path, patience=0.1) as publisher:
        for number in range(5_000):
            publisher.publish_raw(topic, b"k", b"%d" % number, NOON + number)
        assert publisher.flush() == 5_000
    with Publisher(kafka.bootstrap, spool=tmp_path) as publisher:
        assert publisher.counts.waiting == 5_000
        for number in range(5_000, 6_000):
            publisher.publish_raw(topic, b"k", b"%d" % number, NOON + number)
        assert publisher.flush() == 0
    records = consumed(kafka, topic)
    assert [int(record.value) for record in records] == list(range(6_000))
    assert [record.timestamp for record in records] == [NOON + n for n in range(6_000)]
    with Spool(tmp_path) as spool:
        assert spool.found == 0


def test_broker_restart_in_the_middle_loses_nothing(
    kafka: KafkaServer, topic: str, tmp_path: Path
) -> None:
    with Publisher(kafka.bootstrap, spool=tmp_path, tuning=Tuning(window=500)) as publisher:
        for number in range(3_000):
            publisher.publish_raw(topic, b"%d" % number, b"%d" % number, NOON)
        os.kill(kafka.pid, signal.SIGKILL)
        kafka.wait(10)
        for number in range(3_000, 6_000):
            publisher.publish_raw(topic, b"%d" % number, b"%d" % number, NOON)
        assert publisher.counts.waiting >= 3_000
        kafka.start()
        assert publisher.flush(timeout=30) == 0
    assert {int(record.value) for record in consumed(kafka, topic)} == set(range(6_000))


PUBLISH_AND_DIE = """
import os, signal, sys
from pathlib import Path
from producers.kit import Publisher
from producers.link import Tuning
bootstrap, topic, spool, first = sys.argv[1:]
publisher = Publisher(bootstrap, spool=Path(spool), tuning=Tuning(window=200))
for number in range(int(first), int(first) + 2_000):
    publisher.publish_raw(topic, b"%d" % number, b"%d" % number, 1_451_620_800_000)
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_publisher_loses_nothing_that_it_accepted(
    kafka: KafkaServer, topic: str, tmp_path: Path
) -> None:
    accepted: set[int] = set()
    for first in (0, 2_000):
        command = [sys.executable, "-c", PUBLISH_AND_DIE, kafka.bootstrap, topic]
        died = subprocess.run(
            [*command, str(tmp_path), str(first)], capture_output=True, text=True, timeout=60
        )
        assert died.returncode == -signal.SIGKILL, died.stderr
        accepted.update(int(line) for line in died.stdout.split())
    with Publisher(kafka.bootstrap, spool=tmp_path) as publisher:
        assert publisher.counts.waiting > 0
        publisher.flush()
    found = Counter(int(record.value) for record in consumed(kafka, topic))
    assert accepted == set(range(4_000)) == set(found)


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
