"""The readings agent: what a flush touched is evaluated again, and everything at local midnight.

One worker, the leader, does it for the whole group. A reading is written to the topic, then to
the store, where (key, as_of, known_on) is one row: two leaders for a moment, or one that died in
between, repeat themselves and publish nothing twice.

The present day comes first, whenever cells, baselines or reference facts have changed; its sums
are kept at hand (:mod:`pipeline.live`), so that a flush costs what it touched. Days before it that
are kept (see :func:`kept_days`) follow one by one, recent and long waiting ones first: a late event
shows everywhere without holding up the present; all of it takes a bounded share of the time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from consumers.changes import Change, Marks, Since, cells, changes, first_day, marks, published
from consumers.delays import delays
from consumers.indicators import readings
from consumers.store.client import Store
from pipeline.catalogue import INDICATORS
from pipeline.catalogue.delays_sql import counted
from pipeline.catalogue.model import Indicator
from pipeline.catalogue.windows import span
from pipeline.core.delays import Shares, completeness
from pipeline.core.published import Before, Published, publish
from pipeline.core.rates import Reading
from pipeline.journal import Journal, partition_of
from pipeline.live import Live
from pipeline.metrics import EVALUATION_SECONDS, READINGS
from pipeline.writing import insert, until_stored
from schemas.clock import ZONE
from schemas.districts import CITY

log = logging.getLogger(__name__)

KEPT_DAYS = 35
KEPT_MONTHS = 24
DELAYS_SECONDS = 600.0
MOST_CELLS = 20_000
"""Changed cells of today that are counted one by one; more are summed by the store."""

COLUMNS = (
    *("indicator", "base", "district", "window", "as_of", "known_on"),
    *("numerator", "denominator", "value", "low", "high", "completeness", "status"),
    *("reason", "note", "cause", "published_at"),
)


@dataclass
class Touched:
    """What has to be evaluated again, and why; no names: everything.

    Attributes:
        measures: of the cells that changed.
        districts: where they changed.
        causes: other reasons, each of which concerns everything.
        since: moment from which on it has waited.
    """

    measures: set[str] = field(default_factory=set)
    districts: set[str] = field(default_factory=set)
    causes: set[str] = field(default_factory=set)
    since: float = field(default_factory=time.monotonic)

    def add(self, other: Touched) -> None:
        """Both."""
        self.measures |= other.measures
        self.districts |= other.districts
        self.causes |= other.causes

    def indicators(self) -> list[str]:
        """Keys of the catalogue that may have moved."""
        if self.causes:
            return list(INDICATORS)
        return [key for key, entry in INDICATORS.items() if entry.measures & self.measures]

    def areas(self) -> list[str] | None:
        """Districts that may have moved, the city among them; None: all."""
        return None if self.causes else [*sorted(self.districts), CITY]

    def cause(self, entry: Indicator) -> str:
        """What a reading of an entry says of its reason."""
        moved = sorted(entry.measures & self.measures)
        events = [f"events: {', '.join(moved)}"] if moved else []
        return "; ".join([*sorted(self.causes), *events])


def kept_days(today: date, first: date) -> Iterator[date]:
    """The days before today whose published readings follow what becomes known.

    Five weeks, the ends of the last two years' months, and the ends of all calendar and
    mother-and-child years with data. Any other day can be asked for (``indicators_as_known``).
    """
    recent = [today - timedelta(days) for days in range(1, KEPT_DAYS + 1)]
    yield from recent
    months = (today.year * 12 + today.month - 1 - back for back in range(KEPT_MONTHS))
    ends = {date(month // 12, month % 12 + 1, 1) - timedelta(1) for month in months}
    years = range(first.year, today.year + 1)
    ends |= {date(year, 12, 31) for year in years} | {date(year, 9, 30) for year in years}
    yield from sorted((day for day in ends if day < recent[-1] and day >= first), reverse=True)


def local_today() -> date:
    """The local date."""
    return datetime.now(ZONE).date()


class Readings:
    """Keeps what is published up to date.

    Args:
        store: where cells are read and readings written.
        topic: writer of ``population.readings.v1``; started and stopped by the caller.
        partitions: of the topic.
        spare: the share of the time that evaluations of the present, and as much again that those
            of earlier days may take: the stream needs the engine too.
        today: tells the local date.

    Attributes:
        shards: how many there are of the cells, the journal's partitions; 0: not known.
        waiting: days that have to be evaluated again, and why.
    """

    def __init__(
        self,
        store: Store,
        topic: Journal,
        *,
        partitions: int = 1,
        spare: Callable[[], float] = lambda: 1.0,
        today: Callable[[], date] = local_today,
    ) -> None:
        self._store = store
        self._topic = topic
        self.partitions = partitions
        self.shards = 0
        self.today = today
        self._spare = spare
        self._marks: Marks | None = None
        self._day: date | None = None
        self.waiting: dict[date, Touched] = {}
        self._live: Live | None = None
        self._shown: dict[tuple[str, str, str, str], Before] = {}
        self._worked = {True: (0.0, 0.0), False: (0.0, 0.0)}
        self._delays: dict[str, Shares] = {}
        self._delays_at = 0.0

    def forget(self) -> None:
        """Another worker leads now: what this one knew may be outdated when it leads again."""
        self._marks = self._day = self._live = None
        self.waiting.clear()

    async def step(self) -> int:
        """Publish what has changed; gives the number of readings published."""
        if self._rests(present=True) and self._rests(present=False):
            return 0
        today = self.today()
        await self._look(today)
        day = self._next(today)
        if day is None:
            return 0
        touched = self.waiting.pop(day)
        began = time.monotonic()
        try:
            return await self._evaluate(day, touched, today)
        except BaseException:
            self._wait(day, touched)
            raise
        finally:
            ended = time.monotonic()
            self._worked[day == today] = (ended, ended - began)

    def _next(self, today: date) -> date | None:
        """The day whose turn it is: today, else a recent or long waiting one; None: rest."""
        if today in self.waiting and not self._rests(present=True):
            return today
        if self._rests(present=False):
            return None
        now = time.monotonic()

        def urgency(day: date) -> float:
            return (now - self.waiting[day].since) / math.sqrt((today - day).days)

        return max((day for day in self.waiting if day < today), key=urgency, default=None)

    def _rests(self, *, present: bool) -> bool:
        """Whether evaluations of today, or of earlier days, have had their share of the time."""
        ended, took = self._worked[present]
        return time.monotonic() < ended + took * (1 / self._spare() - 1)

    async def _look(self, today: date) -> None:
        """Note which days have to be evaluated again, and why."""
        before = self._marks
        seen = before.cells if before else {}
        now = await self._ask(lambda store: marks(store, self._since(seen)))
        since, touched = date.min, Touched()
        if before is None or today != self._day:
            touched.causes.add("start" if before is None else "day")
        else:
            if now.baseline != before.baseline:
                touched.causes.add("baseline")
            if now.reference != before.reference:
                touched.causes.add("reference")
            if now.cells != before.cells:
                changed = await self._ask(lambda store: changes(store, self._since(seen)))
                touched.measures = {change.measure for change in changed}
                touched.districts = {change.district for change in changed}
                if not touched.causes:
                    since = min(change.day for change in changed)
                    await self._follow(changed, seen, today)
        if touched.causes:
            self._live = None
        if touched.measures or touched.causes:
            for day in (today, *kept_days(today, await self._ask(first_day))):
                if day >= since:
                    self._wait(day, touched)
        self._marks, self._day = now, today

    def _since(self, seen: dict[int, int]) -> Since:
        return Since(seen, all_shards=0 < self.shards <= len(seen))

    async def _follow(self, changed: list[Change], since: dict[int, int], today: date) -> None:
        """Count what has changed in the sums of today, or let them be summed anew."""
        if self._live is None:
            return
        live, few = self._live, sum(change.cells for change in changed) <= MOST_CELLS
        self._live = None  # until it has followed: a store that is away leaves no half of it
        if few and min(change.known_on for change in changed) >= today:
            live.apply(await self._ask(lambda store: cells(store, self._since(since), today)))
            self._live = live

    def _wait(self, day: date, touched: Touched) -> None:
        self.waiting.setdefault(day, Touched()).add(touched)

    async def _evaluate(self, as_of: date, touched: Touched, today: date) -> int:
        """Evaluate a day and publish what is news."""
        keys, areas = touched.indicators(), touched.areas()
        if not keys:
            return 0
        began = time.perf_counter()
        shares = await self._known_delays(today)
        if as_of == today:
            found = await self._of_today(today, set(keys), areas)
            before = self._shown
        else:
            found = await self._ask(
                lambda store: readings(store, as_of, today, indicators=keys, districts=areas)
            )
            before = await self._ask(lambda store: published(store, as_of))
        news = []
        for reading in found:
            now = publish(
                reading,
                complete_share(reading, shares, today),
                before.get(reading.key),
                today,
                touched.cause(INDICATORS[reading.indicator]),
            )
            if now is not None:
                news.append(now)
        await self._write(news)
        before.update({n.reading.key: Before(n.figures, n.completeness, n.status) for n in news})
        EVALUATION_SECONDS.observe(time.perf_counter() - began)
        READINGS.inc(len(news))
        return len(news)

    async def _of_today(
        self, today: date, keys: set[str], areas: list[str] | None
    ) -> list[Reading]:
        """Today's readings of some entries and areas, from sums at hand."""
        live = self._live
        if live is None:
            live = await self._ask(lambda store: Live(store, today))
            self._shown = await self._ask(lambda store: published(store, today))
            self._live = live

        def wanted(entry: Indicator, area: str) -> bool:
            return entry.key in keys and (areas is None or area in areas)

        return list(live.readings(wanted))

    async def _write(self, news: list[Published]) -> None:
        if not news:
            return
        published_at = time.time_ns() // 1_000_000
        rows = [_row(each, published_at) for each in news]
        records = []
        for row in rows:
            key = "|".join(map(str, row[:5])).encode()
            shown = dict(zip(COLUMNS, row, strict=True))
            shown["published_at"] = datetime.fromtimestamp(published_at / 1000, UTC).astimezone(
                ZONE
            )
            value = orjson.dumps(shown)
            records.append((partition_of(key, self.partitions), published_at, key, value, ()))
        await self._topic.write(records)
        await insert(self._store, "readings", COLUMNS, rows)

    async def _known_delays(self, today: date) -> dict[str, Shares]:
        if not self._delays_at or time.monotonic() - self._delays_at > DELAYS_SECONDS:
            self._delays = await self._ask(lambda store: delays(store, today))
            self._delays_at = time.monotonic()
        return self._delays

    async def _ask(self, question: Callable[[Store], Any]) -> Any:
        return await until_stored(lambda: asyncio.to_thread(question, self._store))


def complete_share(reading: Reading, shares: dict[str, Shares], today: date) -> float | None:
    """Expected share known of what a reading counts: of the slowest of its measures."""
    measures = counted(INDICATORS[reading.indicator])
    if not measures or any(measure not in shares for measure in measures):
        return None
    age = (today - reading.as_of).days
    days = span(reading.window, reading.as_of).days
    return min(completeness(shares[measure], age, days) for measure in measures)


def _row(each: Published, published_at: int) -> tuple[Any, ...]:
    r = each.reading
    numerator, denominator, value, low, high, reason, note = each.figures
    return (
        *(r.indicator, r.base, r.district, r.window, r.as_of, r.known_on),
        *(numerator, denominator, value, low, high, each.completeness, each.status),
        *(reason, note, each.cause, published_at),
    )
