"""The consumer behind ``pipeline.batching``: what it replaces in Faust's, and why, stands there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import ServiceT

from pipeline.batch_errors import ErrorsWithoutValues, WorkerFailedError, place_of
from pipeline.batch_lane import Lane
from pipeline.batch_thread import BatchThread
from pipeline.batch_window import Batch, Window, joined

if TYPE_CHECKING:
    from pipeline.batching import BatchApp

__all__ = ["BatchConsumer", "ErrorsWithoutValues", "Handler", "OwnershipHook", "WorkerFailedError"]

log = logging.getLogger(__name__)

Handler = Callable[[Batch], Awaitable[None]]
OwnershipHook = Callable[[set[TP]], Awaitable[None]]

_POLL_SECONDS = 1.0
_POLL_SECONDS_WHEN_HELD_BACK = 0.01
"""A partition that gets room again must not wait for a fetch of the others."""


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
        self._lanes: dict[TP, Lane] = {}
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
        lane = self._lanes.setdefault(batch.tp, Lane())
        lane.add(batch)
        if lane.idle:
            lane.task = asyncio.create_task(self._run_lane(lane, handler, free))

    async def _run_lane(self, lane: Lane, handler: Handler, free: asyncio.Semaphore) -> None:
        while lane.waiting:
            await lane.gather(self.app.limits)
            async with free:
                if not lane.waiting or self.app.failure is not None:
                    return
                batches = lane.take(self.app.limits, self.window.holds)
                if not batches:
                    continue
                batch = joined(batches)
                try:
                    await handler(batch)
                    for each in batches:
                        self.window.acknowledge(each)
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
        running = {lane.task for lane in lanes if lane.task is not None}
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
        if hook is None:
            return
        try:
            await hook(set(tps))
        except Exception as error:
            self.app.fail(
                WorkerFailedError(f"partitions could not change hands: {place_of(error)}")
            )


def _cancelled_from_outside() -> bool:
    """Whether somebody cancelled this task; else something that it waited for was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failure(batch: Batch, error: BaseException) -> WorkerFailedError:
    """What a handler's error means for its batch."""
    return WorkerFailedError(
        f"{batch.topic}, partition {batch.partition}, offsets {batch.first_offset} to "
        f"{batch.last_offset} could not be handled: {place_of(error)}. They are not acknowledged "
        "and will be read again when the worker is started again."
    )
