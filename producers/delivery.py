"""What becomes of a message: the message itself, its report, the counts, and the errors."""

from dataclasses import dataclass
from typing import NamedTuple

from schemas.refusals import Refusal


class Message(NamedTuple):
    """One message as it goes to Kafka; ``timestamp_ms`` is its CreateTime."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


class Delivery(NamedTuple):
    """Report on one message: where it stands in Kafka, or why the broker will never take it.

    ``partition`` and ``offset`` are -1 when ``error`` is set.
    """

    message: Message
    partition: int
    offset: int
    error: str | None = None


@dataclass(frozen=True)
class Counts:
    """Messages by what became of them so far: ``accepted = delivered + failed + waiting``.

    ``accepted`` includes what an earlier run left in the spool. ``resent`` counts messages handed
    over again after a failed attempt; Kafka may hold those twice.
    """

    accepted: int
    delivered: int
    failed: int
    waiting: int
    resent: int
    refused: int


class PublishingError(RuntimeError):
    """Messages cannot be published; says which, why and what to do."""


class BrokerAwayError(PublishingError):
    """No broker answered, or none confirmed anything, for as long as the publisher waits."""

    def __init__(self, bootstrap: str, seconds: float, waiting: int) -> None:
        super().__init__(
            f"Kafka at {bootstrap} did not answer for {seconds:g} s; {waiting} messages are not "
            "confirmed. Start it (popflow up) or correct the address; publish with a spool to "
            "keep messages while it is away"
        )


class RefusedError(ValueError):
    """An event that the pipeline would refuse, found before it was sent."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code.value}: {refusal.detail}")
        self.refusal = refusal
