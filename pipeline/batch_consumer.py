"""The consumer behind ``pipeline.batching``: what it replaces in Faust's, and why, stands there."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import ServiceT

from pipeline.batch_window import Batch, Limits, Window

if TYPE_CHECKING:
    from pipeline.batching import BatchApp

log = logging.getLogger(__name__)

Handler = Callable[[Batch], Awaitable[None]]
OwnershipHook = Callable[[set[TP]], Awaitable[None]]

_POLL_SECONDS = 1.0
_TOPIC_SECONDS = 0.2
_POLL_SECONDS_WHEN_HELD_BACK = 0.01
"""A partition that gets room again must not wait for a fetch of the others."""


class WorkerFailedError(Exception):
    """The worker cannot go on; the message says what happened, without any value of an event."""


class BatchThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, fetching batches."""

    limits: Limits

    async def on_start(self) -> None:
        """Connect, however long Kafka takes to be there."""
        self.time_started = self.loop.time()
        while not self.should_stop:
            consumer: Any = self._create_consumer(loop=self.thread_loop)
            try:
                await consumer.start()
            except KafkaError as error:
                await consumer.stop()
                where = ", ".join(driver.server_list(self.transport.url, 9092))
                log.warning("Kafka at %s does not answer (%s); trying again", where, _name(error))
                await self.sleep(1.0)
            else:
                self._consumer = consumer
                return

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group once Kafka has all topics.

        Faust's assignor leaves out a topic that the broker does not know yet: the worker would look
        healthy and not read it.
        """
        wanted = set(topics)
        await self.call_thread(self._wait_for_topics, wanted)
        await super().subscribe(wanted)

    async def _wait_for_topics(self, wanted: set[str]) -> None:
        consumer: Any = self._ensure_consumer()
        told: set[str] = set()
        while not self.should_stop:
            try:
                missing = wanted - await consumer.topics()
            except KafkaError:
                missing = wanted
            if not missing:
                return
            if missing != told:
                log.warning("waiting for Kafka's topics: %s", ", ".join(sorted(missing)))
                told = missing
            await self.sleep(_TOPIC_SECONDS)

    def on_crash(self, msg: str, *fmt: Any, **_kwargs: Any) -> None:
        """Log what ended the thread; Faust prints a traceback."""
        log.error(msg.format(*(place_of(f) if isinstance(f, BaseException) else f for f in fmt)))

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        conf, limits = self.app.conf, self.limits
        # Faust's assignor is sticky and gives all topics with the same number of partitions the
        # same owners; its base class would choose aiokafka's round robin without tables.
        self._assignor = self.app.assignor
        build: Any = AIOKafkaConsumer
        return build(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=limits.batch_records,
            # A worker that waits for ClickHouse for an hour is no reason to rebalance, and Faust
            # would never join again.
            max_poll_interval_ms=2**31 - 1,
            max_partition_fetch_bytes=limits.fetch_bytes,
            fetch_max_bytes=8 * limits.fetch_bytes,
            fetch_max_wait_ms=limits.fetch_wait_ms,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, list[Batch]]:
        fetched = await super()._fetch_records(
            consumer, active_partitions, timeout=timeout, max_records=max_records
        )
        return {
            tp: [Batch(tp.topic, tp.partition, records)]
            for tp, records in fetched.items()
            if records
        }

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer: Any = self._ensure_consumer()
        held = consumer.assignment()
        wanted = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in held
        }
        try:
            await consumer.commit(wanted)
        except (CommitFailedError, IllegalStateError):
            log.warning("partitions moved to another worker; their last batches come again there")
            return False
        except KafkaError as error:
            log.warning("offsets could not be committed (%s); trying again", _name(error))
            return False
        return True

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to the committed offset of every partition, to its start where there is none.

        aiokafka's own leaves a partition without a committed offset where it is.
        """
        return cast("Mapping[TP, int]", await self.call_thread(self._rewind))

    async def _rewind(self) -> dict[TP, int]:
        consumer: Any = self._ensure_consumer()
        offsets = {}
        for tp in consumer.assignment():
            offset = await consumer.committed(tp)
            if offset is None:
                await consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, offset)
                offsets[TP(*tp)] = offset
        return offsets


@dataclass(slots=True)
class _Lane:
    """The batches of one partition that wait for their handler, and the task that runs it."""

    waiting: deque[tuple[Batch, Handler, asyncio.Semaphore]]
    task: asyncio.Task[None]


