"""The Faust app: intake agents, a ledger agent, and the leader's readings and alerts."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Protocol, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP
from faust.types.streams import StreamT
from kafka.errors import KafkaError

from consumers.store.client import Store
from consumers.store.errors import StoreError
from pipeline.alerts import Alerts
from pipeline.batching import Batch, BatchApp, Limits, consume
from pipeline.folding import JournalRecord
from pipeline.gauges import Gauges
from pipeline.group import GROUP, READY
from pipeline.indicators import Readings
from pipeline.intake import Intake
from pipeline.journal import Journal, JournalError
from pipeline.ledger import Ledger
from pipeline.metrics import serve
from pipeline.nowcasts import Nowcasts
from pipeline.positions import Settled
from pipeline.purge import Purge
from pipeline.registry import Registry
from pipeline.settings import Settings
from producers.access import client_settings
from schemas.topics import ALERTS, JOURNAL, RAW, READINGS, REJECTED

log = logging.getLogger(__name__)

STAGES = ("intake", "ledger", "readings", "alerts")
_FOLD_RECORDS = 20_000
_LOOK_SECONDS = 0.5
"""How often the leader looks whether anything has changed."""
_MEASURE_SECONDS = 10.0
"""How often the leader measures the stream for ``/metrics``, and looks at recent days."""
_AT_ONCE = 2
"""Partitions counted at the same time: while one waits for the store, another computes."""


class JournalReader:
    """Reads parts of the journal beside the consumer group.

    Args:
        bootstrap: Kafka servers.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    async def __call__(
        self, partition: int, start: int, until: int
    ) -> AsyncIterator[Sequence[JournalRecord]]:
        """A partition's records from one offset until before another, in batches."""
        tp = TopicPartition(JOURNAL, partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            **client_settings(),
        )
        await consumer.start()
        try:
            consumer.assign([tp])
            # What was forgotten is cut off its beginning; the rest stands behind it again.
            start = max(start, (await consumer.beginning_offsets([tp]))[tp])
            consumer.seek(tp, start)
            while start < until:
                fetched = await consumer.getmany(tp, timeout_ms=1000, max_records=_FOLD_RECORDS)
                records = [record for record in fetched.get(tp, ()) if record.offset < until]
                if records:
                    start = records[-1].offset + 1
                    yield cast("Sequence[JournalRecord]", records)
        finally:
            await consumer.stop()


class LeaderTask(Protocol):
    """What one worker does for all of them."""

    async def step(self) -> object:
        """Do what there is to do."""

    def forget(self) -> None:
        """Another worker leads now: what this one knew may be outdated when it leads again."""


def look_for_cycles_seldom() -> None:
    """Let Python's collector rest while a batch is worked on.

    A batch makes hundreds of thousands of tuples and no cycle: looking for one meanwhile costs a
    tenth of the time.
    """
    gc.set_threshold(1_000_000, 20, 50)


class Worker:
    """One worker process: both stages, the writers and the metrics.

    Args:
        settings: ``bootstrap`` and ``clickhouse`` name the servers.
        store: connected to ClickHouse.
        secret: keys the digests of refused messages; the same for all workers of a stack.
        stages: what it does; all workers of a group do the same.
    """

    def __init__(
        self, settings: Settings, store: Store, secret: bytes, stages: Sequence[str] = STAGES
    ) -> None:
        if settings.bootstrap is None:
            raise ValueError("a worker needs the setting bootstrap")
        self.settings = settings
        self.app = BatchApp(
            GROUP,
            bootstrap=settings.bootstrap,
            folder=settings.data / "faust",
            limits=Limits(batch_records=settings.batch_records),
            lead_topic=JOURNAL,
            broker_commit_interval=settings.commit_seconds,
            broker_session_timeout=settings.session_seconds,
            broker_heartbeat_interval=settings.session_seconds / 4,
        )
        registry = Registry(store)
        self._journal = Journal(settings.bootstrap, JOURNAL)
        self._rejected = Journal(settings.bootstrap, REJECTED)
        self._published = Journal(settings.bootstrap, READINGS)
        self._told = Journal(settings.bootstrap, ALERTS)
        self._purge = Purge(settings.bootstrap)
        self.intake = Intake(
            store,
            registry,
            self._journal,
            self._rejected,
            self._purge,
            partitions=settings.partitions,
            secret=secret,
        )
        self.ledger = Ledger(store, registry, settings.state, JournalReader(settings.bootstrap))
        self.readings = Readings(store, self._published, spare=self.ledger.spare)
        self.nowcasts = Nowcasts(store)
        self.gauges = Gauges(store, settings.bootstrap)
        self._settled = Settled(settings.bootstrap)
        self.alerts = Alerts(store, self._told, settled=self._settled)
        self._declare_agents(stages)

    def _declare_agents(self, stages: Sequence[str]) -> None:
        if "intake" in stages:
            for topic in RAW:
                kind = topic.split(".")[1]
                self.app.agent(self.app.batches(topic), name=f"intake-{kind}")(self._take_in)
        if "ledger" in stages:
            self.app.agent(self.app.batches(JOURNAL), name="ledger")(self._count)
        if "readings" in stages:
            self._lead(_LOOK_SECONDS, self.readings, "Readings could not be published")
            self._lead(_MEASURE_SECONDS, self.nowcasts, "Recent days could not be estimated")
            self._lead(_MEASURE_SECONDS, self.gauges, "The stream could not be measured")
        if "alerts" in stages:
            self._lead(_LOOK_SECONDS, self.alerts, "Alerts could not be told")
        self.app.on_revoked(self._give_up)
        self.app.on_assigned(self._take_over)

    async def _take_in(self, stream: StreamT[Batch]) -> None:
        await consume(stream, self.intake.handle)

    async def _count(self, stream: StreamT[Batch]) -> None:
        await consume(stream, self.ledger.handle, at_once=_AT_ONCE)

    def _lead(self, every: float, task: LeaderTask, failure: str) -> None:
        """Let the leader, and nobody else, do something every so many seconds."""

        async def lead() -> None:
            if not self.app.is_leader():
                task.forget()
                return
            try:
                await task.step()
            except (StoreError, JournalError, KafkaError) as error:
                log.error("%s: %s", failure, error)

        self.app.timer(every, name=type(task).__name__)(lead)

    async def _take_over(self, held: set[TP]) -> None:
        log.info("%s with %d partitions", READY, len(held))

    async def _give_up(self, revoked: set[TP]) -> None:
        self.ledger.give_up([tp.partition for tp in revoked if tp.topic == JOURNAL])

    async def run(self) -> None:
        """Work until SIGINT, SIGTERM or a failure.

        Raises:
            WorkerFailedError: something that trying again cannot mend; nothing was lost.
        """
        self.settings.data.mkdir(parents=True, exist_ok=True)
        serve(self.settings.host, self.settings.metrics_port)
        writers = (self._journal, self._rejected, self._published, self._told)
        await asyncio.gather(*(writer.start() for writer in writers))
        try:
            # What Kafka has, not what a setting says: all of a person goes to one partition.
            self.intake.partitions = await self._journal.partitions()
            self.readings.shards = self.intake.partitions
            self.readings.partitions = await self._published.partitions()
            self.alerts.partitions = await self._told.partitions()
            await self.app.serve()
        finally:
            self.ledger.close()
            self.gauges.close()
            self._settled.close()
            await asyncio.gather(*(writer.stop() for writer in writers), self._purge.stop())
