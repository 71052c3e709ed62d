"""Faust on record batches: one message for each fetched run of a partition's records.

Faust hands over single records (11,400 a second here); this transport hands over what one fetch
brought of one partition. It also replaces Faust's acknowledgement, which cannot be used:

- Faust acknowledges when an agent raises or is cancelled, commits past an unacknowledged record
  after a gap, drops records below the last offset seen, and waits a second when no partition is
  active. Here only ``consume`` acknowledges, after the handler has returned, and what is committed
  is the end of the unbroken run of acknowledged batches since the assignment.
- Every rebalance revokes all partitions (Kafka's eager protocol). Before they are given up, batches
  not begun are dropped, running handlers may finish within ``Limits.settle_seconds`` and are
  cancelled after it, what was acknowledged is committed, and ``on_revoked`` is awaited. A batch
  belongs to one assignment: a late acknowledgement of an earlier one counts for nothing, and the
  broker refuses commits of a worker that it has already replaced. The new owner starts at the
  committed offset, so what of a partition was handed over and not yet committed comes twice.
- Whatever was fetched but not handed over is fetched again from the committed offset.

What this does not cover: a handler that never returns keeps its partition (heartbeats go on); a
batch handled but not yet committed at a crash is handled again; and Faust's assignor gives a worker
at most its share of the partitions rounded up, so that of three workers on four one stays idle.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.types.streams import StreamT

from pipeline.batch_consumer import BatchConsumer, Handler, OwnershipHook
from pipeline.batch_errors import ErrorsWithoutValues, WorkerFailedError, place_of
from pipeline.batch_window import Batch, Limits

__all__ = [
    "TP",
    "Batch",
    "BatchApp",
    "BatchTransport",
    "ErrorsWithoutValues",
    "Handler",
    "Limits",
    "OwnershipHook",
    "WorkerFailedError",
    "consume",
]

log = logging.getLogger(__name__)

_DEFAULT_LIMITS = Limits()


class BatchTransport(driver.Transport):
    """Kafka transport of batches."""

    Consumer = BatchConsumer


class _BatchSchema(faust.Schema[Any, Any]):
    """Passes batches through: no key, no value to decode."""

    def compile(self, app: Any, **_ignored: Any) -> Callable[..., Awaitable[faust.Event]]:
        async def decode(message: Message, *, propagate: bool = False) -> faust.Event:  # noqa: ARG001
            return cast("faust.Event", app.create_event(None, message.value, None, message))

        return decode


class _NoTables(TableManager):
    """Faust's table manager without the second it waits for tables to be declared."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class _ConsumerOnly(BootStrategy):
    """No producer of Faust's: what is written goes out in batches, acknowledged."""

    enable_kafka_producer = False


class BatchApp(faust.App):
    """A Faust app whose agents get ``Batch`` after ``Batch``.

    Args:
        name: the consumer group.
        bootstrap: Kafka servers, ``host:port`` separated by commas.
        folder: where Faust may write; nothing of value is kept there.
        limits: bounds of memory and time.
        lead_topic: the worker that holds partition 0 of this topic is the leader of
            ``timer(on_leader=True)``.
        settings: more of Faust's settings, over those chosen here.
    """

    BootStrategy = _ConsumerOnly

    def __init__(
        self,
        name: str,
        *,
        bootstrap: str,
        folder: Path,
        limits: Limits = _DEFAULT_LIMITS,
        lead_topic: str | None = None,
        **settings: Any,
    ) -> None:
        self.limits = limits
        self.on_assigned_hook: OwnershipHook | None = None
        self.on_revoked_hook: OwnershipHook | None = None
        self.failure: WorkerFailedError | None = None
        self._lead = TP(lead_topic, 0) if lead_topic else None
        self._failed = asyncio.Event()
        chosen: dict[str, Any] = {
            "broker": [f"kafka://{server}" for server in bootstrap.split(",")],
            "datadir": folder,
            "store": "memory://",
            "autodiscover": False,
            "web_enabled": False,
            "topic_disable_leader": True,
            "topic_allow_declare": False,
            "stream_wait_empty": True,
            "stream_recovery_delay": 0.0,
            "broker_commit_interval": 0.5,
            "broker_session_timeout": 10.0,
            "broker_heartbeat_interval": 3.0,
            "broker_rebalance_timeout": 60.0,
            # A broker may answer with a topic missing: found again after this, not in five minutes.
            "consumer_metadata_max_age_ms": 10_000,
            "TableManager": _NoTables,
        }
        super().__init__(name, **{**chosen, **settings})

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def batches(self, *topics: str) -> faust.Topic:
        """The topics as a channel for ``@app.agent``. One agent for each topic."""
        return cast("faust.Topic", self.topic(*topics, schema=_BatchSchema(), acks=False))

    def on_assigned(self, hook: OwnershipHook) -> OwnershipHook:
        """Decorator: await this with all partitions held from now on, before any batch of them."""
        self.on_assigned_hook = hook
        return hook

    def on_revoked(self, hook: OwnershipHook) -> OwnershipHook:
        """Decorator: await this before partitions are given up; no handler of them runs by then."""
        self.on_revoked_hook = hook
        return hook

    def is_leader(self) -> bool:
        """Whether this worker holds partition 0 of the leading topic."""
        return self._lead is not None and self._lead in self.consumer.assignment()

    def fail(self, failure: WorkerFailedError) -> None:
        """Stop the worker: no further batch is begun, ``serve`` raises the failure."""
        if self.failure is None:
            self.failure = failure
            log.error("%s", failure)
        self._failed.set()

    async def serve(self) -> None:
        """Run until SIGINT, SIGTERM or a failure; then settle, commit and leave the group.

        Raises:
            WorkerFailedError: a handler or a hook raised, or Faust itself broke down. The process
                should end with another code than 0; nothing of the failed batch is acknowledged.
        """
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        starting = asyncio.create_task(self.maybe_start())
        endings = [
            asyncio.create_task(wait) for wait in (stop.wait(), self._failed.wait(), self._ended())
        ]
        try:
            await asyncio.wait([starting, *endings], return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and starting.exception() is None:
                await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (starting, *endings):
                task.cancel()
            broken = self.crash_reason
            if starting.done() and not starting.cancelled():
                broken = broken or starting.exception()
            await self.stop()
        if self.failure is None and broken is not None:
            self.fail(WorkerFailedError(f"the worker broke down: {place_of(broken)}"))
        if self.failure is not None:
            raise self.failure

    async def _ended(self) -> bool:
        await self.wait_until_stopped()
        return True


async def consume(stream: StreamT[Batch], handle: Handler, *, at_once: int = 1) -> None:
    """Body of an agent: handle every batch, acknowledging each after its handler has returned.

    Batches of one partition are handled one after another, in order. An exception of the handler
    stops the worker without acknowledging the batch, so that it is read again after a restart.

    Args:
        stream: what Faust gives to an agent of ``BatchApp.batches``.
        handle: called with each batch; may be called twice with the same records.
        at_once: partitions handled at the same time: while one waits for a store, others work.
    """
    app = cast("BatchApp", stream.app)
    consumer = cast("BatchConsumer", app.consumer)
    free = asyncio.Semaphore(at_once)
    async for event in stream.events():
        batch = event.value
        if event.message.refcount > 1:
            app.fail(WorkerFailedError(f"two agents read {batch.topic}: give each topic one"))
            return
        consumer.handle(batch, handle, free)
