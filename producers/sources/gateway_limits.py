"""What one publisher may do at the gateway: so many events a second; a repeat gets its answer."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_BUCKETS = 10_000


class Buckets:
    """Token buckets, one for each name; the least recently used are forgotten.

    Args:
        rate: units a second.
        burst: units that may come at once.
        clock: monotonic seconds.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_until(self, name: str, units: float) -> float:
        """0 when so many units are there, else how long until they are."""
        level = self._level(name)
        # More than ever fits at once is taken when the bucket is full, and paid off afterwards.
        return max(min(units, self.burst) - level, 0.0) / self.rate

    def take(self, name: str, units: float) -> None:
        """Use units up; the level may fall below nothing."""
        self._filled[name] = (self._level(name) - units, self._clock())
        self._filled.move_to_end(name)
        if len(self._filled) > _MOST_BUCKETS:
            self._filled.popitem(last=False)

    def _level(self, name: str) -> float:
        level, at = self._filled.get(name, (self.burst, self._clock()))
        return min(level + (self._clock() - at) * self.rate, self.burst)


@dataclass
class Kept:
    """One answer under an idempotency key; ``status`` 0 while it is being worked out."""

    fingerprint: bytes
    status: int = 0
    body: bytes = b""


class Answers:
    """Answers by publisher and ``Idempotency-Key``, the newest so many."""

    def __init__(self, most: int = 20_000, most_bytes: int = 64 << 20) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()

    def find(self, source: str, key: str) -> Kept | None:
        """What is kept under a key."""
        return self._kept.get((source, key))

    def begin(self, source: str, key: str, fingerprint: bytes) -> None:
        """A first request under a key."""
        self._kept[source, key] = Kept(fingerprint)

    def drop(self, source: str, key: str) -> None:
        """Nothing came of it: the key is free again."""
        kept = self._kept.pop((source, key), None)
        self._bytes -= len(kept.body) if kept else 0

    def keep(self, source: str, key: str, status: int, body: bytes) -> None:
        """The answer to be given again."""
        kept = self._kept.get((source, key))
        if kept is None:
            return
        kept.status, kept.body = status, body
        self._bytes += len(body)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            oldest = next((name for name, one in self._kept.items() if one.status), None)
            if oldest is None:
                return
            self.drop(*oldest)
