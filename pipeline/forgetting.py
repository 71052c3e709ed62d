"""Erase a person from journal, topics, records, people and state; published figures stay.

Kafka cannot take single records out of a partition. But a repeat of an event changes nothing here,
so a partition is rewritten into itself: all records but the person's are appended again, then Kafka
deletes everything before them (DeleteRecords). Offsets go on, no reader sees a hole.

What the person added to the counts stays, as one anonymous total for all forgotten persons of a
partition (``population.forgotten_cells``): audit and rebuild start from it. Every step may be
repeated, so whatever interrupts it, the same command completes it. ``pipeline/FORGETTING.md`` says
why it is done this way and what it does not cover.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from consumers.store.client import Store
from pipeline.batch_window import Batch
from pipeline.core.alone import Alone
from pipeline.core.ledger import post
from pipeline.core.project import NOTHING
from pipeline.core.reports import KNOWN_ON, Report
from pipeline.core.tally import Cell, Tally, added
from pipeline.folding import Flush
from pipeline.forgotten import digest_of
from pipeline.group import GROUP
from pipeline.journal import Journal, JournalError, JournalRecord, partition_of
from pipeline.ledger import Ledger, ReadJournal
from pipeline.registry import Registry
from pipeline.state import PartitionState
from pipeline.totals import ByDay
from producers.access import client_settings
from schemas.sources import Priorities
from schemas.topics import JOURNAL, RAW, REJECTED

_AT_ONCE = 20_000
_FETCH_MS = 1000
_PERSON_TABLES = ("reports", "people_rows", "finding_rows")
Tell = Callable[[str], None]


@dataclass
class Erased:
    """What was erased of some persons, and what still names them.

    Attributes:
        digests: of the pseudonyms; by these intake knows them again.
        reports: rows of their reports, and rows of people and findings, by table.
        cells: cells to which they still add, without names.
        journal: journal records erased.
        raw: raw messages about them; their partitions were cut off behind the last one.
        refused: refused messages that named them.
        named_by_others: journal records of others that name them (as mother or household).
        left: where a pseudonym was still found afterwards; empty is the only good answer.
    """

    digests: list[str]
    reports: dict[str, int] = field(default_factory=dict)
    cells: int = 0
    journal: int = 0
    raw: int = 0
    refused: int = 0
    named_by_others: int = 0
    left: list[str] = field(default_factory=list)


def known(store: Store, persons: Sequence[str]) -> set[str]:
    """Which of the persons the store holds reports of, or has forgotten before."""
    found = {
        row[0]
        for row in store.query(
            "SELECT DISTINCT person FROM population.reports WHERE person IN {p:Array(String)}",
            {"p": list(persons)},
        )
    }
    digests = {digest_of(person.encode()): person for person in persons}
    rows = store.query(
        "SELECT DISTINCT digest FROM population.forgotten_rows WHERE digest IN {d:Array(String)}",
        {"d": list(digests)},
    )
    return found | {digests[row[0]] for row in rows}


def added_by(entry: Iterable[Report], priorities: Priorities) -> ByDay:
    """Everything that one person's reports add to cells, on every day of knowledge."""
    days: dict[int, dict[Cell, int]] = {}
    reports: Sequence[Report] = []
    known: Tally | Alone = NOTHING
    for report in sorted(entry, key=lambda report: report[KNOWN_ON]):
        posting = post(reports, report, priorities, known)
        for known_on, cells in posting.cells.items():
            days[known_on] = added(days.get(known_on, {}).items(), cells)
        reports, known = posting.entry, posting.after
    return days


