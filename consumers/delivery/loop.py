"""One receiver, fed from the topic of alerts by a consumer group of its own.

Kafka is the outbox: the group's offset moves only when the receiver has taken what lies before it,
so nothing is lost while the receiver, or this process, is away, and no receiver waits for another.
At the start the whole topic is read again, since what was said before decides what is news.
"""

# kafka-python has no annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from pydantic import ValidationError

from consumers.delivery.outcomes import OUTCOMES, Away, Refused
from consumers.delivery.queue import Queue, Waiting
from consumers.delivery.receivers import Receiver
from consumers.delivery.senders import Sender
from consumers.delivery.silences import Silences, nothing
from pipeline.metrics import DELIVERIES, DELIVERY_OLDEST, DELIVERY_SECONDS, DELIVERY_WAITING
from producers.access import client_settings
from schemas.alert import Alert
from schemas.topics import ALERTS

log = logging.getLogger(__name__)

GROUP = "popflow-delivery-"
_LOOK_SECONDS = 1.0
_KAFKA_PAUSE = 2.0
_SESSION_MS = 10_000
"""After which silence of a killed process another one may deliver in its place."""
_NEW = "new:"


class _Start:
    """Where a partition's news begins.

    Args:
        known: what the group committed; None for a receiver that is new.
        end: of the partition, now.

    Attributes:
        news_from: changes before this offset were told, or are history to a new receiver.
        new: whether the receiver still has to be told what fires before ``news_from``.
        told: whether that has been looked up.
    """

    def __init__(self, known: OffsetAndMetadata | None, end: int) -> None:
        if known is None:
            self.news_from, self.new = end, True
        elif known.metadata.startswith(_NEW):
            self.news_from, self.new = int(known.metadata.removeprefix(_NEW)), True
        else:
            self.news_from, self.new = int(known.offset), False
        self.told = not self.new

    def to_commit(self, settled: int) -> OffsetAndMetadata:
        """What the group commits when everything before an offset has been taken."""
        if self.new and settled < self.news_from:
            return OffsetAndMetadata(0, f"{_NEW}{self.news_from}", -1)
        return OffsetAndMetadata(max(settled, self.news_from), "", -1)


