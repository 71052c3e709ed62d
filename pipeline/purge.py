"""Taking what must not lie in Kafka out of the raw topics again.

A publisher that sends a plain identity number has put it into a topic that is kept for ever. Once
intake has kept the masked message, Kafka deletes the raw partition up to and including it
(DeleteRecords). Nothing is lost by that: batches of one partition are handled in order, so all
before it is in the journal or among the refused messages.

What this does not cover: no consumer can read the records any more, but Kafka leaves the bytes on
its own disk until it deletes their segment file; and consumers of others may have read them before.
"""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from producers.access import client_settings

log = logging.getLogger(__name__)

_SECONDS = 10.0
"""How long the broker may take; intake waits for it, so that what is acknowledged is purged."""
_RETRY_SECONDS = 15.0


class Purge:
    """Deletes raw records from the start of their partition through a given one.

    A broker that is away or forbids it is no reason to stop: that is logged, and tried again with
    what comes later. Deleting up to an offset again changes nothing.

    Args:
        bootstrap: Kafka servers, ``host:port`` separated by commas.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: Any = None
        self._wanted: dict[TopicPartition, int] = {}
        self._retry_at = 0.0
        self._at_work = asyncio.Lock()

    async def through(self, topic: str, partition: int, offset: int) -> None:
        """Delete a partition's records up to and including an offset, or note them for later."""
        place = TopicPartition(topic, partition)
        self._wanted[place] = max(self._wanted.get(place, 0), offset + 1)
        await self._try()

    async def again(self) -> None:
        """Try what failed before, now and then; costs nothing when nothing did."""
        if self._wanted and time.monotonic() >= self._retry_at:
            await self._try()

    async def stop(self) -> None:
        """Let go of Kafka."""
        admin, self._admin = self._admin, None
        await _close(admin)

    async def _try(self) -> None:
        async with self._at_work:
            wanted = dict(self._wanted)
            if not wanted:
                return
            try:
                await asyncio.wait_for(self._delete(wanted), _SECONDS)
            except (KafkaError, TimeoutError, OSError) as error:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                log.warning(
                    "Messages with identity numbers are kept masked, but Kafka did not delete "
                    "them from %s (%s); trying again later",
                    ", ".join(sorted({place.topic for place in wanted})),
                    type(error).__name__,
                )
                await self.stop()
                return
            for place, before in wanted.items():
                if self._wanted.get(place) == before:
                    del self._wanted[place]

    async def _delete(self, wanted: dict[TopicPartition, int]) -> None:
        if self._admin is None:
            admin: Any = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, **client_settings())
            try:
                await admin.start()
            except BaseException:
                await _close(admin)
                raise
            self._admin = admin
        records = {place: RecordsToDelete(before) for place, before in wanted.items()}
        await self._admin.delete_records(records, timeout_ms=int(_SECONDS * 1000))


async def _close(admin: Any) -> None:
    if admin is not None:
        with suppress(KafkaError, OSError):
            await admin.close()