class Forgetting:
    """Erases persons while no worker runs.

    Args:
        bootstrap: Kafka servers.
        store: where rows are deleted.
        states: folder of the partitions' states.
        read_journal: reads a part of a partition's journal.
        tell: told of each step.
    """

    def __init__(
        self,
        bootstrap: str,
        store: Store,
        states: Path,
        read_journal: ReadJournal,
        tell: Tell = lambda _: None,
    ) -> None:
        self._bootstrap = bootstrap
        self._store = store
        self._states = states
        self._read_journal = read_journal
        self._tell = tell

    async def forget(self, persons: Sequence[str], ends: Mapping[int, int]) -> Erased:
        """Erase some persons.

        Args:
            persons: pseudonyms.
            ends: end offset of each journal partition.

        Raises:
            StateHeld: a worker has a partition's state open; nothing was changed.
        """
        erased = Erased([digest_of(person.encode()) for person in persons])
        self._mark(erased.digests)
        of_partition: dict[int, list[str]] = {}
        for person in persons:
            of_partition.setdefault(partition_of(person.encode(), len(ends)), []).append(person)
        needles = [person.encode() for person in persons]
        await self._catch_up(of_partition, ends)
        priorities = (await Registry(self._store).current()).priorities
        for partition, some in of_partition.items():
            self._tell(f"state of partition {partition}")
            self._from_state(partition, some, priorities, erased)
        self._tell("records, people and findings")
        self._from_store(persons, erased)
        for partition, some in of_partition.items():
            self._tell(f"journal partition {partition}")
            erased.journal += await self._rewrite(JOURNAL, partition, _of_one(some))
        await self._from_topics(needles, erased)
        await self._look_again(needles, erased)
        return erased

    def _mark(self, digests: Sequence[str]) -> None:
        """First of all, so that nothing new about them is taken in."""
        now_ms = time.time_ns() // 1_000_000
        size = len(digests)
        rows = {"digest": digests, "forgotten_at": [now_ms] * size, "version": [now_ms] * size}
        self._store.insert("forgotten_rows", rows)

    async def _catch_up(self, partitions: Iterable[int], ends: Mapping[int, int]) -> None:
        """Count what waits in their partitions: a state behind the journal knows not all."""
        ledger = Ledger(self._store, Registry(self._store), self._states, self._read_journal)
        try:
            for partition in partitions:
                state = PartitionState(self._states / str(partition))
                start = state.offset
                state.close()
                async for records in self._read_journal(partition, start, ends[partition]):
                    await ledger.handle(Batch(JOURNAL, partition, list[Any](records)))
        finally:
            ledger.close()

    def _from_state(
        self, partition: int, persons: Sequence[str], priorities: Priorities, erased: Erased
    ) -> None:
        state = PartitionState(self._states / str(partition))
        try:
            days: dict[int, dict[Cell, int]] = {}
            for entry in state.entries(persons):
                for known_on, cells in added_by(entry, priorities).items():
                    days[known_on] = added(days.get(known_on, {}).items(), cells.items())
            state.forget(persons, days)
            totals = state.forgotten()
        finally:
            state.close()
        erased.cells += sum(map(len, days.values()))
        if any(totals.values()):
            self._keep_totals(partition, totals)

    def _keep_totals(self, partition: int, totals: ByDay) -> None:
        version = time.time_ns() // 1_000_000
        kept = Flush(partition, 0, version)
        kept.totals = {known_on: dict(cells) for known_on, cells in totals.items()}
        self._store.insert("forgotten_cells", kept.cell_columns())

    def _from_store(self, persons: Sequence[str], erased: Erased) -> None:
        """Mutations, not light deletes: those only hide rows until a merge comes."""
        params = {"p": list(persons)}
        for table in _PERSON_TABLES:
            rows = self._store.query(
                f"SELECT count() FROM population.{table} WHERE person IN {{p:Array(String)}}",  # noqa: S608 - constants
                params,
            )
            erased.reports[table] = rows[0][0]
            self._store.command(
                f"ALTER TABLE population.{table} DELETE WHERE person IN {{p:Array(String)}}"
                " SETTINGS mutations_sync = 2",
                params,
            )
        named = "multiSearchAny(value, {p:Array(String)}) OR has({p:Array(String)}, key)"
        rows = self._store.query(
            f"SELECT count() FROM population.rejected_rows WHERE {named}",  # noqa: S608
            params,
        )
        erased.refused = rows[0][0]
        self._store.command(
            f"ALTER TABLE population.rejected_rows DELETE WHERE {named}"
            " SETTINGS mutations_sync = 2",
            params,
        )

    async def _from_topics(self, needles: Sequence[bytes], erased: Erased) -> None:
        def names_one(record: Any) -> bool:
            return _names(record, needles)

        done, places = await acknowledged(self._bootstrap), await _places(self._bootstrap)
        consumer = self._consumer()
        await consumer.start()
        try:
            for topic in RAW:
                self._tell(f"topic {topic}")
                for place in places[topic]:
                    # What waits behind is refused by intake, and purged.
                    before = done.get(place, 0)
                    count, last = await self._last(consumer, place, names_one, before)
                    erased.raw += count
                    if count:
                        await self._cut(place, last + 1)
            for place in places[REJECTED]:
                count, _ = await self._last(consumer, place, names_one)
                if count:
                    await self._rewrite(REJECTED, place.partition, names_one)
        finally:
            await consumer.stop()

    async def _look_again(self, needles: Sequence[bytes], erased: Erased) -> None:
        """Read every topic once more: what still names them, and whose it is."""
        keys = set(needles)
        done, places = await acknowledged(self._bootstrap), await _places(self._bootstrap)
        consumer = self._consumer()
        await consumer.start()
        try:
            for topic in (JOURNAL, *RAW, REJECTED):
                self._tell(f"looking again through {topic}")
                for place in places[topic]:
                    before = done.get(place, 0) if topic in RAW else None
                    async for records in _all(consumer, place, before):
                        named = [record for record in records if _names(record, needles)]
                        own = [r for r in named if topic != JOURNAL or r.key in keys]
                        if own:
                            erased.left.append(f"{topic} {place.partition}")
                        if topic == JOURNAL:
                            erased.named_by_others += len(named) - len(own)
        finally:
            await consumer.stop()

    async def _last(
        self,
        consumer: Any,
        place: TopicPartition,
        wanted: Callable[[Any], bool],
        before: int | None = None,
    ) -> tuple[int, int]:
        """How many records before an offset are wanted, and the offset of the last."""
        count, last = 0, -1
        async for records in _all(consumer, place, before):
            for record in records:
                if wanted(record):
                    count, last = count + 1, record.offset
        return count, last

    async def _rewrite(self, topic: str, partition: int, unwanted: Callable[[Any], bool]) -> int:
        """Append all wanted records of a partition to it, then cut off what was there before."""
        place = TopicPartition(topic, partition)
        consumer = self._consumer()
        await consumer.start()
        dropped = 0
        try:
            end = (await consumer.end_offsets([place]))[place]
            async with Journal(self._bootstrap, topic) as journal:
                async for records in _all(consumer, place):
                    kept: list[JournalRecord] = [
                        (partition, r.timestamp, r.key, r.value, r.headers)
                        for r in records
                        if not unwanted(r)
                    ]
                    dropped += len(records) - len(kept)
                    await journal.write(kept)
        finally:
            await consumer.stop()
        await self._cut(place, end)
        return dropped

    async def _cut(self, place: TopicPartition, before: int) -> None:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, **client_settings())
        await admin.start()
        try:
            await admin.delete_records({place: RecordsToDelete(before)})
        finally:
            await admin.close()

    def _consumer(self) -> Any:
        return AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            **client_settings(),
        )


