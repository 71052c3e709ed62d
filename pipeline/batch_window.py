"""Which batches of which partition are handed over, handled, and may be committed. No I/O."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord
from faust.types import TP


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A run of records of one partition, in offset order, never empty.

    ``records`` keep what Kafka holds: ``offset``, ``timestamp`` (milliseconds since 1970), ``key``
    and ``value`` (bytes or None) and ``headers`` (pairs of name and bytes). Offsets may have holes.
    """

    topic: str
    partition: int
    records: list[ConsumerRecord[bytes | None, bytes | None]]

    @property
    def tp(self) -> TP:
        """Topic and partition."""
        return TP(self.topic, self.partition)

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self.records[-1].offset

    def __len__(self) -> int:
        return len(self.records)


def joined(batches: Sequence[Batch]) -> Batch:
    """Consecutive batches of one partition as one."""
    first = batches[0]
    if len(batches) == 1:
        return first
    records = [record for batch in batches for record in batch.records]
    return Batch(first.topic, first.partition, records)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds memory and time of a worker."""

    batch_records: int = 10_000
    """The most records of one batch."""
    fetch_bytes: int = 4 * 1024 * 1024
    """The most bytes fetched of one partition at once: 10,000 events of 300 bytes are 3 MB."""
    partition_records: int = 20_000
    """Unacknowledged records of one partition from which on nothing more of it is fetched."""
    topic_records: int = 40_000
    """The same of one topic."""
    fetch_wait_ms: int = 50
    """How long the broker may hold an empty fetch. It delays partitions that got room meanwhile."""
    flood_records: int = 2_000
    """After a batch of so many records the next one is gathered."""
    gather_seconds: float = 1.5
    """The longest time that a batch is gathered."""
    pause_seconds: float = 0.2
    """Nothing new for so long ends the gathering."""
    settle_seconds: float = 15.0
    """How long running handlers may go on when partitions are revoked or the worker stops."""


class Window:
    """The batches handed over and not yet committed, of the partitions held now."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[TP, deque[Batch]] = {}
        self._unhandled: set[Batch] = set()
        self._ends: dict[TP, int] = {}
        self._records: Counter[TP | str] = Counter()

    def admit(self, batch: Batch) -> None:
        """Take in the next batch of its partition."""
        self._open.setdefault(batch.tp, deque()).append(batch)
        self._unhandled.add(batch)
        self._count(batch, len(batch))

    def holds(self, batch: Batch) -> bool:
        """Whether the batch is still to be handled: not acknowledged, not of an old assignment."""
        return batch in self._unhandled

    def has_room(self, tp: TP) -> bool:
        """Whether another batch of the partition may be fetched."""
        limits, records = self._limits, self._records
        return records[tp] < limits.partition_records and records[tp.topic] < limits.topic_records

    def acknowledge(self, batch: Batch) -> bool:
        """Mark a batch as handled, in any order; False if it is of an assignment that ended."""
        if not self.holds(batch):
            return False
        self._unhandled.remove(batch)
        waiting = self._open[batch.tp]
        while waiting and waiting[0] not in self._unhandled:
            first = waiting.popleft()
            self._count(first, -len(first))
            self._ends[batch.tp] = first.last_offset + 1
        return True

    def committable(self) -> dict[TP, int]:
        """Of each partition with news, the offset after its unbroken run of handled batches."""
        return dict(self._ends)

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """Note that the broker has these offsets."""
        for tp, offset in offsets.items():
            if self._ends.get(tp) == offset:
                del self._ends[tp]

    def forget(self, tps: Iterable[TP]) -> None:
        """Drop everything of partitions that are no longer held or will be read again."""
        for tp in tps:
            for batch in self._open.pop(tp, ()):
                self._unhandled.discard(batch)
                self._count(batch, -len(batch))
            self._ends.pop(tp, None)

    def _count(self, batch: Batch, records: int) -> None:
        self._records[batch.tp] += records
        self._records[batch.topic] += records
