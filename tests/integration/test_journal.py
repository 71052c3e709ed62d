"""The journal's writer against a real Kafka."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.native.kafka import KafkaServer
from pipeline import journal as module
from pipeline.journal import Journal, JournalError, JournalRecord, partition_of

NOW = 1_700_000_000_000


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


async def make_topic(
    kafka: KafkaServer, name: str, partitions: int, config: dict[str, str] | None = None
) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config or {})])
    await admin.close()
    return name


async def read(kafka: KafkaServer, topic: str, partition: int) -> list[ConsumerRecord[Any, Any]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        found: list[ConsumerRecord[Any, Any]] = []
        while len(found) < end:
            found += (await consumer.getmany(tp, timeout_ms=1000)).get(tp, [])
        return found
    finally:
        await consumer.stop()


def row(partition: int, number: int, value: bytes) -> JournalRecord:
    return (partition, NOW + number, f"key{number}".encode(), value, [("from", b"raw")])


def test_the_partition_is_the_crc_of_the_person() -> None:
    person = b"00112233445566778899aabbccddeeff"
    assert partition_of(person, 4) == crc32(person) % 4
    # What librdkafka's `consistent` partitioner gives, so other clients agree.
    assert crc32(b"123456789") == 0xCBF43926
    assert {partition_of(b"%032x" % n, 4) for n in range(64)} == {0, 1, 2, 3}


async def test_every_record_arrives_in_order_with_all_it_carries(kafka: KafkaServer) -> None:
    topic = await make_topic(kafka, "order", 3)
    rows = [row(number % 3, number, b"v%d" % number) for number in range(3000)]
    async with Journal(kafka.bootstrap, topic, batch_bytes=2_000) as journal:
        await journal.write(rows[:2000])
        await journal.write(rows[2000:])
        await journal.write([])
    for partition in range(3):
        found = await read(kafka, topic, partition)
        assert [(partition, r.timestamp, r.key, r.value, list(r.headers)) for r in found] == [
            r for r in rows if r[0] == partition
        ]


async def test_large_events_and_missing_keys_pass(kafka: KafkaServer) -> None:
    topic = await make_topic(kafka, "large", 1)
    values = [b"s", b"m" * 65_536, b"l" * 100_000, b"x" * 300_000, b"e"]
    async with Journal(kafka.bootstrap, topic, batch_bytes=65_536) as journal:
        await journal.write([(0, NOW, None, value, ()) for value in values])
    found = await read(kafka, topic, 0)
    assert [r.value for r in found] == values
    assert {(r.key, r.headers) for r in found} == {(None, ())}


async def test_writers_share_one_journal(kafka: KafkaServer) -> None:
    topic = await make_topic(kafka, "shared", 2)
    async with Journal(kafka.bootstrap, topic, batch_bytes=2_000) as journal:
        await asyncio.gather(
            *(
                journal.write([row(n % 2, n, b"%d" % n) for n in range(start, start + 200)])
                for start in range(0, 2000, 200)
            )
        )
    found = await read(kafka, topic, 0) + await read(kafka, topic, 1)
    assert sorted(int(r.value) for r in found) == list(range(2000))


async def test_kafka_away_and_back(kafka: KafkaServer) -> None:
    topic = await make_topic(kafka, "back", 2)
    async with Journal(kafka.bootstrap, topic) as journal:
        await journal.write([row(0, 0, b"before")])
        await asyncio.to_thread(kafka.stop)
        writing = asyncio.create_task(journal.write([row(p, p, b"during") for p in range(2)]))
        await asyncio.wait([writing], timeout=1.5)
        assert not writing.done(), "nobody has acknowledged it"
        await asyncio.to_thread(kafka.start)
        await asyncio.wait_for(writing, 30)
        await journal.write([row(1, 2, b"after")])
    assert [r.value for r in await read(kafka, topic, 0)] == [b"before", b"during"]
    assert [r.value for r in await read(kafka, topic, 1)] == [b"during", b"after"]


async def test_a_producer_that_broke_is_replaced(
    kafka: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a broker that lost its memory of the producer's sequence."""
    topic = await make_topic(kafka, "broken", 2)
    async with Journal(kafka.bootstrap, topic) as journal:
        await journal.write([row(0, 0, b"0"), row(1, 0, b"0")])
        broken = journal._producer
        # The next batch of partition 0 skips a sequence number: the broker refuses it for good.
        broken._txn_manager.increment_sequence_number(TopicPartition(topic, 0), 7)
        with caplog.at_level(logging.CRITICAL, logger="aiokafka"):
            await asyncio.wait_for(
                asyncio.gather(
                    journal.write([row(0, 1, b"1")]),
                    journal.write([row(0, 2, b"2"), row(1, 2, b"2")]),
                ),
                20,
            )
        assert journal._producer is not broken
        await journal.write([row(0, 3, b"3")])
    assert {r.value for r in await read(kafka, topic, 0)} == {b"0", b"1", b"2", b"3"}
    assert {r.value for r in await read(kafka, topic, 1)} == {b"0", b"2"}


