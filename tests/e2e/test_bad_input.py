"""Bad input and plain identity numbers, through real Kafka and Faust into the real engine.

The stack is this module's own, since workers are killed and topics read from their beginning. It
commits seldom, so that a killed worker meets records it has handled, and a raw topic that begins
behind its committed offset.
"""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from pipeline import purge
from pipeline.purge import Purge
from schemas.events import KINDS
from schemas.topics import JOURNAL, MAX_MESSAGE_BYTES, RAW, REJECTED, specs
from tests.contract.support import event, number, spelled
from tests.e2e.stack import Proxy, RunningStack, until

BIRTHS, DEATHS, MOVES, DISCHARGES = (
    KINDS[kind].topic for kind in ("birth", "death", "move", "discharge")
)
CANARY = next(n for n in (number(f"32050819910203{i:03d}") for i in range(999)) if n[-1] == "X")
DIGITS = next(n for n in (number(f"32050819910204{i:03d}") for i in range(999)) if n.isdigit())
SHORT = "320508910205123"
CANARIES = (CANARY, DIGITS, SHORT)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(
        tmp_path_factory.mktemp("bad"),
        *("--workers", "2", "--partitions", "2"),
        env={"POPFLOW_COMMIT_SECONDS": "1.5", "POPFLOW_SESSION_SECONDS": "6"},
    ).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def publisher(stack: RunningStack) -> Iterator[KafkaProducer]:
    """One that takes messages as large as Kafka does, on the partition it is told."""
    producer = KafkaProducer(
        bootstrap_servers=stack.ready["bootstrap"], acks="all", max_request_size=2**30
    )
    yield producer
    producer.close()


@dataclass
class Sent:
    """One message and where Kafka put it."""

    topic: str
    value: bytes | None
    partition: int = 0
    key: bytes | None = None
    timestamp: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = -1


def publish(producer: Any, *messages: Sent) -> None:
    futures = [
        producer.send(
            m.topic,
            value=m.value,
            key=m.key,
            partition=m.partition,
            timestamp_ms=m.timestamp or int(time.time() * 1000),
            headers=list(m.headers),
        )
        for m in messages
    ]
    for message, future in zip(messages, futures, strict=True):
        message.offset = future.get(30).offset


Births = Callable[..., bytes]


@pytest.fixture(scope="module")
def birth() -> Births:
    """Valid births, each of its own person and record."""
    made = iter(range(1, 10_000))

    def make(**changes: Any) -> bytes:
        serial = next(made)
        own = {"person": f"bad{serial:029x}", "record_id": f"BAD-{serial}"}
        return spelled(event("birth", **{**own, **changes}))

    return make


def refused_as(stack: RunningStack, message: Sent) -> tuple[Any, ...] | None:
    rows = stack.store.query(
        "SELECT code, value, id FROM population.rejected WHERE topic = {topic:String}"
        " AND partition = {partition:Int32} AND offset = {offset:Int64}",
        {"topic": message.topic, "partition": message.partition, "offset": message.offset},
    )
    return rows[0] if rows else None


def births(stack: RunningStack) -> int:
    rows = stack.store.query("SELECT sum(value) FROM population.daily WHERE measure = 'births'")
    return int(rows[0][0])


def read_topic(stack: RunningStack, topic: str) -> list[Any]:
    """Everything that a consumer from the beginning gets."""
    consumer = KafkaConsumer(
        bootstrap_servers=stack.ready["bootstrap"],
        enable_auto_commit=False,
        max_partition_fetch_bytes=16 * 1024 * 1024,
    )
    try:
        tps = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        ends = consumer.end_offsets(tps)
        found = []
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            for records in consumer.poll(timeout_ms=1000).values():
                found += records
        return found
    finally:
        consumer.close(autocommit=False)


def beginning(stack: RunningStack, topic: str, partition: int) -> int:
    consumer = KafkaConsumer(bootstrap_servers=stack.ready["bootstrap"])
    try:
        place = TopicPartition(topic, partition)
        return int(consumer.beginning_offsets([place])[place])
    finally:
        consumer.close()