class Delivery(ConsumerRebalanceListener):
    """Hands alerts to one receiver until told to end.

    Args:
        name: of the receiver.
        receiver: its settings.
        sender: reaches it.
        bootstrap: Kafka servers.
        silences: of which alerts nobody wants to hear.
    """

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        sender: Sender,
        bootstrap: str,
        silences: Silences = nothing,
    ) -> None:
        self.name = name
        self.ready = threading.Event()
        self._receiver = receiver
        self._sender = sender
        self._bootstrap = bootstrap
        self._silences = silences
        self._ended = threading.Event()
        self._moved = threading.Event()
        self._consumer: Any = None
        for outcome in OUTCOMES:  # from 0 on, so that Prometheus sees the first as an increase
            DELIVERIES.labels(name, outcome)
        self._forget()

    def _forget(self) -> None:
        r = self._receiver
        self._queue = Queue(
            r.severities, gather=r.gather_seconds, pause=r.pause_seconds, most=r.most
        )
        self._starts: dict[TopicPartition, _Start] = {}
        self._committed: dict[TopicPartition, OffsetAndMetadata] = {}
        self._places: dict[TopicPartition, set[str]] = {}
        self._repeat_at = 0.0

    def stop(self) -> None:
        """End ``run`` soon."""
        self._ended.set()

    def run(self) -> None:
        """Deliver until ``stop``; a Kafka that is away is waited for."""
        while not self._ended.is_set():
            try:
                self._serve()
            except KafkaError as error:
                log.warning("%s: Kafka is away (%s)", self.name, type(error).__name__)
                self._ended.wait(_KAFKA_PAUSE)

    def _serve(self) -> None:
        self._forget()
        self._consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=GROUP + self.name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **client_settings(),
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_SESSION_MS // 4,
        )
        try:
            self._consumer.subscribe([ALERTS], listener=self)
            while not self._ended.is_set():
                fetched = self._consumer.poll(timeout_ms=self._wait_ms())
                if self._moved.is_set():
                    self._begin()
                    continue
                for tp, records in fetched.items():
                    self._take(tp, records)
                self._welcome()
                self._hand_over()
                self._say_again()
                self._commit()
                self._measure()
        finally:
            self._consumer.close(autocommit=False)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """Others deliver what waits here. kafka-python lets nothing be asked inside of this."""
        self._moved.set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """What this process delivers is another part now."""
        self._moved.set()

    def _begin(self) -> None:
        """Read what this process now delivers, from the beginning."""
        self._moved.clear()
        self._forget()
        tps = list(self._consumer.assignment())
        ends = self._consumer.end_offsets(tps) if tps else {}
        for tp in tps:
            known = self._consumer.committed(tp, metadata=True)
            self._starts[tp] = _Start(known, ends[tp])
            self._places[tp] = set()
        if tps:
            self._consumer.seek_to_beginning(*tps)

    def _wait_ms(self) -> int:
        due = self._queue.due()
        seconds = _LOOK_SECONDS if due is None else due - time.monotonic()
        return int(1000 * min(max(seconds, 0.0), _LOOK_SECONDS))

    def _take(self, tp: TopicPartition, records: Iterable[Any]) -> None:
        start, now = self._starts[tp], time.monotonic()
        for record in records:
            alert = _read(record)
            if alert is None:
                continue
            if record.offset < start.news_from:
                self._queue.learn(alert)
                self._places[tp].add(alert.id)
            else:
                self._settle_history(tp)
                self._queue.add(alert, tp, record.offset, now)

    def _welcome(self) -> None:
        """Tell a new receiver what fires, once all that was is read."""
        for tp, start in self._starts.items():
            if self._consumer.position(tp) >= start.news_from:
                self._settle_history(tp)
        if self._starts and all(start.told for start in self._starts.values()):
            self.ready.set()

    def _settle_history(self, tp: TopicPartition) -> None:
        start = self._starts[tp]
        if not start.told:
            start.told = True
            self._queue.tell_what_fires(tp, self._places[tp], time.monotonic())

    def _hand_over(self) -> None:
        due = self._queue.due()
        if due is None or time.monotonic() < due:
            return
        message = self._queue.next_message()
        silent = self._silences() if self._sender.heeds_silences else nothing()
        told = [one for one in message if one.change.alert.id not in silent]
        try:
            if told:
                self._sender.send([one.change for one in told])
        except Away as error:
            self._queue.away(time.monotonic(), error.retry_after)
            self._count("away", str(error))
        except Refused as error:
            aside = self._queue.refused(time.monotonic())
            self._count("refused", str(error))
            if aside is not None:
                self._count("given_up", f"{aside.change.key} is set aside")
        else:
            self._queue.delivered(len(message), time.monotonic())
            self._delivered(told)

    def _delivered(self, message: list[Waiting]) -> None:
        DELIVERIES.labels(self.name, "delivered" if message else "silenced").inc()
        now = datetime.now(UTC)
        for one in message:
            seconds = (now - one.change.alert.at.astimezone(UTC)).total_seconds()
            DELIVERY_SECONDS.labels(self.name).observe(max(seconds, 0.0))

    def _count(self, outcome: str, reason: str) -> None:
        DELIVERIES.labels(self.name, outcome).inc()
        log.warning("%s: %s, %d alerts waiting", self.name, reason, len(self._queue.waiting))

    def _say_again(self) -> None:
        """What fires, to a receiver that forgets."""
        every, now = self._sender.repeat_seconds, time.monotonic()
        if every is None or now < self._repeat_at or not self.ready.is_set():
            return
        firing = self._queue.firing_told()
        try:
            if firing:
                self._sender.send(firing)
        except (Away, Refused) as error:
            self._count("away", str(error))
        self._repeat_at = now + every

    def _commit(self) -> None:
        positions = {tp: self._consumer.position(tp) for tp in self._starts}
        for tp, settled in self._queue.settled(positions).items():
            start = self._starts[tp]
            if not start.told:
                settled = 0
            wanted = start.to_commit(settled)
            if self._committed.get(tp) != wanted:
                self._consumer.commit({tp: wanted})
                self._committed[tp] = wanted

    def _measure(self) -> None:
        waiting = self._queue.waiting
        DELIVERY_WAITING.labels(self.name).set(len(waiting))
        oldest = time.monotonic() - waiting[0].since if waiting else 0.0
        DELIVERY_OLDEST.labels(self.name).set(oldest)


def _read(record: Any) -> Alert | None:
    try:
        return Alert.model_validate_json(record.value or b"")
    except ValidationError:
        log.error("%s-%d@%d is no alert: passed over", ALERTS, record.partition, record.offset)
        return None