async def test_a_break_between_batches_loses_no_record(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    topic = await make_topic(kafka, "between", 1)
    rows = [row(0, number, b"%d" % number) for number in range(200)]
    async with Journal(kafka.bootstrap, topic, batch_bytes=1_000) as journal:
        broken, calls = journal._producer, 0
        send_batch = broken.send_batch

        async def send_third_out_of_sequence(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 3:
                await broken.flush()
                broken._txn_manager.increment_sequence_number(TopicPartition(topic, 0), 7)
            return await send_batch(*args, **kwargs)

        monkeypatch.setattr(broken, "send_batch", send_third_out_of_sequence)
        with caplog.at_level(logging.CRITICAL, logger="aiokafka"):
            await asyncio.wait_for(journal.write(rows), 20)
        assert journal._producer is not broken
    assert [r.value for r in await read(kafka, topic, 0)] == [r[3] for r in rows]


async def test_what_the_broker_never_takes_is_an_error(kafka: KafkaServer) -> None:
    topic = await make_topic(kafka, "strict", 1, {"max.message.bytes": "1000"})
    async with Journal(kafka.bootstrap, topic) as journal:
        with pytest.raises(
            JournalError, match=r"strict takes no record batch.*max\.message\.bytes"
        ):
            await journal.write([row(0, 0, b"v" * 5000)])
        await journal.write([row(0, 1, b"fits")])
    assert [r.value for r in await read(kafka, topic, 0)] == [b"fits"]


async def test_stopping_does_not_wait_for_a_kafka_that_is_away(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.5)
    topic = await make_topic(kafka, "stopping", 1)
    journal = Journal(kafka.bootstrap, topic)
    await journal.start()
    await journal.write([row(0, 0, b"before")])
    await asyncio.to_thread(kafka.stop)
    writing = asyncio.create_task(journal.write([row(0, 1, b"lost?")]))
    await asyncio.wait([writing], timeout=0.5)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await asyncio.wait_for(journal.stop(), 10)
    with pytest.raises(RuntimeError, match="not open"):
        await journal.write([row(0, 2, b"closed")])
    await asyncio.to_thread(kafka.start)
    assert (await read(kafka, topic, 0))[0].value == b"before"


async def test_it_starts_before_kafka_is_there(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path / "kafka")
    server.start()
    topic = await make_topic(server, "early", 1)
    bootstrap = server.bootstrap
    server.stop()
    journal = Journal(bootstrap, topic)
    starting = asyncio.create_task(journal.start())
    await asyncio.wait([starting], timeout=0.5)
    assert not starting.done()
    try:
        await asyncio.to_thread(server.start)
        await asyncio.wait_for(starting, 20)
        await journal.write([row(0, 0, b"first")])
        await journal.stop()
        assert [r.value for r in await read(server, topic, 0)] == [b"first"]
    finally:
        server.stop()
