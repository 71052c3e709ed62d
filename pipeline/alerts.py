"""The alerts agent: the leader lets the monitors look, and tells what has changed.

It looks when cells have changed and at local midnight, after which a lapse needs no event. What is
told is remembered in the table alone: it is read before anything is written, so another leader, or
the same one after a crash, repeats nothing that is there. An alert goes to the topic first, then
to the table; a worker that dies in between tells one change twice, which readers know by its state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from consumers.alerts import COLUMNS, newest, row
from consumers.store.client import Store
from pipeline.core.alerts import changes
from pipeline.indicators import local_today
from pipeline.journal import Journal, partition_of
from pipeline.metrics import ALERT_CHANGES, WATCHING_SECONDS
from pipeline.writing import insert, until_stored
from schemas.alert import Alert
from schemas.clock import ZONE

if TYPE_CHECKING:
    from consumers.drift.paths import Paths

log = logging.getLogger(__name__)

SHARE_OF_TIME = 0.3
"""Of the time, at most, that looking may take: the stream needs the engine too."""

Marks = tuple[dict[int, int], int]


class Alerts:
    """Keeps what is told up to date.

    Args:
        store: where counts are read and alerts written.
        topic: writer of ``population.alerts.v1``; started and stopped by the caller.
        partitions: of the topic.
        today: tells the local date.
    """

    def __init__(
        self,
        store: Store,
        topic: Journal,
        *,
        partitions: int = 1,
        today: Callable[[], date] = local_today,
    ) -> None:
        self._store = store
        self._topic = topic
        self.partitions = partitions
        self.today = today
        self._marks: Marks | None = None
        self._day: date | None = None
        self._paths: Paths | None = None
        self._rest_until = 0.0

    def forget(self) -> None:
        """Another worker leads now: what this one knew may be outdated when it leads again."""
        self._marks = self._day = self._paths = None

    async def step(self) -> int:
        """Look if there is news; gives the number of alerts whose state changed."""
        if time.monotonic() < self._rest_until:
            return 0
        today = self.today()
        marks = await self._ask(_marks)
        if marks == self._marks and today == self._day:
            return 0
        began = time.monotonic()
        told = await self._look(today)
        self._marks, self._day = marks, today
        took = time.monotonic() - began
        self._rest_until = time.monotonic() + took * (1 / SHARE_OF_TIME - 1)
        WATCHING_SECONDS.observe(took)
        return told

    async def _look(self, today: date) -> int:
        now = datetime.now(ZONE)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as the table holds it
        news = await self._ask(lambda store: self._news(store, today, at))
        await self._tell(news)
        for alert in news:
            ALERT_CHANGES.labels(alert.monitor, alert.state).inc()
        return len(news)

    def _news(self, store: Store, today: date, at: datetime) -> list[Alert]:
        """The alerts whose state is another than the one told last."""
        # NumPy and SciPy take 0.3 s and 40 MB that workers who do not lead can do without.
        from consumers.drift.paths import Paths
        from consumers.drift.standings import standings
        from consumers.drift.watch import look

        if self._paths is None:
            self._paths = Paths()
        sight = look(store, today, self._paths)
        before = newest(store)
        return changes(before, standings(store, sight, before, at), today, at)

    async def _tell(self, news: list[Alert]) -> None:
        if not news:
            return
        records = []
        for alert in news:
            key = alert.id.encode()
            value = alert.model_dump_json().encode()
            at_ms = int(alert.at.timestamp() * 1000)
            records.append((partition_of(key, self.partitions), at_ms, key, value, ()))
        await self._topic.write(records)
        await insert(self._store, "alert_rows", COLUMNS, [row(alert) for alert in news])

    async def _ask(self, question: Callable[[Store], Any]) -> Any:
        return await until_stored(lambda: asyncio.to_thread(question, self._store))


def _marks(store: Store) -> Marks:
    """How far the tables have come: cells by shard, and the registry of sources."""
    cells = store.query("SELECT shard, max(version) FROM population.cells GROUP BY shard")
    sources = store.query("SELECT max(version) FROM population.sources_rows")
    return dict(cells), sources[0][0]
