"""The batch transport against a real Kafka, with real worker processes and real signals."""

import asyncio
import itertools
import json
import logging
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st

from deploy.native.kafka import KafkaServer
from pipeline.batch_window import Batch, Limits, Window
from pipeline.batching import TP, ErrorsWithoutValues
from pipeline.journal import Journal, JournalRecord

WORKER = Path(__file__).with_name("batch_worker.py")
PATIENCE = 40.0
NEWS = threading.Condition()
"""Told of each line that a worker says."""
NOW = 1_700_000_000_000


@dataclass
class _Record:
    offset: int


class Worker:
    """A worker process and the lines it has said."""

    def __init__(self, bootstrap: str, group: str, folder: Path, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), bootstrap, group, str(folder), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self.errors = ""
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for line in said:
                self.lines.append(json.loads(line))
                with NEWS:
                    NEWS.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as said:
            for line in said:
                self.errors += line
                with NEWS:
                    NEWS.notify_all()

    def until(self, seen: Callable[["Worker"], Any], patience: float = PATIENCE) -> Any:
        """Wait until the condition holds, looking at each new line of any worker."""
        with NEWS:
            if found := NEWS.wait_for(lambda: seen(self), patience):
                return found
        pytest.fail(f"the worker did not get there; it said\n{self.errors}")

    def said(self, key: str) -> list[Any]:
        return [line[key] for line in self.lines if key in line]

    @property
    def batches(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "batch" in line]

    def values(self) -> list[str]:
        return [value for line in self.batches for value in line["values"]]

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number: int | None = signal.SIGTERM, patience: float = PATIENCE) -> int:
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(patience)
        for reader in self._readers:
            reader.join(patience)
        return code


@pytest.fixture
def start(kafka: KafkaServer, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Start workers of the test's own group and topic; whatever still lives is killed."""
    workers: list[Worker] = []

    def begin(topic: str, **options: Any) -> Worker:
        options = {"topics": [topic], **options}
        workers.append(Worker(kafka.bootstrap, f"group-{topic}", tmp_path, **options))
        return workers[-1]

    yield begin
    for worker in workers:
        if worker.process.poll() is None:
            worker.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def make_topic(kafka: KafkaServer, name: str, partitions: int) -> str:
    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(name, partitions, 1)])
        await admin.close()

    asyncio.run(create())
    return name


def records(partition: int, values: list[str]) -> list[JournalRecord]:
    return [
        (partition, NOW + i, f"key-{value}".encode(), value.encode(), [("from", value.encode())])
        for i, value in enumerate(values)
    ]


def publish(kafka: KafkaServer, topic: str, rows: list[JournalRecord]) -> None:
    async def write() -> None:
        async with Journal(kafka.bootstrap, topic, batch_bytes=16_384) as journal:
            await journal.write(rows)

    asyncio.run(write())


def committed(kafka: KafkaServer, topic: str) -> dict[int, int]:
    """Offset the group has acknowledged, by partition; a partition without one is left out."""

    async def ask() -> dict[int, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(f"group-{topic}")
        finally:
            await admin.close()
        return {tp.partition: meta.offset for tp, meta in offsets.items() if tp.topic == topic}

    return asyncio.run(ask())


def names(start: int, end: int) -> list[str]:
    return [f"v{number}" for number in range(start, end)]


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4), st.integers(0, 3)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_window_never_runs_ahead(
    shapes: list[tuple[int, int, int]], order: random.Random
) -> None:
    """Whatever the order of acknowledgement: only the end of the unbroken run may be committed."""
    window = Window(Limits())
    ends: dict[TP, int] = {}
    batches = []
    for partition, size, hole in shapes:
        first = ends.get(TP("t", partition), 0) + hole
        ends[TP("t", partition)] = first + 2 * size
        batches.append(Batch("t", partition, [_Record(first + 2 * i) for i in range(size)]))
        window.admit(batches[-1])
    handled: set[Batch] = set()
    for batch in order.sample(batches, len(batches)):
        assert window.holds(batch)
        assert window.acknowledge(batch)
        assert not window.acknowledge(batch)
        handled.add(batch)
        expected = {}
        for each in batches:
            mine = [b for b in batches if b.tp == each.tp]
            run = list(itertools.takewhile(handled.__contains__, mine))
            if run:
                expected[each.tp] = run[-1].last_offset + 1
        assert window.committable() == expected