class BatchConsumer(driver.Consumer):
    """Faust's consumer with batches, own acknowledgement and bounded memory."""

    app: "BatchApp"

    def _new_consumer_thread(self) -> BatchThread:
        thread = BatchThread(self, loop=self.loop, beacon=self.beacon)
        thread.limits = self.app.limits
        self.window = Window(self.app.limits)
        self._assignments = 0
        self._adrift = False
        self._held: set[TP] = set()
        self._lanes: dict[TP, _Lane] = {}
        self._room = asyncio.Event()
        self._committing = asyncio.Lock()
        return thread

    # -- from Kafka to the agents

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active:
                    await self.wait_first(self.can_resume_flow.wait())
                    continue
                for batch in await self._next_batches():
                    if not self.flow_active:
                        self._adrift = True
                        break
                    self.window.admit(batch)
                    message = self._to_message(batch.tp, batch)
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
        except (asyncio.CancelledError, ConsumerStoppedError):
            if not self.app.should_stop:
                raise

    async def _next_batches(self) -> list[Batch]:
        """What has come, at most one batch of each partition; empty after a while."""
        if self._adrift:
            await self._go_back()
        active = self._get_active_partitions()
        roomy = {tp for tp in active if self.window.has_room(tp)}
        if not roomy:
            self._room.clear()
            await self.wait_first(
                self._room.wait(), self.suspend_flow.wait(), timeout=_POLL_SECONDS
            )
            return []
        everything = len(roomy) == len(active)
        assignment = self._assignments
        fetched = await self._thread.getmany(
            roomy, _POLL_SECONDS if everything else _POLL_SECONDS_WHEN_HELD_BACK
        )
        batches = [batch for run in fetched.values() for batch in run]
        if batches and assignment != self._assignments:
            # Fetched across a rebalance: perhaps after the partitions were set to their committed
            # offsets, so these records would be lost if they were only dropped.
            self._adrift = True
            return []
        return batches

    async def _go_back(self) -> None:
        self.window.forget(self._held)
        await self.perform_seek()
        self._adrift = False

    async def perform_seek(self) -> None:
        """Go back to what is committed."""
        await self.seek_to_committed()

    def _to_message(self, tp: TP, record: Batch) -> ConsumerMessage:
        last = record.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            None,
            None,
            cast("Any", record),
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing to do: the window bounds what is handed over, far below Faust's queues."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing to do: Faust's warnings take a handler that waits for a store for a defect."""

    # -- handlers

    def handle(self, batch: Batch, handler: Handler, free: asyncio.Semaphore) -> None:
        """Run the handler on the batch after those of its partition before it."""
        if not (self.flow_active and self.window.holds(batch)):
            return
        lane = self._lanes.get(batch.tp)
        if lane is not None and not lane.task.done():
            lane.waiting.append((batch, handler, free))
            return
        waiting = deque([(batch, handler, free)])
        self._lanes[batch.tp] = _Lane(waiting, asyncio.create_task(self._run_lane(waiting)))

    async def _run_lane(self, waiting: deque[tuple[Batch, Handler, asyncio.Semaphore]]) -> None:
        while waiting:
            free = waiting[0][2]
            async with free:
                if not waiting or self.app.failure is not None:
                    return
                batch, handler, _ = waiting.popleft()
                if not self.window.holds(batch):
                    continue
                try:
                    await handler(batch)
                    self.window.acknowledge(batch)
                except asyncio.CancelledError as error:
                    if not _cancelled_from_outside():
                        self.app.fail(_failure(batch, error))
                    raise
                except Exception as error:  # Faust would acknowledge the batch and go on
                    self.app.fail(_failure(batch, error))
                    return
            self._room.set()

    # -- acknowledgement

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        """Give the broker the ends of what is acknowledged."""
        async with self._committing:
            offsets = self.window.committable()
            try:
                if not offsets or not await self._thread.commit(offsets):
                    return False
            except asyncio.CancelledError:
                if _cancelled_from_outside():
                    raise
                return False  # the consumer's thread broke down and took the commit with it
            self.window.committed(offsets)
            return True

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take over partitions: first the app's hook, then the flow of batches."""
        self._held = set(assigned)
        await self._tell(self.app.on_assigned_hook, self._held)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Give partitions up: settle what runs, commit, then the app's hook."""
        self.stop_flow()
        await self._settle(self._held & revoked)
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Settle everything: Faust calls this when the worker stops."""
        await self._settle(set(self._held))

    async def _settle(self, tps: set[TP]) -> None:
        self._assignments += 1
        lanes = [self._lanes.pop(tp) for tp in tps if tp in self._lanes]
        for lane in lanes:
            lane.waiting.clear()
        running = {lane.task for lane in lanes}
        if running:
            _, slow = await asyncio.wait(running, timeout=self.app.limits.settle_seconds)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
        if tps:
            try:
                await asyncio.wait_for(self.commit(), self.app.limits.settle_seconds)
            except TimeoutError:
                log.warning("Kafka does not answer; the last batches will be read again")
            self.window.forget(tps)
            self._held -= tps
            await self._tell(self.app.on_revoked_hook, tps)

    async def _tell(self, hook: OwnershipHook | None, tps: set[TP]) -> None:
        if hook is None or not tps:
            return
        try:
            await hook(set(tps))
        except Exception as error:
            self.app.fail(
                WorkerFailedError(f"partitions could not change hands: {place_of(error)}")
            )


def _failure(batch: Batch, error: BaseException) -> WorkerFailedError:
    return WorkerFailedError(
        f"{batch.topic}, partition {batch.partition}, offsets {batch.first_offset} to "
        f"{batch.last_offset} could not be handled: {place_of(error)}. They are not acknowledged "
        "and will be read again when the worker is started again."
    )


class ErrorsWithoutValues(logging.Filter):
    """For log handlers: an error keeps its type and place, not its text: that may quote an event.

    Faust and mode log whatever ends a service with its text and traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it always passes."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                place_of(arg) if isinstance(arg, BaseException) else arg for arg in record.args
            )
        if record.exc_info and record.exc_info[1] is not None:
            record.msg = f"{record.msg} ({place_of(record.exc_info[1]).replace('%', '%%')})"
            record.exc_info = record.exc_text = None
        return True


def _cancelled_from_outside() -> bool:
    """Whether somebody cancelled this task; else something that it waited for was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def place_of(error: BaseException) -> str:
    """Type and place of an error; its text may quote an event, so it is left out."""
    frames: Iterator[Any] = reversed(extract_tb(error.__traceback__))
    ours = [f for f in frames if "site-packages" not in f.filename]
    place = f" at {Path(ours[0].filename).name}:{ours[0].lineno}" if ours else ""
    cause = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    return f"{_name(error)}{cause}{place}"


def _name(error: BaseException) -> str:
    return type(error).__name__
