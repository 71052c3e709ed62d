"""Intake: every raw message has exactly one outcome, accepted or refused with a reason.

Stateless. Accepted bytes go unchanged to the journal, keyed and partitioned by person, with the
raw message's timestamp; the rest goes masked to ``population.rejected.v1`` and to the store. A
repeat of a whole batch is harmless: the ledger knows repeats, and the same refusal is one row.
Raw messages that had to be masked are then deleted from Kafka (:mod:`pipeline.purge`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from consumers.store.client import Store
from pipeline.batching import Batch
from pipeline.folding import LINEAGE, LINEAGE_HEADER
from pipeline.forgotten import digest_of
from pipeline.journal import Journal, JournalRecord, partition_of
from pipeline.metrics import ACCEPTED, FLUSH_SECONDS, OTHER, REFUSED
from pipeline.purge import Purge
from pipeline.registry import Registry
from pipeline.signatures import LATER, Keys
from pipeline.signatures import faults as signature_faults
from pipeline.writing import insert
from schemas import identity
from schemas.clock import LAST_DAY, day_date, local_day
from schemas.reading import check, read
from schemas.refusals import Code, Refusal
from schemas.topics import MAX_EVENT_BYTES, MAX_MESSAGE_BYTES

REJECTED_COLUMNS = (
    *("id", "digest", "code", "reason", "topic", "partition", "offset", "rejected_at"),
    *("key", "value", "mended", "version"),
)

_LAST_MS = (LAST_DAY - 365) * 86_400_000
"""The last timestamp taken (a CreateTime may be anything, 2**62 too): days that follow from an
event are up to a year later, and the store's last day is in 2299."""
_ROOM = 16 * 1024
"""Left in a Kafka message for headers. A packed message may be larger than Kafka takes unpacked:
of it the beginning is kept."""
_INSERT_BYTES = 32 * 1024 * 1024


class Refused(NamedTuple):
    """One refused message; ``key`` and ``value`` are masked, and cut where Kafka takes no more.

    ``purge``: the raw message holds what must not stay in Kafka.
    """

    refusal: Refusal
    digest: str
    key: bytes | None
    value: bytes
    record: Any
    purge: bool

    @property
    def timestamp(self) -> int:
        """The raw message's, as far as it is a time that Kafka and the store know."""
        return int(min(max(self.record.timestamp, 0), _LAST_MS))


class Sorted(NamedTuple):
    """A batch after intake's one look at it."""

    accepted: Sequence[JournalRecord]
    refused: Sequence[Refused]
    kinds: Mapping[tuple[str, str], int]
    """Accepted events by kind and source."""


def _masked(raw: bytes) -> bytes:
    masked = _masked_as_it_is(raw)
    if b"\0" in masked:  # UTF-16 and the like: numbers with a NUL beside each digit
        bare = masked.replace(b"\0", b"")
        found = _masked_as_it_is(bare)
        return masked if found == bare else found
    return masked


def _masked_as_it_is(raw: bytes) -> bytes:
    if not identity.suspect(b" %b " % raw):  # many times quicker, and most messages have none
        return raw
    text = raw.decode("utf-8", "surrogateescape")
    return identity.mask(text).encode("utf-8", "surrogateescape")


_MAY_HOLD_IDENTITY = (Code.TOO_LARGE, Code.NOT_JSON, Code.PLAIN_IDENTITY)
"""Any other refusal follows a look that found none: masking would only damage what has to be
mended and sent again (15 digits inside a record's number are no identity number)."""
_UNTIMELY = Refusal(
    Code.IMPOSSIBLE_DATE,
    "消息时间戳（毫秒）不在 1970 至 2298 年之间。",
    "The message's timestamp is no time from 1970 to 2298 in milliseconds.",
)
_FORGOTTEN = Refusal(
    Code.FORGOTTEN,
    "该事件涉及已被遗忘的人。",
    "The event is about a person who was forgotten.",
)
_IN_HEADER = Refusal(
    Code.PLAIN_IDENTITY,
    "消息头含明文身份证号码。",
    "A header of the message holds a plain identity number.",
)