def test_the_window_forgets_an_assignment() -> None:
    window = Window(Limits(partition_records=3, topic_records=5))
    old, new = Batch("t", 0, [_Record(0), _Record(1)]), Batch("t", 0, [_Record(0), _Record(1)])
    window.admit(old)
    assert window.has_room(TP("t", 0))
    window.forget([TP("t", 0)])
    window.admit(new)
    assert not window.acknowledge(old)
    assert window.committable() == {}
    window.admit(Batch("t", 0, [_Record(2)]))
    assert not window.has_room(TP("t", 0)), "three records of the partition wait"
    assert window.has_room(TP("t", 1))
    window.admit(Batch("t", 1, [_Record(0), _Record(1)]))
    assert not window.has_room(TP("t", 1)), "five records of the topic wait"
    assert window.acknowledge(new)
    assert window.has_room(TP("t", 0))
    assert window.committable() == {TP("t", 0): 2}
    window.committed({TP("t", 0): 1})
    assert window.committable() == {TP("t", 0): 2}, "news came while an older end was committed"
    window.committed({TP("t", 0): 2})
    assert window.committable() == {}


def test_errors_are_logged_without_their_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(ErrorsWithoutValues())
    log = logging.getLogger("test")
    try:
        raise ValueError("320502195006150016")
    except ValueError as error:
        log.exception("Crashed reason=%r", error)
    assert "320502195006150016" not in caplog.text
    assert "ValueError at test_batching.py:" in caplog.text


def test_batches_are_complete_in_order_and_acknowledged_exactly(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "complete", 3)
    for partition in range(3):
        publish(kafka, topic, records(partition, names(1000 * partition, 1000 * partition + 700)))
    worker = start(topic, limits={"batch_records": 300}, at_once=2)
    worker.until(lambda w: len(w.values()) == 2100)
    assert worker.end() == 0

    for partition in range(3):
        mine = [b for b in worker.batches if b["batch"] == [topic, partition]]
        expected = names(1000 * partition, 1000 * partition + 700)
        assert [v for b in mine for v in b["values"]] == expected
        assert [o for b in mine for o in b["offsets"]] == list(range(700))
        assert [k for b in mine for k in b["keys"]] == [f"key-{v}" for v in expected]
        assert [t for b in mine for t in b["timestamps"]] == [NOW + i for i in range(700)]
        assert [h for b in mine for h in b["headers"]] == [[["from", v]] for v in expected]
        assert len(mine) >= 3
        assert max(len(b["offsets"]) for b in mine) <= 300
    assert committed(kafka, topic) == {0: 700, 1: 700, 2: 700}
    assert worker.said("assigned") == [[[topic, p] for p in range(3)]]
    assert worker.said("revoked") == [[[topic, p] for p in range(3)]]


def test_offsets_with_holes_are_acknowledged_to_their_end(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    """Each transaction leaves a marker that takes an offset and is never delivered."""
    topic = make_topic(kafka, "holes", 1)

    async def write() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id="holes")
        await producer.start()
        for number in range(5):
            async with producer.transaction():
                await producer.send(topic, f"v{2 * number}".encode(), partition=0)
                await producer.send(topic, f"v{2 * number + 1}".encode(), partition=0)
        await producer.stop()

    asyncio.run(write())
    first = start(topic, limits={"batch_records": 3})
    first.until(lambda w: len(w.values()) == 10)
    assert first.end() == 0
    offsets = [offset for batch in first.batches for offset in batch["offsets"]]
    assert offsets == [0, 1, 3, 4, 6, 7, 9, 10, 12, 13]
    assert committed(kafka, topic) == {0: 14}

    publish(kafka, topic, records(0, ["after"]))
    second = start(topic)
    second.until(lambda w: w.values())
    assert second.end() == 0
    assert second.values() == ["after"]


