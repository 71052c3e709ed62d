"""The connection to Kafka: a bounded window of messages handed over and not yet confirmed.

kafka-python has no bound on its buffers and loses in-flight messages when it renews its producer
identity, so the window keeps every message until its confirmation: it is the back-pressure, and
what is sent again after a failure. Repeats are harmless downstream, losses are not.
"""

# kafka-python has no annotations.
# mypy: disable-error-code="no-untyped-call"

import socket
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    InvalidRecordError,
    InvalidTimestampError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
)
from kafka.producer.future import FutureRecordMetadata, RecordMetadata

from producers.access import client_settings
from producers.delivery import Delivery, Message, PublishingError
from producers.diagnosis import explain
from schemas.topics import MAX_MESSAGE_BYTES

OnDelivery = Callable[[Delivery], None]

_POISON = (InvalidTimestampError, InvalidRecordError, MessageSizeTooLargeError)
"""What the broker says of one message that it will never take."""
_HOPELESS = (SaslAuthenticationFailedError, AuthorizationError, KafkaConfigurationError)
"""What no repeat mends."""
_MOST_ATTEMPTS = 5
_PROBE_SECONDS = 1.0
_METADATA_SECONDS = 5.0
_ABANDON_SECONDS = 5.0


@dataclass(frozen=True)
class Tuning:
    """How messages travel.

    Attributes:
        compression: ``lz4`` costs the broker a fifth of the CPU of none, and kafka-python half of
            its own (it checksums what is left).
        linger_ms: how long a batch waits for company.
        batch_bytes: most bytes of a batch before compression.
        window: most messages handed over and not confirmed; publishing waits beyond it.
        window_bytes: the same in bytes of keys and values.
        retry_seconds: pause between attempts to reach a broker that is away.
        kafka: further settings of ``kafka.KafkaProducer``, such as ``security_protocol``,
            ``ssl_cafile`` or ``sasl_mechanism``; over what :func:`producers.access.use` chose.
    """

    compression: str | None = "lz4"
    linger_ms: int = 20
    batch_bytes: int = 256 * 1024
    window: int = 20_000
    window_bytes: int = 32 << 20
    retry_seconds: float = 1.0
    kafka: Mapping[str, Any] = field(default_factory=dict)


class _Producer(KafkaProducer):
    """kafka-python's producer, with a way to let go of it.

    Its own ``close`` first waits for all batches and, when that takes too long, raises and leaves
    its thread sending.
    """

    def abandon(self) -> None:
        """Fail what is not confirmed and end the thread."""
        self._sender.force_close()
        with suppress(KafkaError):
            self.close(timeout=_ABANDON_SECONDS)


class _Pending(NamedTuple):
    future: FutureRecordMetadata
    message: Message
    end: int