def workers(stack: RunningStack) -> list[int | None]:
    return [stack.pid("worker 0"), stack.pid("worker 1")]


# -- every reason


def test_each_is_refused_with_its_code_and_the_good_ones_between_are_counted(
    stack: RunningStack, publisher: Any, birth: Births
) -> None:
    cases: list[tuple[Sent, str]] = [
        (Sent(BIRTHS, birth()[:-1]), "not_json"),
        (Sent(BIRTHS, b""), "not_json"),
        (Sent(DEATHS, None, key=b"tombstone"), "not_json"),
        (Sent(BIRTHS, b"null"), "schema"),
        (Sent(BIRTHS, b"[]"), "schema"),
        (Sent(BIRTHS, b"\xff\xfe\x00broken"), "not_json"),
        (Sent(BIRTHS, birth().replace(b'"kind"', b'"k\xffnd"')), "not_json"),
        (Sent(BIRTHS, birth(sex=1)), "schema"),
        (Sent(BIRTHS, birth(revision="1")), "schema"),
        (Sent(BIRTHS, birth(revision=1.0)), "schema"),
        (Sent(BIRTHS, birth(revision=True)), "schema"),
        (Sent(BIRTHS, birth(live="true")), "schema"),
        (Sent(BIRTHS, birth(nickname="x")), "schema"),
        (Sent(BIRTHS, birth().replace(b"birth", b"wedding", 1)), "schema"),
        (Sent(BIRTHS, birth(recorded_at="2016-03-02T09:30:00")), "schema"),
        (Sent(BIRTHS, birth(born_on="2016-02-30")), "schema"),
        (Sent(BIRTHS, birth(mother=...)), "schema"),
        (Sent(BIRTHS, birth() + b" " * 65_536), "too_large"),
        (Sent(BIRTHS, b"x" * 5_000_000), "too_large"),
        (Sent(BIRTHS, b"{" * 8_300_000), "too_large"),
        (Sent(DEATHS, birth()), "wrong_topic"),
        (Sent(BIRTHS, birth(source="health.nobody")), "unknown_source"),
        (Sent(BIRTHS, birth(district="320599")), "unknown_district"),
        (Sent(BIRTHS, birth(district="320500")), "unknown_district"),
        (Sent(MOVES, spelled(event("move", from_district="990000"))), "unknown_district"),
        (Sent(BIRTHS, birth(born_on="1899-12-31")), "impossible_date"),
        (Sent(BIRTHS, birth(born_on="2099-01-01")), "impossible_date"),
        (Sent(BIRTHS, birth(recorded_at="2099-01-01T00:00:00+08:00")), "impossible_date"),
        (Sent(BIRTHS, birth(mother_born_on="2016-03-02")), "impossible_date"),
        (
            Sent(DISCHARGES, spelled(event("discharge", admitted_on="2016-03-02"))),
            "impossible_date",
        ),
        (Sent(BIRTHS, birth(), timestamp=2**62), "impossible_date"),
        (Sent(BIRTHS, birth(), timestamp=253_402_300_800_000), "impossible_date"),
        (Sent(BIRTHS, birth(note=CANARY)), "plain_identity"),
        (Sent(BIRTHS, birth(), key=CANARY.encode()), "plain_identity"),
    ]
    running, before = workers(stack), births(stack)
    good = 0
    for message, _ in cases:
        publish(publisher, message, Sent(BIRTHS, birth()))
        good += 1
    stack.settle()

    found = [refused_as(stack, message) for message, _ in cases]
    assert [row[0] if row else None for row in found] == [code for _, code in cases]
    assert births(stack) - before == good
    assert workers(stack) == running