def _of_one(persons: Sequence[str]) -> Callable[[Any], bool]:
    keys = {person.encode() for person in persons}
    return lambda record: record.key in keys


def _names(record: Any, needles: Sequence[bytes]) -> bool:
    value, key = record.value or b"", record.key or b""
    return any(needle in value or needle in key for needle in needles)


async def _places(bootstrap: str) -> dict[str, list[TopicPartition]]:
    """Every partition of the topics that hold what publishers said."""
    topics = [JOURNAL, *RAW, REJECTED]
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **client_settings())
    await admin.start()
    try:
        described = await admin.describe_topics(topics)
    finally:
        await admin.close()
    found = {
        topic["topic"]: [
            TopicPartition(topic["topic"], p["partition"]) for p in topic["partitions"]
        ]
        for topic in described
    }
    if not all(found.get(topic) for topic in topics):
        raise JournalError("Kafka does not tell the partitions of all topics: try again")
    return found


async def _all(consumer: Any, place: TopicPartition, before: int | None = None) -> Any:
    """Every record that a partition holds now (or up to an offset), in batches."""
    consumer.assign([place])
    start = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place] if before is None else before
    consumer.seek(place, start)
    while start < end:
        fetched = await consumer.getmany(place, timeout_ms=_FETCH_MS, max_records=_AT_ONCE)
        records = [record for record in fetched.get(place, ()) if record.offset < end]
        if records:
            start = records[-1].offset + 1
            yield records


async def acknowledged(bootstrap: str) -> dict[TopicPartition, int]:
    """What the pipeline has acknowledged."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **client_settings())
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(GROUP)
        return {place: known.offset for place, known in found.items()}
    finally:
        await admin.close()


def forget(
    bootstrap: str,
    store: Store,
    states: Path,
    read_journal: ReadJournal,
    persons: Sequence[str],
    ends: Mapping[int, int],
    tell: Tell = lambda _: None,
) -> Erased:
    """Erase some persons; see :class:`Forgetting`."""
    work = Forgetting(bootstrap, store, states, read_journal, tell)
    return asyncio.run(work.forget(persons, ends))