def test_a_handler_that_raises_ends_the_worker_and_acknowledges_nothing(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "poison", 2)
    publish(kafka, topic, records(0, names(0, 50)))
    publish(kafka, topic, records(1, names(100, 150)))
    worker = start(topic, limits={"batch_records": 10}, poison="v25", at_once=2)
    assert worker.end(None) == 1
    assert "poison, partition 0, offsets 20 to 29 could not be handled: ValueError" in worker.errors
    assert "v25" not in worker.errors
    assert "Traceback" not in worker.errors
    assert committed(kafka, topic)[0] == 20

    again = start(topic)
    everything = {*names(0, 50), *names(100, 150)}
    again.until(lambda w: {*worker.values(), *w.values()} == everything)
    assert again.end() == 0
    assert [v for b in again.batches if b["batch"][1] == 0 for v in b["values"]] == names(20, 50)
    assert committed(kafka, topic) == {0: 50, 1: 50}


def test_what_a_killed_worker_left_goes_to_the_other(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "killed", 4)
    first = start(topic, limits={"batch_records": 20}, slow=0.01)
    first.until(lambda w: w.said("assigned"))
    second = start(topic, limits={"batch_records": 20}, slow=0.01)
    second.until(lambda w: w.said("assigned"))
    first.until(lambda w: len(w.said("assigned")) == 2)
    owned = [{p for _, p in worker.said("assigned")[-1]} for worker in (first, second)]
    assert sorted(map(len, owned)) == [2, 2]
    assert owned[0] | owned[1] == {0, 1, 2, 3}
    assert sorted(w.said("leader")[-1] for w in (first, second)) == [False, True]

    for partition in range(4):
        publish(kafka, topic, records(partition, names(1000 * partition, 1000 * partition + 500)))
    first.until(lambda w: len(w.values()) >= 200)
    first.end(signal.SIGKILL)
    killed = time.monotonic()
    everything = {v for p in range(4) for v in names(1000 * p, 1000 * p + 500)}
    second.until(lambda w: {*first.values(), *w.values()} == everything)
    assert time.monotonic() - killed < 15
    assert {p for _, p in second.said("assigned")[-1]} == {0, 1, 2, 3}
    assert second.end() == 0
    assert committed(kafka, topic) == dict.fromkeys(range(4), 500)


