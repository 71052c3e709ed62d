"""How far the stream has come: what was published, taken in and counted, by partition."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from pipeline.group import GROUP
from producers.access import client_settings
from schemas.clock import day_date, local_day
from schemas.topics import JOURNAL, RAW

Answer = TypeVar("Answer")

_LOOK = 0.05
_BOOTSTRAP_SECONDS = 10


@dataclass(frozen=True)
class Lag:
    """Messages of a topic: all, and those that the pipeline has not acknowledged yet."""

    topic: str
    messages: int
    waiting: int


class Positions:
    """Questions to Kafka about the pipeline's progress.

    Args:
        bootstrap: Kafka servers.
    """

    def __init__(self, bootstrap: str) -> None:
        timeout = {"bootstrap_timeout_ms": _BOOTSTRAP_SECONDS * 1000, **client_settings()}
        # It logs every try to reach a broker that is away, and whole groups with Faust's part that
        # it cannot decode; callers get an error or an answer.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap, **timeout)
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, **timeout
        )

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close(autocommit=False)
        self._admin.close()

    def lags(self) -> list[Lag]:
        """Every topic that the pipeline reads."""
        done = self._acknowledged()
        return [self._lag(topic, done) for topic in (*RAW, JOURNAL)]

    def _lag(self, topic: str, done: dict[TopicPartition, int]) -> Lag:
        ends = self._ends([topic])
        starts = self._consumer.beginning_offsets(list(ends))
        waiting = sum(end - max(done.get(tp, 0), starts[tp]) for tp, end in ends.items())
        return Lag(topic, sum(end - starts[tp] for tp, end in ends.items()), waiting)

    def wait(self, seconds: float) -> bool:
        """Wait until everything published by now is visible to readers.

        An acknowledgement follows the store, so when the journal is acknowledged up to where
        intake wrote it, its counts are there. A broker that is away meanwhile is waited for.

        Args:
            seconds: at most.

        Returns:
            Whether it came to that in time.
        """
        until = time.monotonic() + seconds
        return self._wait_for(RAW, until) and self._wait_for((JOURNAL,), until)

    def _wait_for(self, topics: tuple[str, ...], until: float) -> bool:
        wanted = _answered(lambda: self._filled(topics), until)
        while wanted is not None:
            done = _answered(self._acknowledged, until)
            if done is None:
                return False
            if all(done.get(tp, 0) >= end for tp, end in wanted.items()):
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK)
        return False

    def _filled(self, topics: tuple[str, ...]) -> dict[TopicPartition, int]:
        """End offsets of the partitions that hold messages."""
        wanted = {tp: end for tp, end in self._ends(topics).items() if end}
        starts = self._consumer.beginning_offsets(list(wanted)) if wanted else {}
        return {tp: end for tp, end in wanted.items() if end > starts[tp]}

    def workers(self) -> int:
        """How many workers take part now; a killed one does until its session is over."""
        described = self._admin.describe_groups([GROUP]).get(GROUP, {})
        return len(described.get("members") or ())

    def settled_through(self, today: date) -> date:
        """The last day of knowledge whose figures no message that waits can change.

        With several topics replayed at once this is the day that all of them have passed.
        """
        done = self._acknowledged()
        ends = self._ends(RAW)
        starts = self._consumer.beginning_offsets(list(ends))
        waiting = {
            tp: max(done.get(tp, 0), starts[tp])
            for tp, end in ends.items()
            if max(done.get(tp, 0), starts[tp]) < end
        }
        settled = today - timedelta(days=1)
        for tp, offset in waiting.items():
            self._consumer.assign([tp])
            self._consumer.seek(tp, offset)
            for record in self._consumer.poll(timeout_ms=2000, max_records=1).get(tp, ()):
                settled = min(settled, day_date(local_day(record.timestamp)) - timedelta(days=1))
        return settled

    def journal_ends(self) -> dict[int, int]:
        """End offset of each partition of the journal."""
        return {tp.partition: end for tp, end in self._ends([JOURNAL]).items()}

    def _ends(self, topics: tuple[str, ...] | list[str]) -> dict[TopicPartition, int]:
        tps = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in self._consumer.partitions_for_topic(topic) or ()
        ]
        return dict(self._consumer.end_offsets(tps)) if tps else {}

    def _acknowledged(self) -> dict[TopicPartition, int]:
        found = self._admin.list_group_offsets(GROUP).get(GROUP, {})
        return {tp: known.offset for tp, known in found.items()}


def _answered(question: Callable[[], Answer], until: float) -> Answer | None:
    """Kafka's answer, asked for again while it is away; ``None`` when the time is over."""
    while True:
        try:
            return question()
        except KafkaError:
            if time.monotonic() >= until:
                return None
            time.sleep(_LOOK)