def test_a_packed_message_larger_than_kafka_takes_unpacked_stops_nothing(
    stack: RunningStack, birth: Births
) -> None:
    before, running = births(stack), workers(stack)
    packer = KafkaProducer(
        bootstrap_servers=stack.ready["bootstrap"], max_request_size=2**30, compression_type="gzip"
    )
    bomb = Sent(BIRTHS, b"0" * (3 * MAX_MESSAGE_BYTES), partition=1)
    publish(packer, bomb, Sent(BIRTHS, birth(), partition=1))
    packer.close()
    stack.settle()
    row = refused_as(stack, bomb)
    assert row is not None
    assert row[0] == "too_large"
    assert MAX_MESSAGE_BYTES - 65_536 < len(row[1]) < MAX_MESSAGE_BYTES
    assert births(stack) - before == 1
    assert workers(stack) == running


def test_the_same_bytes_are_one_refusal_a_topic(stack: RunningStack, publisher: Any) -> None:
    raw = b'{"the same": "bytes"}'
    for topic, partition in ((BIRTHS, 0), (BIRTHS, 0), (BIRTHS, 1), (DEATHS, 0)):
        publish(publisher, Sent(topic, raw, partition))
        stack.settle()
    rows = stack.store.query(
        "SELECT topic, count() FROM population.rejected WHERE value = {raw:String} GROUP BY topic",
        {"raw": raw.decode()},
    )
    assert dict(rows) == {BIRTHS: 1, DEATHS: 1}


def test_a_refused_message_is_whole_and_masked_and_says_code_and_origin(
    stack: RunningStack, publisher: Any, birth: Births
) -> None:
    filler = "苏州" * 1_000_000
    with_number = birth(note=CANARY, household=None)
    large = f'{{"filler": "{filler}", "id": "{DIGITS}"}}'.encode()
    messages = [
        Sent(BIRTHS, with_number, 1, key=CANARY.encode()),
        Sent(MOVES, large, 1, key=b"\xff\x00"),
        Sent(MOVES, b"\xff{", 0),
    ]
    publish(publisher, *messages)
    stack.settle()

    kept = {}
    for record in read_topic(stack, REJECTED):
        about = json.loads(dict(record.headers)["refusal"])
        kept[about["topic"], about["partition"], about["offset"]] = about, record
    stars = "*" * 18
    wanted = [
        ("plain_identity", stars.encode(), with_number.replace(CANARY.encode(), stars.encode())),
        ("too_large", b"\xff\x00", large.replace(DIGITS.encode(), stars.encode())),
        ("not_json", None, b"\xff{"),
    ]
    for message, (code, key, value) in zip(messages, wanted, strict=True):
        about, record = kept[message.topic, message.partition, message.offset]
        assert (about["code"], record.key, record.value) == (code, key, value)
        assert about["reason"]
        row = refused_as(stack, message)
        assert row is not None
        assert row[:2] == (code, value.decode("utf-8", "backslashreplace"))


