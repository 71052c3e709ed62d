"""The publishing kit: from an event to a confirmed message in Kafka.

At-least-once: every message accepted is delivered, or reported as failed, or still waiting;
after failures some may be twice in Kafka, which the pipeline does not mind. With a spool, accepted
messages also outlive a crash of the publisher and a Kafka that is away; without one they live in
memory until Kafka confirms them.
"""

import threading
import time
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from producers.delivery import BrokerAwayError, Counts, Message, PublishingError, RefusedError
from producers.link import Link, OnDelivery, Tuning
from producers.spool import Spool
from schemas.clock import day_date, local_day
from schemas.events import Event
from schemas.reading import check, read
from schemas.refusals import Refusal
from schemas.sources import Priorities
from schemas.topics import MAX_MESSAGE_BYTES

_SETTLE_EVERY = 512
_SETTLE_SECONDS = 0.5
"""Messages, and time, between two looks at the confirmations."""
_STALLED_SECONDS = 2.0
"""Without a confirmation for so long, Kafka counts as away and the spool fills up alone."""
_LOOK_SECONDS = 0.5
_CATCH_UP = 4
"""While the spool is being caught up with, so many messages leave it for each that enters."""


class Publisher:
    """Publishes events; for one process, any number of threads (asyncio: ``to_thread``).

    Args:
        bootstrap: ``host:port`` of Kafka, several with commas.
        spool: folder that keeps messages until Kafka has them; what an earlier run left there is
            sent first, in order. ``None``: in memory only.
        fsync: with a spool, every message is on the disk before publishing returns.
        patience: without a spool, seconds without any confirmation until
            :class:`BrokerAwayError`.
        on_delivery: called with every delivery report, in order of publishing, by the thread that
            is publishing or flushing.
        tuning: how messages travel.

    Raises:
        SpoolError: the spool is in use or damaged.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        spool: Path | None = None,
        fsync: bool = False,
        patience: float = 30.0,
        on_delivery: OnDelivery | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self._patience = patience
        self._spool = Spool(spool, fsync=fsync) if spool else None
        self._link = Link(bootstrap, tuning or Tuning(), on_delivery)
        self._lock = threading.RLock()
        self._accepted = self._spool.found if self._spool else 0
        self._refused = 0
        self._unsettled = 0
        self._settle_at = 0.0
        self._handed_over = self._spool.begin if self._spool else 0
        """Position in the spool up to which messages went to the link."""
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(timeout=self._patience if error is None else 0.0)

    @property
    def counts(self) -> Counts:
        """What became of all messages so far."""
        link = self._link
        return Counts(
            accepted=self._accepted,
            delivered=link.delivered,
            failed=link.failed,
            waiting=self._accepted - link.delivered - link.failed,
            resent=link.resent,
            refused=self._refused,
        )

    def publish(
        self,
        event: Event | bytes | dict[str, Any],
        *,
        timestamp_ms: int | None = None,
        key: bytes | None = None,
        topic: str | None = None,
    ) -> None:
        """Check one event as the pipeline will, and send it.

        Args:
            event: as a model, as its JSON, or as a document still to be written as JSON.
            timestamp_ms: when the event became known (Kafka's CreateTime); now when left out.
            key: decides the partition; the person when left out.
            topic: that of the event's kind when left out.

        Raises:
            RefusedError: the pipeline would refuse it (all but the source registry is checked).
            PublishingError: as :meth:`publish_raw`.
        """
        value = as_json(event)
        stamp = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        found = judged(value, stamp, key=key, topic=topic)
        if isinstance(found, Refusal):
            raise self._refusal(found)
        target = topic or found.topic
        self.publish_raw(target, found.person.encode() if key is None else key, value, stamp)

    def publish_raw(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int | None = None,
    ) -> None:
        """Send bytes as they are; waits while the window is full.

        Raises:
            PublishingError: the topic does not exist or the message is over 8 MiB (not accepted);
                or Kafka takes nothing more for a reason that no repeat mends.
            BrokerAwayError: without a spool, nothing was confirmed for ``patience`` seconds; the
                message is not accepted.
            SpoolError: the spool is full; the message is not accepted.
        """
        stamp = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        if value is not None and len(value) + len(key or b"") > MAX_MESSAGE_BYTES - 1024:
            raise PublishingError(
                f"A message of {len(value)} bytes is more than Kafka takes ({MAX_MESSAGE_BYTES})"
            )
        if value is None and key is None:
            raise PublishingError("A message needs a key or a value")
        message = Message(topic, key, value, stamp)
        with self._lock:
            if self._closed:
                raise PublishingError("The publisher is closed")
            if self._spool is None:
                self._await_room()
                self._link.partition(topic, key)
                self._link.send(message, 0)
            else:
                self._keep(self._spool, message)
            self._accepted += 1
            self._unsettled += 1
            if self._unsettled >= _SETTLE_EVERY or time.monotonic() >= self._settle_at:
                self._settle()
                self._hand_over(wait=True, most=_CATCH_UP * _SETTLE_EVERY)

    def poll(self) -> Counts:
        """Move things along without publishing: confirmations, reports, what the spool holds.

        A publisher that may be idle for long calls this now and then.
        """
        with self._lock:
            self._settle()
            self._hand_over(wait=False)
        return self.counts

    def flush(self, timeout: float | None = None) -> int:
        """Wait until everything is with Kafka.

        Args:
            timeout: seconds without progress after which to give up; ``patience`` when left out.

        Returns:
            How many messages still wait (with a spool: safe there); 0 = all are with Kafka.

        Raises:
            BrokerAwayError: without a spool, no progress for so long.
        """
        patience = self._patience if timeout is None else timeout
        with self._lock:
            start = time.monotonic()
            while self.counts.waiting:
                self._hand_over(wait=True)
                self._link.flush(min(patience, _LOOK_SECONDS))
                self._settle()
                if not self.counts.waiting:
                    break
                if self._stalled(start, patience):
                    if self._spool is None:
                        raise self._away(patience)
                    break
                self._link.wait(_LOOK_SECONDS)
            return self.counts.waiting

    def close(self, timeout: float | None = None) -> None:
        """Flush, then let go of Kafka and the spool.

        Raises:
            BrokerAwayError: without a spool, messages are left and lost; with ``timeout=0``
                nothing is waited for and nothing raised.
        """
        with self._lock:
            if self._closed:
                return
            try:
                if timeout != 0.0:
                    self.flush(timeout)
            finally:
                self._closed = True
                self._link.close()
                if self._spool is not None:
                    self._spool.close()

    def _refusal(self, refusal: Refusal) -> RefusedError:
        self._refused += 1
        return RefusedError(refusal)

    def _keep(self, spool: Spool, message: Message) -> None:
        """Into the spool first; on to Kafka at once when nothing else is in the way."""
        in_order = self._handed_over == spool.end
        connected = in_order and self._link.connect()
        if connected:
            self._link.partition(message.topic, message.key)
        end = spool.append(message)
        if connected and self._has_room():
            self._link.send(message, end)
            self._handed_over = end

    def _has_room(self) -> bool:
        """Wait for room in the window while Kafka keeps confirming."""
        while self._link.full:
            self._settle()
            if self._link.full:
                if self._stalled(0.0, _STALLED_SECONDS):
                    return False
                self._link.wait(_LOOK_SECONDS)
        return True

    def _await_room(self) -> None:
        """Without a spool: wait for Kafka and for room, for as long as patience lasts."""
        start = time.monotonic()
        while not self._link.connect() or self._link.full:
            self._settle()
            if self._link.connect() and not self._link.full:
                return
            if self._stalled(start, self._patience):
                raise self._away(self._patience)
            self._link.wait(_LOOK_SECONDS)

    def _hand_over(self, *, wait: bool, most: int | None = None) -> None:
        """Send on what stands in the spool and is not yet with the link, in order."""
        if self._spool is None or self._handed_over == self._spool.end or not self._link.connect():
            return
        for following in islice(self._spool.read(self._handed_over), most):
            if self._link.full and not (wait and self._has_room()):
                return
            self._link.send(following.message, following.end)
            self._handed_over = following.end

    def _settle(self) -> None:
        self._unsettled = 0
        self._settle_at = time.monotonic() + _SETTLE_SECONDS
        self._link.settle()
        if self._spool is not None and self._link.confirmed > self._spool.begin:
            self._spool.confirm(self._link.confirmed)

    def _stalled(self, since: float, seconds: float) -> bool:
        return time.monotonic() - max(since, self._link.progressed_at) >= seconds

    def _away(self, seconds: float) -> BrokerAwayError:
        return BrokerAwayError(self._link.bootstrap, seconds, self.counts.waiting)


def judged(
    value: bytes,
    timestamp_ms: int,
    *,
    key: bytes | None = None,
    topic: str | None = None,
    registered: Priorities | None = None,
) -> Event | Refusal:
    """The event that the pipeline would accept, or why it would not.

    Args:
        value: as it would be sent.
        timestamp_ms: when it would become known.
        key: the message's key.
        topic: where it would be sent; that of its kind when left out.
        registered: the registry of sources; without it every source counts as registered.
    """
    found = read(value, key)
    if isinstance(found, Refusal):
        return found
    known_on = day_date(local_day(timestamp_ms))
    known = {found.source: 1} if registered is None else registered
    return check(found, topic or found.topic, known_on, known) or found


def as_json(event: Event | bytes | dict[str, Any]) -> bytes:
    """The event as one JSON object in UTF-8; bytes stay what they are."""
    if isinstance(event, bytes):
        return event
    if isinstance(event, Event):
        return event.model_dump_json(exclude_none=True).encode()
    return orjson.dumps(event)
