"""What waits for one receiver, and when the next message may go: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

from consumers.delivery.history import Change, History
from schemas.alert import Alert

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
LAST_TRY = 3
"""So often a single alert that is refused is tried before it is set aside."""


Partition = TypeVar("Partition", bound=Hashable)


class Waiting(NamedTuple):
    """A change that the receiver has not taken; seconds are a steady clock's."""

    change: Change
    partition: Hashable
    offset: int
    since: float


class Queue:
    """Alerts on their way to one receiver.

    Args:
        severities: of which it is told.
        gather: seconds to gather alerts for one message.
        pause: seconds, at least, between two messages.
        most: alerts in one message.

    Attributes:
        history: everything that was in the topic so far.
        waiting: in the order of their arrival.
    """

    def __init__(
        self, severities: tuple[str, ...], *, gather: float, pause: float, most: int
    ) -> None:
        self._severities = severities
        self._gather = gather
        self._pause = pause
        self._most = most
        self._fewer: int | None = None
        self._failures = 0
        self._not_before = float("-inf")
        self.history = History()
        self.waiting: list[Waiting] = []

    def add(self, alert: Alert, partition: Hashable, offset: int, now: float) -> None:
        """What has just come."""
        change = self.history.add(alert)
        if change is not None and self._wanted(change):
            self.waiting.append(Waiting(change, partition, offset, now))

    def learn(self, alert: Alert) -> None:
        """What the receiver was told before."""
        self.history.add(alert)

    def tell_what_fires(self, partition: Hashable, ids: set[str], now: float) -> None:
        """A new receiver is told what fires in a partition, not what fired once."""
        firing = [change for key, change in self.history.firing.items() if key in ids]
        news = [Waiting(one, partition, 0, now) for one in firing if self._wanted(one)]
        self.waiting = news + self.waiting

    def due(self) -> float | None:
        """When the next message may go; None while nothing waits."""
        if not self.waiting:
            return None
        if len(self.waiting) >= self._most:
            return self._not_before
        return max(self._not_before, self.waiting[0].since + self._gather)

    def next_message(self) -> list[Waiting]:
        """The alerts of the next message."""
        return self.waiting[: self._fewer or self._most]

    def firing_told(self) -> list[Change]:
        """What fires and the receiver knows of."""
        waiting = {one.change.alert.id for one in self.waiting}
        return [
            change
            for key, change in self.history.firing.items()
            if self._wanted(change) and key not in waiting
        ]

    def delivered(self, number: int, now: float) -> None:
        """The receiver has taken so many."""
        del self.waiting[:number]
        self._failures, self._fewer = 0, None
        self._not_before = now + self._pause

    def away(self, now: float, retry_after: float = 0.0) -> None:
        """The receiver took nothing; each pause is twice the one before."""
        pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 16)
        self._not_before = now + max(pause, min(retry_after, 3600.0))

    def refused(self, now: float) -> Waiting | None:
        """It will not take this message: alone perhaps; gives what is set aside for good."""
        if len(self.next_message()) > 1:
            self._fewer, self._failures = 1, 0
            return None
        self.away(now)
        self._fewer = 1
        if self._failures < LAST_TRY:
            return None
        aside = self.waiting[0]
        self.delivered(1, now)
        return aside

    def settled(self, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        """Offsets before which the receiver has taken everything, of these read so far."""
        return {
            partition: min(
                [position, *(one.offset for one in self.waiting if one.partition == partition)]
            )
            for partition, position in positions.items()
        }

    def _wanted(self, change: Change) -> bool:
        """Of an end the receiver is told when it was of the beginning."""
        return change.beginning.severity in self._severities