# -- the canary


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def canary_messages(birth: Births) -> list[Sent]:
    """The numbers in every way in which a publisher may send them."""
    void = {"kind": "birth", "void": True, "note": CANARY}
    values = [
        birth(note=CANARY),
        birth(note=CANARY.lower()),
        birth(note=f"本人{CANARY}。"),
        birth(record_id=CANARY),
        birth(household=CANARY),
        birth(defects=[CANARY]),
        birth(**{CANARY: "x"}),
        birth(**{f"id {DIGITS}": {"deep": [1, {"deeper": DIGITS}]}}),
        birth(weight_g=int(DIGITS)),
        birth(note=SHORT),
        birth(weight_g=int(SHORT)),
        birth(note="?").replace(b'"?"', f'"{escaped(CANARY)}"'.encode()),
        birth(note="?").replace(b'"?"', f'"\\n{CANARY[:9]}{escaped(CANARY[9:])}"'.encode()),
        birth(source=f"health.{CANARY}"),
        birth(source=f"health.{DIGITS}"),
        birth(district=DIGITS),
        spelled(void),
        f'{{"note": "{CANARY}", "note": "x"}}'.encode(),
        f'{{"broken": "{CANARY}'.encode(),
        f'{{"broken": "{escaped(CANARY)}'.encode(),
        f"{CANARY}\x00{DIGITS}\n{SHORT}".encode(),
        b"\xff\xfe" + CANARY.encode() + b"\xff",
        f'{{"id": "{CANARY}"}}'.encode("utf-16"),
        DIGITS.encode("utf-16-be"),
        CANARY.encode("gb18030") + "号".encode("gb18030"),
        b"[" * 3000 + f'"{CANARY}"'.encode() + b"]" * 3000,
        birth() + b" " * 70_000 + CANARY.encode(),
        b"{" * 4_000_000 + DIGITS.encode() + b"}" * 1_000_000,
    ]
    sent = [Sent(BIRTHS, value, at % 2) for at, value in enumerate(values)]
    sent += [Sent(topic, birth(note=f"x {CANARY} y"), 1) for topic in RAW]
    keys = (CANARY, CANARY.lower(), DIGITS, SHORT, f"id:{CANARY}", f" {SHORT} ")
    sent += [Sent(BIRTHS, birth(), at % 2, key.encode()) for at, key in enumerate(keys)]
    sent += [
        Sent(BIRTHS, b"{", key=CANARY.encode()),
        Sent(BIRTHS, None, key=DIGITS.encode()),
        Sent(BIRTHS, birth(), headers=(("id", CANARY.encode()),)),
        Sent(BIRTHS, birth(note=CANARY), timestamp=2**62),
    ]
    return sent


def spellings() -> list[bytes]:
    """The numbers as they could be found in bytes."""
    texts = {t for number in CANARIES for t in (number, number.lower(), escaped(number))}
    found = [text.encode() for text in texts]
    return found + [text.encode("utf-16-le") for text in texts]


def holds(haystack: bytes) -> bool:
    return any(needle in haystack for needle in spellings())


def string_columns(stack: RunningStack) -> Iterator[tuple[str, str]]:
    yield from stack.store.query(
        "SELECT table, name FROM system.columns WHERE database = 'population'"
        " AND type LIKE '%String%' AND table IN (SELECT name FROM system.tables"
        " WHERE database = 'population' AND engine LIKE '%MergeTree%')"
    )


def test_an_identity_number_is_found_nowhere(
    stack: RunningStack, publisher: Any, birth: Births
) -> None:
    before = births(stack)
    messages = canary_messages(birth)
    rows_before = stack.store.query("SELECT count() FROM population.rejected")[0][0]
    for message in messages:
        publish(publisher, message, Sent(BIRTHS, birth(), message.partition))
    stack.settle()

    assert births(stack) - before == len(messages)
    refused = stack.store.query("SELECT count() FROM population.rejected")[0][0] - rows_before
    assert refused >= len(messages) - 2, "each is refused; some are the same bytes"
    places = list(string_columns(stack))
    assert ("rejected_rows", "value") in places
    assert ("reports", "event") in places
    for table, column in places:
        for text in {spelling for n in CANARIES for spelling in (n, n.lower(), escaped(n))}:
            found = stack.store.query(
                f"SELECT count() FROM population.{table}"
                f" WHERE position(toString(`{column}`), {{text:String}}) > 0",
                {"text": text},
            )
            assert found[0][0] == 0, f"{table}.{column}"
    for topic in [spec.name for spec in specs()]:
        for record in read_topic(stack, topic):
            parts = [record.key or b"", record.value or b""]
            parts += [part for name, value in record.headers for part in (name.encode(), value)]
            assert not any(map(holds, parts)), f"{topic}:{record.partition}:{record.offset}"
    for file in log_files(stack):
        assert not holds(file.read_bytes()), file.name
    for url in stack.ready["workers"]:
        with urllib.request.urlopen(url) as answer:
            assert not holds(answer.read())
    for command in (["rejected", "list", "--json"], ["rejected", "list"], ["status", "--json"]):
        done = stack.popflow(*command)
        assert done.returncode == 0, done.stderr
        assert not holds((done.stdout + done.stderr).encode())