class Intake:
    """The intake stage of one worker.

    Args:
        store: where refusals are kept.
        journal: writer of the journal.
        rejected: writer of the topic of refused messages.
        purge: deletes raw messages that held an identity number.
        partitions: of the journal and of the topic of refused messages.
        secret: keys the digests that tell refusals apart, since an unkeyed digest of a message
            that held an identity number could be searched for.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        journal: Journal,
        rejected: Journal,
        purge: Purge,
        *,
        partitions: int,
        secret: bytes,
    ) -> None:
        self._store = store
        self._purge = purge
        self._journal = journal
        self._rejected = rejected
        self._registry = registry
        self.partitions = partitions
        self._secret = blake2b(secret, digest_size=32).digest()

    async def handle(self, batch: Batch) -> None:
        """Take one batch; when this returns, all of it is kept somewhere."""
        started = time.perf_counter()
        registered = await self._registry.current()
        result = self.sort(batch, registered.accepted)
        if registered.keys:
            result = await asyncio.to_thread(self._signed_only, batch, result, registered.keys)
        if registered.forgotten:
            result = self._without_forgotten(batch, result, registered.forgotten)
        writes = [self._journal.write(result.accepted)]
        if result.refused:
            writes.append(self._keep(batch.topic, result.refused))
        await asyncio.gather(*writes)
        await self._clean(batch, result.refused)
        for (kind, source), count in result.kinds.items():
            ACCEPTED.labels(kind, source).inc(count)
        for refused in result.refused:
            REFUSED.labels(refused.refusal.code, claimed(refused.value, registered.accepted)).inc()
        FLUSH_SECONDS.labels("intake").observe(time.perf_counter() - started)

    def sort(self, batch: Batch, sources: Mapping[str, int]) -> Sorted:
        """Look at every message of a batch once."""
        topic, partition, partitions = batch.topic, batch.partition, self.partitions
        accepted: list[JournalRecord] = []
        refused: list[Refused] = []
        kinds: Counter[tuple[str, str]] = Counter()
        for record in batch.records:
            timestamp = record.timestamp
            event = read(record.value, record.key)
            if record.headers:
                event = _look_into_headers(record.headers, event)
            if isinstance(event, Refusal):
                fault: Refusal | None = event
            elif 0 <= timestamp <= _LAST_MS:
                fault = check(event, topic, day_date(local_day(timestamp)), sources)
            else:
                fault = _UNTIMELY
            if fault is not None:
                refused.append(self._refuse(topic, record, fault))
                continue
            fields = event.__dict__
            person = fields["person"].encode()
            target = partition_of(person, partitions)
            lineage = ((LINEAGE_HEADER, LINEAGE.pack(partition, record.offset)),)
            accepted.append((target, timestamp, person, record.value or b"", lineage))
            kinds[fields["kind"], fields["source"]] += 1
        return Sorted(accepted, refused, kinds)

    def _signed_only(self, batch: Batch, result: Sorted, keys: Keys) -> Sorted:
        """Refuse what is not from whom it says it is."""
        later = {r.record.offset for r in result.refused if r.refusal.code in LATER}
        earlier = {r.record.offset for r in result.refused} - later
        records = {r.offset: r for r in batch.records if r.offset not in earlier}
        faults = signature_faults(batch.topic, list(records.values()), keys)
        if not faults:
            return result
        spared = [one for one in result.accepted if _raw_offset(one) not in faults]
        kinds = Counter(result.kinds)
        kinds.subtract(_counted(one[3]) for one in result.accepted if _raw_offset(one) in faults)
        kept = [item for item in result.refused if item.record.offset not in faults]
        found = [self._refuse(batch.topic, records[offset], faults[offset]) for offset in faults]
        return Sorted(spared, [*kept, *found], kinds)

    def _without_forgotten(self, batch: Batch, result: Sorted, forgotten: frozenset[str]) -> Sorted:
        """Refuse what is about a forgotten person, keep nothing of it, and purge it."""
        spared = [one for one in result.accepted if digest_of(one[2] or b"") not in forgotten]
        if len(spared) == len(result.accepted):
            return result
        kept = {_raw_offset(one) for one in spared}
        refused = {item.record.offset for item in result.refused}
        kinds = Counter(result.kinds)
        late = []
        for record in batch.records:
            if record.offset in kept or record.offset in refused:
                continue
            kinds[_counted(record.value or b"")] -= 1
            found = self._refuse(batch.topic, record, _FORGOTTEN)
            late.append(found._replace(key=None, value=b"", purge=True))
        return Sorted(spared, [*result.refused, *late], kinds)

    def _refuse(self, topic: str, record: Any, refusal: Refusal) -> Refused:
        raw = record.value or b""
        digest = blake2b(raw, key=self._secret, person=b"refused", digest_size=16)
        digest.update(topic.encode())
        key, value = record.key, raw
        if refusal.code in _MAY_HOLD_IDENTITY:
            value = _masked(raw)
            key = None if key is None else _masked(key)
        purge = refusal.code is Code.PLAIN_IDENTITY or value != raw or key != record.key
        most = MAX_MESSAGE_BYTES - _ROOM
        if len(value) + len(key or b"") > most:
            key = None if key is None else key[:_ROOM]
            value = value[: most - _ROOM]
        return Refused(refusal, digest.hexdigest(), key, value, record, purge)

    async def _keep(self, topic: str, refused: Sequence[Refused]) -> None:
        for part in _insertable(refused):
            messages = [_message(topic, item, self.partitions) for item in part]
            rows = [_row(topic, item) for item in part]
            await asyncio.gather(
                self._rejected.write(messages),
                insert(self._store, "rejected_rows", REJECTED_COLUMNS, rows),
            )

    async def _clean(self, batch: Batch, refused: Sequence[Refused]) -> None:
        """Delete what had to be masked from its raw topic, now that it is kept."""
        last = max((item.record.offset for item in refused if item.purge), default=None)
        if last is None:
            await self._purge.again()
        else:
            await self._purge.through(batch.topic, batch.partition, last)


def claimed(value: bytes, registered: Mapping[str, int]) -> str:
    """The registered source that a refused message names, else ``other``."""
    if len(value) > MAX_EVENT_BYTES:
        return OTHER
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return OTHER
    source = document.get("source") if isinstance(document, dict) else None
    return source if isinstance(source, str) and source in registered else OTHER


def _counted(value: bytes) -> tuple[str, str]:
    """Under which kind and source an accepted message is counted."""
    event = orjson.loads(value)
    return event["kind"], event["source"]


def _raw_offset(accepted: JournalRecord) -> int:
    """Where an accepted message stands in its raw partition."""
    return int(LINEAGE.unpack(accepted[4][0][1])[1])


def _look_into_headers(headers: Sequence[tuple[str, bytes | None]], event: Any) -> Any:
    """Refuse for a header too; what is too large or no JSON stays that."""
    if isinstance(event, Refusal) and event.code in (Code.TOO_LARGE, Code.NOT_JSON):
        return event
    held = any(identity.in_key(part) for name, value in headers for part in (name.encode(), value))
    return _IN_HEADER if held else event


def _insertable(refused: Sequence[Refused]) -> Iterator[list[Refused]]:
    """Runs that the store takes at once: many large messages are more than one insert holds."""
    part: list[Refused] = []
    size = 0
    for item in refused:
        size += len(item.value)
        if part and size > _INSERT_BYTES:
            yield part
            part, size = [], len(item.value)
        part.append(item)
    yield part


def _message(topic: str, item: Refused, partitions: int) -> JournalRecord:
    record, refusal = item.record, item.refusal
    about = {"code": refusal.code, "reason": refusal.reason, "topic": topic}
    about |= {"partition": record.partition, "offset": record.offset}
    headers = (("refusal", orjson.dumps(about)),)
    return record.partition % partitions, item.timestamp, item.key, item.value, headers


def _row(topic: str, item: Refused) -> tuple[Any, ...]:
    record, refusal, digest = item.record, item.refusal, item.digest
    return (
        *(digest[:12], digest, str(refusal.code), refusal.reason, topic),
        *(record.partition, record.offset, item.timestamp),
        (item.key or b"").decode("utf-8", "backslashreplace"),
        item.value.decode("utf-8", "backslashreplace"),
        *(0, item.timestamp),
    )
