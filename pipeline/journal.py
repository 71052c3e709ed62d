"""Writing the journal: many records at once, acknowledged by the broker before ``write`` returns.

One idempotent aiokafka producer with ``acks=all``; ``create_batch``/``send_batch`` instead of one
``send`` for each record. Repeats are possible, losses are not: a write that is cut off, by a crash
or by its caller, may be in the journal although it was never acknowledged, and what follows a
broken producer is written again. The journal's readers do not mind repeats, nor their order.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownTopicOrPartitionError,
)

from producers.access import client_settings

log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes]]
JournalRecord = tuple[int, int, bytes | None, bytes, Headers]
"""Partition, timestamp in milliseconds since 1970, key, value, headers."""

_NO_HEADERS: list[tuple[str, bytes]] = []

_BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
_STOP_SECONDS = 10.0

_PRODUCER_IS_BROKEN = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
)
"""The broker lost or refused this producer's sequence: only a new producer can go on."""


class JournalError(Exception):
    """The broker refuses the records for good; the message names the topic and the way out."""


def partition_of(person: bytes, partitions: int) -> int:
    """Partition of a person's events: CRC-32 of the key, as librdkafka's ``consistent`` does.

    Args:
        person: the pseudonym as it stands in the message's key.
        partitions: of the topic.
    """
    return crc32(person) % partitions


class Journal:
    """Writer of one topic.

    Args:
        bootstrap: Kafka servers, ``host:port`` separated by commas.
        topic: where it writes; it must exist.
        batch_bytes: size of a Kafka record batch. A single larger record goes in a batch of its
            own, up to the topic's ``max.message.bytes``.
    """

    def __init__(self, bootstrap: str, topic: str, *, batch_bytes: int = 512 * 1024) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._batch_bytes = batch_bytes
        self._producer: Any = None
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Connect, however long Kafka takes to be there."""
        await self._renew(None)

    async def stop(self) -> None:
        """Wait a little for what is on its way, then let go."""
        producer, self._producer = self._producer, None
        await _close(producer)

    async def partitions(self) -> int:
        """How many partitions the topic has, which never changes; waits for the broker.

        Raises:
            JournalError: there is no such topic.
        """
        tries = 0
        while True:
            if self._producer is None:
                raise RuntimeError("the journal is not open: start it first")
            try:
                return len(await self._producer.partitions_for(self._topic))
            except UnknownTopicOrPartitionError:
                raise JournalError(
                    f"Kafka has no topic {self._topic}: start the stack with `popflow up` first"
                ) from None
            except KafkaError as fault:
                await self._recover(self._producer, [fault], tries)
                tries += 1

    async def write(self, records: Sequence[JournalRecord]) -> None:
        """Write the records; those of one partition in the order given.

        Waits for the broker however long it is away. When cancelled, some records may be written.

        Raises:
            JournalError: the broker refuses them for good.
        """
        left: dict[int, list[JournalRecord]] = {}
        for record in records:
            left.setdefault(record[0], []).append(record)
        tries = 0
        while left:
            producer = self._producer
            if producer is None:
                raise RuntimeError("the journal is not open: start it first")
            runs = await asyncio.gather(
                *(
                    self._write_partition(producer, partition, run)
                    for partition, run in left.items()
                )
            )
            faults = [error for error, _ in runs if error is not None]
            left = {run[0][0]: run for _, run in runs if run}
            if faults:
                await self._recover(producer, faults, tries)
                tries += 1

    async def _write_partition(
        self, producer: Any, partition: int, records: list[JournalRecord]
    ) -> tuple[Exception | None, list[JournalRecord]]:
        """Send a partition's records; the first error and what it left unacknowledged."""
        sent: list[tuple[int, asyncio.Future[Any]]] = []
        try:
            for start, batch in self._batches(producer, records):
                future = await producer.send_batch(batch, self._topic, partition=partition)
                future.add_done_callback(_look_at)
                sent.append((start, future))
            unsent = len(records)
            fault: Exception | None = None
        except KafkaError as error:
            unsent, fault = start, error
        for start, future in sent:
            try:
                await future
            except KafkaError as error:
                return error, records[start:]
        return fault, records[unsent:]

    def _batches(self, producer: Any, records: list[JournalRecord]) -> Iterator[tuple[int, Any]]:
        """Full Kafka record batches, each with the index of its first record."""
        batch, start = producer.create_batch(), 0
        append = batch.append
        for index, (_, timestamp, key, value, headers) in enumerate(records):
            # aiokafka reads headers as a tuple but writes them from a list only.
            pairs = list(headers) if headers else _NO_HEADERS
            if append(timestamp=timestamp, key=key, value=value, headers=pairs) is None:
                yield start, batch
                batch, start = producer.create_batch(), index
                append = batch.append
                append(timestamp=timestamp, key=key, value=value, headers=pairs)
        batch.close()
        yield start, batch

    async def _recover(self, producer: Any, faults: list[Exception], tries: int) -> None:
        """Wait, with a new producer if need be, before what is left is sent again."""
        for fault in faults:
            broken = isinstance(fault, _PRODUCER_IS_BROKEN)
            if not (
                broken or getattr(fault, "retriable", False) or isinstance(fault, KafkaTimeoutError)
            ):
                raise JournalError(self._refusal(fault)) from fault
        log.warning(
            "%s could not be written (%s); trying again", self._topic, type(faults[0]).__name__
        )
        await asyncio.sleep(_BACKOFF_SECONDS[min(tries, len(_BACKOFF_SECONDS) - 1)])
        if any(isinstance(fault, _PRODUCER_IS_BROKEN) for fault in faults):
            await self._renew(producer)

    def _refusal(self, fault: Exception) -> str:
        if isinstance(fault, MessageSizeTooLargeError):
            return (
                f"{self._topic} takes no record batch of {self._batch_bytes} bytes: raise its "
                "max.message.bytes"
            )
        return (
            f"Kafka refuses to write {self._topic} ({type(fault).__name__}): check the topic and "
            "what this user may do with it"
        )

    async def _renew(self, broken: Any) -> None:
        """Replace the producer that broke; writers that share it wait for the one new producer."""
        async with self._renewing:
            if self._producer is not broken:
                return
            await _close(broken)
            while True:
                producer: Any = _producer(self._bootstrap, self._batch_bytes)
                try:
                    await producer.start()
                except KafkaError as error:
                    await producer.stop()
                    log.warning(
                        "Kafka at %s does not answer (%s); trying again",
                        self._bootstrap,
                        type(error).__name__,
                    )
                    await asyncio.sleep(_BACKOFF_SECONDS[-1])
                else:
                    self._producer = producer
                    return


def _producer(bootstrap: str, batch_bytes: int) -> Any:
    build: Any = AIOKafkaProducer
    return build(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=batch_bytes,
        max_request_size=2**31 - 1,
        linger_ms=0,
        **client_settings(),
    )


async def _close(producer: Any) -> None:
    """Stop a producer; one that cannot deliver would wait for ever."""
    if producer is None:
        return
    try:
        await asyncio.wait_for(producer.stop(), _STOP_SECONDS)
    except (TimeoutError, KafkaError):
        with suppress(KafkaError):
            await producer.client.close()


def _look_at(future: asyncio.Future[Any]) -> None:
    """A batch given up by a cancelled writer may still fail: nobody asks for its error."""
    if not future.cancelled():
        future.exception()