def test_a_worker_that_was_thought_dead_cannot_acknowledge(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    """Its partition has gone to another worker, which is further on already."""
    topic = make_topic(kafka, "zombie", 1)
    publish(kafka, topic, records(0, names(0, 30)))
    zombie = start(topic, limits={"batch_records": 10}, wait_for_gate=True)
    zombie.until(lambda w: w.said("blocked"))
    zombie.send(signal.SIGSTOP)
    other = start(topic)
    other.until(lambda w: len(w.values()) == 30)
    zombie.send(signal.SIGUSR1)
    zombie.send(signal.SIGCONT)
    zombie.until(lambda w: w.said("revoked"))
    assert {*zombie.values()} <= {*names(0, 30)}, "what it had in hand, again"
    other.until(lambda w: w.said("revoked"))
    assert committed(kafka, topic) == {0: 30}
    publish(kafka, topic, records(0, ["after"]))
    either = (zombie, other)
    other.until(lambda _: any("after" in w.values() for w in either))
    assert sum(w.values().count("after") for w in either) == 1
    assert zombie.end() == other.end() == 0
    assert committed(kafka, topic) == {0: 31}


def test_nothing_is_lost_while_workers_come_and_go(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    """Fetches on their way when partitions change hands must not leave holes."""
    topic = make_topic(kafka, "churn", 4)
    steady = start(topic, limits={"batch_records": 15}, slow=0.003, at_once=2)
    steady.until(lambda w: w.said("assigned"))
    stop = threading.Event()
    written: list[str] = []

    async def write() -> None:
        async with Journal(kafka.bootstrap, topic) as journal:
            while not stop.is_set():
                first = len(written)
                fresh = names(first, first + 80)
                await journal.write(
                    [row for p in range(4) for row in records(p, fresh[20 * p : 20 * p + 20])]
                )
                written.extend(fresh)
                await asyncio.sleep(0.03)

    writer = threading.Thread(target=lambda: asyncio.run(write()))
    writer.start()
    guests = []
    for _ in range(6):
        guest = start(topic, limits={"batch_records": 15}, slow=0.003, at_once=2)
        guest.until(lambda w: w.values())
        assert guest.end() == 0
        guests.append(guest)
    stop.set()
    writer.join()

    def everything(_: Worker) -> bool:
        return {v for w in (steady, *guests) for v in w.values()} == {*written}

    steady.until(everything)
    assert steady.end() == 0
    assert sum(committed(kafka, topic).values()) == len(written)


def test_partitions_are_settled_before_they_change_hands(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    """A handler in the middle of a batch may finish: the batch is not read twice."""
    topic = make_topic(kafka, "settled", 2)
    for partition in range(2):
        publish(kafka, topic, records(partition, names(100 * partition, 100 * partition + 30)))
    first = start(topic, limits={"batch_records": 10}, slow=1.0, at_once=2)
    first.until(lambda w: w.said("assigned"))
    second = start(topic, limits={"batch_records": 10}, at_once=2)
    second.until(lambda w: w.said("assigned"))
    workers = (first, second)
    first.until(lambda w: len(w.values()) + len(second.values()) >= 60)
    assert [line["running"] for line in first.lines if "revoked" in line] == [0]
    assert first.end() == second.end() == 0
    handled = [value for worker in workers for value in worker.values()]
    assert sorted(handled) == sorted(names(0, 30) + names(100, 130))


def test_a_handler_that_does_not_finish_is_cancelled_and_its_batch_comes_again(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "stuck", 1)
    publish(kafka, topic, records(0, names(0, 30)))
    stuck = start(
        topic, limits={"batch_records": 10, "settle_seconds": 0.5}, wait_for_gate=True, at_once=4
    )
    stuck.until(lambda w: w.said("blocked"))
    assert stuck.end() == 0
    assert [line["running"] for line in stuck.lines if "revoked" in line] == [0]
    assert stuck.values() == []
    assert committed(kafka, topic) == {}

    other = start(topic)
    other.until(lambda w: len(w.values()) == 30)
    assert other.end() == 0
    assert other.values() == names(0, 30)
    assert committed(kafka, topic) == {0: 30}


def test_a_slow_handler_holds_back_the_fetching(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "slow", 1)
    publish(kafka, topic, records(0, names(0, 10_000)))
    worker = start(
        topic,
        limits={"batch_records": 100, "partition_records": 300},
        wait_for_gate=True,
        slow=0.01,
    )
    worker.until(lambda w: w.said("blocked"))
    for times in range(1, 6):
        worker.send(signal.SIGUSR2)
        worker.until(lambda w, times=times: len(w.said("window")) == times)
    assert max(worker.said("window")) <= 3
    worker.send(signal.SIGUSR1)
    released = time.monotonic()
    worker.until(lambda w: len(w.values()) == 10_000)
    # Faust's own way waits a second whenever all partitions are held back: here 33 times.
    assert time.monotonic() - released < 8
    assert worker.end() == 0


def test_what_waits_of_a_partition_is_handled_as_one_batch(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    """As far as a batch may go: five of six records that came one by one."""
    topic = make_topic(kafka, "joined", 1)
    worker = start(topic, limits={"batch_records": 5}, wait_for_gate=True)
    for place, value in enumerate(names(0, 7)):
        publish(kafka, topic, records(0, [value]))
        worker.until(lambda w: w.said("blocked"))
        while (worker.said("window") or [0])[-1] <= place:
            seen = len(worker.said("window"))
            worker.send(signal.SIGUSR2)
            worker.until(lambda w, seen=seen: len(w.said("window")) > seen)
    worker.send(signal.SIGUSR1)
    worker.until(lambda w: len(w.values()) == 7)
    assert worker.end() == 0
    assert [b["values"] for b in worker.batches] == [names(0, 1), names(1, 6), names(6, 7)]
    assert committed(kafka, topic) == {0: 7}


def test_in_a_flood_a_batch_is_gathered(kafka: KafkaServer, start: Callable[..., Worker]) -> None:
    topic = make_topic(kafka, "flood", 1)
    wait = {"gather_seconds": PATIENCE, "pause_seconds": PATIENCE}
    worker = start(topic, limits={"batch_records": 3, "flood_records": 3, **wait})
    publish(kafka, topic, records(0, names(0, 3)))
    worker.until(lambda w: len(w.values()) == 3)
    publish(kafka, topic, records(0, names(3, 5)))
    publish(kafka, topic, records(0, names(5, 6)))
    worker.until(lambda w: len(w.values()) == 6)
    assert worker.end() == 0
    assert [b["values"] for b in worker.batches] == [names(0, 3), names(3, 6)]


def test_what_was_fetched_and_not_handed_over_is_fetched_again(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    """From the committed offset, and from the start where nothing is committed yet."""
    topic = make_topic(kafka, "adrift", 2)
    publish(kafka, topic, records(0, names(0, 10)))
    first = start(topic)
    first.until(lambda w: len(w.values()) == 10)
    assert first.end() == 0
    publish(kafka, topic, records(0, names(10, 20)))
    publish(kafka, topic, records(1, names(100, 110)))
    second = start(topic, commit=60.0, drift=True)
    second.until(lambda w: len(w.values()) == 40)
    assert second.end() == 0
    assert sorted(second.values()) == sorted(2 * (names(10, 20) + names(100, 110)))
    assert committed(kafka, topic) == {0: 20, 1: 10}


def test_a_single_record_is_handled_at_once(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "single", 4)
    worker = start(topic)
    worker.until(lambda w: w.said("assigned"))

    async def write() -> list[float]:
        sent = []
        async with Journal(kafka.bootstrap, topic) as journal:
            for number in range(60):
                sent.append(time.time())
                await journal.write(records(number % 4, [f"v{number}"]))
                await asyncio.sleep(0.02)
        return sent

    sent = asyncio.run(write())
    worker.until(lambda w: len(w.values()) == 60)
    arrived = {value: line["at"] for line in worker.batches for value in line["values"]}
    delays = sorted(arrived[f"v{number}"] - at for number, at in enumerate(sent))
    assert statistics.median(delays) < 0.02, delays
    assert worker.end() == 0


def test_a_topic_that_comes_later_is_read_too(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    """Faust would leave it out and read only the others, without an error."""
    topic = make_topic(kafka, "present", 1)
    publish(kafka, topic, records(0, ["first"]))
    worker = start(topic, topics=[topic, "later"])
    worker.until(lambda w: "waiting for Kafka's topics: later" in w.errors, 15.0)
    assert worker.lines == [], "it has not joined without the topic"
    publish(kafka, make_topic(kafka, "later", 1), records(0, ["second"]))
    worker.until(lambda w: {*w.values()} == {"first", "second"}, 15.0)
    assert worker.end() == 0


def test_two_agents_on_one_topic_are_refused(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "twice", 1)
    publish(kafka, topic, records(0, ["v"]))
    worker = start(topic, agents=2)
    assert worker.end(None) == 1
    assert "two agents read twice" in worker.errors
    assert committed(kafka, topic) == {}


def test_a_partition_that_cannot_be_taken_over_ends_the_worker(
    kafka: KafkaServer, start: Callable[..., Worker]
) -> None:
    topic = make_topic(kafka, "refused", 1)
    publish(kafka, topic, records(0, ["v"]))
    worker = start(topic, refuse=True)
    assert worker.end(None) == 1
    assert "OSError (No space left on device)" in worker.errors
    assert worker.batches == []


def test_kafka_away_and_back(kafka: KafkaServer, start: Callable[..., Worker]) -> None:
    topic = make_topic(kafka, "away", 2)
    publish(kafka, topic, records(0, names(0, 100)))
    worker = start(topic, limits={"settle_seconds": 2.0})
    worker.until(lambda w: len(w.values()) == 100)
    kafka.stop()
    early = start(topic)
    early.until(lambda w: "does not answer" in w.errors or w.process.poll() is not None, 10.0)
    assert early.end(patience=10.0) == 0

    kafka.start()
    publish(kafka, topic, records(1, names(100, 200)))
    worker.until(lambda w: {*w.values()} == {*names(0, 200)})
    assert worker.end() == 0
    assert committed(kafka, topic) == {0: 100, 1: 100}
