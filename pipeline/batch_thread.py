"""The consumer's own thread behind ``pipeline.batching``: fetching, committing, going back."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.batch_errors import name_of, place_of
from pipeline.batch_window import Batch, Limits
from producers.access import client_settings

log = logging.getLogger(__name__)

_TOPIC_SECONDS = 0.2


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
                log.warning("Kafka at %s does not answer (%s); trying again", where, name_of(error))
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
            **client_settings(),
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
            log.warning("offsets could not be committed (%s); trying again", name_of(error))
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