class Link:
    """Hands messages to Kafka in order and watches over them until they are confirmed."""

    def __init__(self, bootstrap: str, tuning: Tuning, on_delivery: OnDelivery | None) -> None:
        self.bootstrap = bootstrap
        self.delivered = self.failed = self.resent = 0
        self.confirmed = 0
        """Position in the spool after the last message that is done, in order."""
        self.progressed_at = time.monotonic()
        """When a message was last done, or the window last empty (monotonic seconds)."""
        self._tuning = tuning
        self._on_delivery = on_delivery
        self._producer: _Producer | None = None
        self._partitions: dict[str, int] = {}
        self._window: deque[_Pending] = deque()
        self._lost: deque[tuple[Message, int]] = deque()
        self._bytes = 0
        self._attempts = 0
        self._next_attempt = 0.0

    @property
    def waiting(self) -> int:
        """Messages handed over and not done."""
        return len(self._window) + len(self._lost)

    @property
    def full(self) -> bool:
        """Whether the window takes no more."""
        tuning = self._tuning
        return bool(self._lost) or (
            len(self._window) >= tuning.window or self._bytes >= tuning.window_bytes
        )

    def partition(self, topic: str, key: bytes | None) -> int:
        """CRC-32 of the key, as librdkafka's ``consistent``; a message without a key goes to 0.

        Raises:
            PublishingError: the topic does not exist.
        """
        partitions = self._partitions.get(topic)
        if partitions is None:
            partitions = self._ask_partitions(topic)
        return zlib.crc32(key) % partitions if key else 0

    def connect(self) -> bool:
        """Whether Kafka can be written to; tries again at most every ``retry_seconds``.

        Raises:
            PublishingError: an answer that no repeat mends, such as a wrong password.
        """
        if self._producer is not None:
            return True
        if time.monotonic() < self._next_attempt:
            return False
        if not _answers(self.bootstrap):
            self._next_attempt = time.monotonic() + self._tuning.retry_seconds
            return False
        try:
            self._producer = self._new_producer()
        except _HOPELESS as error:
            raise PublishingError(f"Kafka at {self.bootstrap} refused: {_named(error)}") from None
        except KafkaError:
            explain(self.bootstrap)
            self._next_attempt = time.monotonic() + self._tuning.retry_seconds
            return False
        self._partitions.clear()
        return True

    def send(self, message: Message, end: int) -> None:
        """Hand one message over; the caller has connected and looked at :attr:`full`."""
        if self._producer is None:
            raise RuntimeError("send() without connect()")
        if not self._window:
            self.progressed_at = time.monotonic()
        future = self._producer.send(
            message.topic,
            message.value,
            message.key,
            partition=self.partition(message.topic, message.key),
            timestamp_ms=message.timestamp_ms,
        )
        self._window.append(_Pending(future, message, end))
        self._bytes += _size(message)

    def settle(self) -> None:
        """Take note of all confirmations that have arrived, report them, and mend failures.

        Raises:
            PublishingError: a failure that no repeat mends; nothing is dropped.
        """
        window = self._window
        before = self.delivered + self.failed
        while window and window[0].future.is_done:
            pending = window[0]
            error = pending.future.exception
            if error is not None and not isinstance(error, _POISON):
                self._lose(error)
                break
            window.popleft()
            self._bytes -= _size(pending.message)
            self.confirmed = pending.end
            self._report(pending, error)
        if self.delivered + self.failed > before:
            self.progressed_at = time.monotonic()
            self._attempts = 0
        if self._lost and self.connect():
            self._send_again()

    def wait(self, seconds: float) -> None:
        """Wait until the oldest message is done, or for so long."""
        if self._window:
            with suppress(KafkaError):
                self._window[0].future.get(timeout=seconds)
        elif not self.connect():
            time.sleep(min(seconds, max(self._next_attempt - time.monotonic(), 0.0)))

    def flush(self, seconds: float) -> None:
        """Send batches off now, without lingering, and wait for so long at most."""
        if self._producer is not None:
            with suppress(KafkaError):
                self._producer.flush(timeout=seconds)

    def close(self) -> None:
        """Let go of Kafka; what is not confirmed stays unconfirmed."""
        if self._producer is not None:
            self._producer.abandon()
            self._producer = None

    def _report(self, pending: _Pending, error: Exception | None) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1
        if self._on_delivery is not None:
            if error is None:
                place = cast("RecordMetadata", pending.future.value)
                report = Delivery(pending.message, place.partition, place.offset)
            else:
                report = Delivery(pending.message, -1, -1, _named(error))
            self._on_delivery(report)

    def _lose(self, error: Exception) -> None:
        """Give this connection up; what of the window is not done is to be sent again."""
        done = self.delivered + self.failed
        lost: deque[tuple[Message, int]] = deque()
        for pending in self._window:
            cause = pending.future.exception if pending.future.is_done else error
            if cause is None or isinstance(cause, _POISON):
                self._report(pending, cause)
                # The first of the window is lost, so there is one before.
                lost[-1] = (lost[-1][0], pending.end)
            else:
                lost.append((pending.message, pending.end))
        self._lost, self._bytes = lost, 0
        self._window.clear()
        self.close()
        self._attempts = 1 if self.delivered + self.failed > done else self._attempts + 1
        if isinstance(error, _HOPELESS) or self._attempts > _MOST_ATTEMPTS:
            raise PublishingError(
                f"Kafka at {self.bootstrap} does not take messages on {lost[0][0].topic}: "
                f"{_named(error)}"
            )

    def _send_again(self) -> None:
        while self._lost:
            self.send(*self._lost[0])
            self._lost.popleft()
            self.resent += 1

    def _new_producer(self) -> _Producer:
        tuning = self._tuning
        settings: dict[str, Any] = {
            "client_id": "popflow-publisher",
            "bootstrap_servers": self.bootstrap.split(","),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": tuning.compression,
            "linger_ms": tuning.linger_ms,
            "batch_size": tuning.batch_bytes,
            "max_request_size": MAX_MESSAGE_BYTES,
            "max_block_ms": int(_METADATA_SECONDS * 1000),
            "bootstrap_timeout_ms": int(_METADATA_SECONDS * 1000),
            "reconnect_backoff_max_ms": 1000,
            # The window waits for as long as it takes; kafka-python repeats meanwhile.
            "delivery_timeout_ms": 7 * 86_400_000,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
        return _Producer(**{**settings, **client_settings(), **tuning.kafka})

    def _ask_partitions(self, topic: str) -> int:
        if self._producer is None:
            raise RuntimeError("partition() without connect()")
        try:
            known = self._producer.partitions_for(topic)
        except KafkaTimeoutError:
            known = None
        except KafkaError as error:
            raise PublishingError(
                f"Kafka at {self.bootstrap} does not tell about topic {topic}: {_named(error)}"
            ) from None
        if not known:
            raise PublishingError(
                f"Kafka at {self.bootstrap} knows no partitions of topic {topic}: correct the "
                "name, or create it (popflow up creates all topics)"
            )
        return self._partitions.setdefault(topic, len(known))


def _size(message: Message) -> int:
    return len(message.key or b"") + len(message.value or b"")


def _named(error: Exception) -> str:
    text = str(error)
    name = type(error).__name__
    return text if name in text else f"{name}: {text}"


def _answers(bootstrap: str) -> bool:
    """Whether any of the addresses accepts a connection; asked before kafka-python waits."""
    return any(_accepts(address) for address in _addresses(bootstrap))


def _addresses(bootstrap: str) -> Iterable[tuple[str, int]]:
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdigit():
            raise PublishingError(
                f"{address.strip()!r} is no address of Kafka: write host:port, several with commas"
            )
        yield host.strip("[]"), int(port)


def _accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, _PROBE_SECONDS).close()
    except OSError:
        return False
    return True