def log_files(stack: RunningStack) -> list[Path]:
    """What programs wrote about their work (Kafka's own segment files are its topics)."""
    found = [*stack.folder.glob("logs/*"), *stack.folder.glob("kafka/*.log*")]
    found += stack.folder.glob("kafka/kafka.out*")
    assert {file.name for file in found} >= {"worker-0.log", "store.log", "kafka.log"}
    return found


# -- the purge


def test_the_raw_topic_loses_what_was_masked_and_nothing_else(
    stack: RunningStack, publisher: Any, birth: Births
) -> None:
    bad, after = Sent(BIRTHS, birth(note=CANARY)), Sent(BIRTHS, birth())
    harmless = Sent(BIRTHS, b"{ no number", 1)
    publish(publisher, bad, after, harmless)
    stack.settle()
    assert beginning(stack, BIRTHS, 0) == bad.offset + 1
    left = {(r.partition, r.offset) for r in read_topic(stack, BIRTHS)}
    assert {(0, after.offset), (1, harmless.offset)} <= left

    said = json.loads(stack.popflow("status", "--wait", "20", "--json").stdout)
    assert said["caught_up"] is True
    assert {topic["waiting"] for topic in said["topics"]} == {0}


def test_a_killed_worker_goes_on_behind_a_purge_and_refuses_nothing_twice(
    stack: RunningStack, publisher: Any, birth: Births
) -> None:
    before = births(stack)
    publish(publisher, Sent(BIRTHS, birth()), Sent(BIRTHS, birth(), 1))
    stack.settle()
    bad = [Sent(BIRTHS, birth(note=f"{n} {CANARY}"), n) for n in (0, 1)]
    plain = Sent(BIRTHS, b"{ refused before the worker died", 1)
    publish(publisher, Sent(BIRTHS, birth()), bad[0], Sent(BIRTHS, birth(), 1), bad[1])
    publish(publisher, plain)
    until(lambda: refused_as(stack, plain), "the message is refused")
    until(lambda: beginning(stack, BIRTHS, 1) == bad[1].offset + 1, "the raw topic is purged")
    stack.kill("worker 0", "worker 1")

    assert stack.popflow("status", "--wait", "60").returncode == 0
    publish(publisher, Sent(BIRTHS, birth()), Sent(BIRTHS, birth(), 1))
    stack.settle()
    assert births(stack) - before == 6
    rows = stack.store.query(
        "SELECT count() FROM population.rejected WHERE value = {value:String}",
        {"value": plain.value.decode() if plain.value else ""},
    )
    assert rows[0][0] == 1
    audit = stack.audit()
    assert audit["different"] == 0


def test_the_journal_is_never_purged(stack: RunningStack) -> None:
    assert beginning(stack, JOURNAL, 0) == 0
    assert beginning(stack, REJECTED, 0) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_purge_that_fails_is_logged_and_made_up_for(
    stack: RunningStack,
    publisher: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=stack.ready["bootstrap"])
    admin.create_topics({"purge-test": {"num_partitions": 1, "replication_factor": 1}})
    admin.wait_for_topics(["purge-test"])
    admin.close()
    publish(publisher, *(Sent("purge-test", b"%d" % n) for n in range(5)))
    monkeypatch.setattr(purge, "_RETRY_SECONDS", 0.0)
    with Proxy(f"http://{stack.ready['bootstrap']}") as proxy:
        proxy.refuse()
        purging = Purge(proxy.url.removeprefix("http://"))
        with caplog.at_level(logging.WARNING, "pipeline.purge"):
            await purging.through("purge-test", 0, 2)
        assert "purge-test" in caplog.text
        assert beginning(stack, "purge-test", 0) == 0
        proxy.accept()
        await purging.again()
        assert beginning(stack, "purge-test", 0) == 3
        await purging.through("purge-test", 0, 0)
        assert beginning(stack, "purge-test", 0) == 3
        await purging.stop()
