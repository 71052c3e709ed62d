"""How far the stream has come: what was published, taken in and counted, by partition."""

import time
from dataclasses import dataclass
from datetime import date, timedelta

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from pipeline.app import GROUP
from schemas.clock import day_date, local_day
from schemas.topics import JOURNAL, RAW

_LOOK = 0.05


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
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)

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
        intake wrote it, its counts are there.

        Args:
            seconds: at most.

        Returns:
            Whether it came to that in time.
        """
        until = time.monotonic() + seconds
        return self._wait_for(RAW, until) and self._wait_for((JOURNAL,), until)

    def _wait_for(self, topics: tuple[str, ...], until: float) -> bool:
        wanted = {tp: end for tp, end in self._ends(topics).items() if end}
        starts = self._consumer.beginning_offsets(list(wanted)) if wanted else {}
        wanted = {tp: end for tp, end in wanted.items() if end > starts[tp]}
        while True:
            done = self._acknowledged()
            if all(done.get(tp, 0) >= end for tp, end in wanted.items()):
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK)

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
