"""Intake: every raw message has exactly one outcome, accepted or refused with a reason.

Stateless. Accepted bytes go unchanged to the journal, keyed and partitioned by person, with the
raw message's timestamp; the rest goes masked to ``population.rejected.v1`` and to the store. A
repeat of a whole batch is harmless: the ledger knows repeats, and the same refusal is one row.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from consumers.store.client import Store
from pipeline.batching import Batch
from pipeline.folding import LINEAGE, LINEAGE_HEADER
from pipeline.journal import Journal, JournalRecord, partition_of
from pipeline.metrics import ACCEPTED, FLUSH_SECONDS, REFUSED
from pipeline.registry import Registry
from pipeline.writing import insert
from schemas import identity
from schemas.clock import day_date, local_day
from schemas.reading import check, read
from schemas.refusals import Refusal

REJECTED_COLUMNS = (
    *("id", "digest", "code", "reason", "topic", "partition", "offset", "rejected_at"),
    *("key", "value", "mended", "version"),
)


class Refused(NamedTuple):
    """One refused message; ``key`` and ``value`` are masked."""

    refusal: Refusal
    digest: str
    key: bytes | None
    value: bytes
    record: Any


class Sorted(NamedTuple):
    """A batch after intake's one look at it."""

    accepted: Sequence[JournalRecord]
    refused: Sequence[Refused]
    kinds: Mapping[str, int]


def _masked(raw: bytes) -> bytes:
    text = raw.decode("utf-8", "surrogateescape")
    return identity.mask(text).encode("utf-8", "surrogateescape")


class Intake:
    """The intake stage of one worker.

    Args:
        store: where refusals are kept.
        journal: writer of the journal.
        rejected: writer of the topic of refused messages.
        partitions: of the journal.
        secret: keys the digests that tell refusals apart, since an unkeyed digest of a message
            that held an identity number could be searched for.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        journal: Journal,
        rejected: Journal,
        *,
        partitions: int,
        secret: bytes,
    ) -> None:
        self._store = store
        self._journal = journal
        self._rejected = rejected
        self._registry = registry
        self._partitions = partitions
        self._secret = blake2b(secret, digest_size=32).digest()

    async def handle(self, batch: Batch) -> None:
        """Take one batch; when this returns, all of it is kept somewhere."""
        started = time.perf_counter()
        registered = await self._registry.current()
        result = self.sort(batch, registered.accepted)
        writes = [self._journal.write(result.accepted)]
        if result.refused:
            writes.append(self._keep(batch.topic, result.refused))
        await asyncio.gather(*writes)
        for kind, count in result.kinds.items():
            ACCEPTED.labels(kind).inc(count)
        for refused in result.refused:
            REFUSED.labels(refused.refusal.code).inc()
        FLUSH_SECONDS.labels("intake").observe(time.perf_counter() - started)

    def sort(self, batch: Batch, sources: Mapping[str, int]) -> Sorted:
        """Look at every message of a batch once."""
        topic, partition, partitions = batch.topic, batch.partition, self._partitions
        accepted: list[JournalRecord] = []
        refused: list[Refused] = []
        kinds: Counter[str] = Counter()
        for record in batch.records:
            raw = record.value or b""
            known_on = day_date(local_day(record.timestamp))
            event = read(record.value, record.key)
            if not isinstance(event, Refusal):
                fault = check(event, topic, known_on, sources)
                if fault is None:
                    person = event.person.encode()
                    lineage = ((LINEAGE_HEADER, LINEAGE.pack(partition, record.offset)),)
                    target = partition_of(person, partitions)
                    accepted.append((target, record.timestamp, person, raw, lineage))
                    kinds[event.kind] += 1  # type: ignore[attr-defined]
                    continue
                event = fault
            refused.append(self._refuse(topic, record, event))
        return Sorted(accepted, refused, kinds)

    def _refuse(self, topic: str, record: Any, refusal: Refusal) -> Refused:
        raw = record.value or b""
        digest = blake2b(raw, key=self._secret, person=b"refused", digest_size=16)
        digest.update(topic.encode())
        key = None if record.key is None else _masked(record.key)
        return Refused(refusal, digest.hexdigest(), key, _masked(raw), record)

    async def _keep(self, topic: str, refused: Sequence[Refused]) -> None:
        rows = []
        messages = []
        for item in refused:
            refusal, digest, key, value, record = item
            rows.append(
                (
                    *(digest[:12], digest, str(refusal.code), refusal.reason, topic),
                    *(record.partition, record.offset, record.timestamp),
                    (key or b"").decode("utf-8", "backslashreplace"),
                    value.decode("utf-8", "backslashreplace"),
                    *(0, record.timestamp),
                )
            )
            about = {"code": refusal.code, "reason": refusal.reason, "topic": topic}
            about |= {"partition": record.partition, "offset": record.offset}
            headers = (("refusal", orjson.dumps(about)),)
            messages.append((record.partition, record.timestamp, key, value, headers))
        await asyncio.gather(
            self._rejected.write(messages),
            insert(self._store, "rejected_rows", REJECTED_COLUMNS, rows),
        )
