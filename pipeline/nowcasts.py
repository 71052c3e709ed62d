"""Keeps the view ``nowcast`` up to date; the leader's work, beside its readings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import date

from consumers.nowcast import Nowcast, nowcasts
from consumers.store.client import Store
from pipeline.indicators import local_today
from pipeline.writing import insert, until_stored

SHARE_OF_TIME = 0.05
"""Of the time, at most, that estimating may take."""
COLUMNS = ("known_on", *Nowcast._fields, "published_at")


class Nowcasts:
    """Estimates again what changed cells may have moved.

    Args:
        store: where cells are read and estimates written.
        today: tells the local date.
    """

    def __init__(self, store: Store, *, today: Callable[[], date] = local_today) -> None:
        self._store = store
        self.today = today
        self._seen: tuple[date, int] | None = None
        self._written: dict[tuple[object, ...], Nowcast] = {}
        self._rest_until = 0.0

    def forget(self) -> None:
        """Another worker leads now."""
        self._seen = None
        self._written.clear()

    async def step(self) -> int:
        """Estimate if anything has changed; gives the number of estimates written."""
        if time.monotonic() < self._rest_until:
            return 0
        began, today = time.monotonic(), self.today()
        seen = (today, await until_stored(lambda: asyncio.to_thread(_newest, self._store)))
        if seen == self._seen:
            return 0
        found = await until_stored(lambda: asyncio.to_thread(nowcasts, self._store, today))
        if self._seen is None or self._seen[0] != today:
            self._written.clear()  # a new day has all its days, changed or not
        news = [each for each in found if self._written.get(each[:3]) != each]
        stamp = time.time_ns() // 1_000_000
        await insert(self._store, "nowcast_rows", COLUMNS, [(today, *n, stamp) for n in news])
        self._written.update({each[:3]: each for each in news})
        self._seen = seen
        self._rest_until = time.monotonic() + (time.monotonic() - began) * (1 / SHARE_OF_TIME - 1)
        return len(news)


def _newest(store: Store) -> int:
    return int(store.query("SELECT max(version) FROM population.cells")[0][0])
