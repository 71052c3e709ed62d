"""What changed, told to every open page; and answers that are computed once for all of them.

The store is looked at only while somebody looks at the page, and for a bounded share of the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from consumers.page import reads
from consumers.store.client import Store
from consumers.store.errors import StoreError
from schemas.clock import ZONE

EVERY = 0.25
"""Seconds between two looks at the store, at least."""
SHARE_OF_TIME = 0.25
"""Of the time, at most, that looking may take."""
HEARTBEAT = 15.0
EPOCH = date(1970, 1, 1)
REPLAY_ENDS = 20.0
"""Seconds without a new count after which a replay is over."""
REPLAY_STEP = 8.0
"""Seconds for which the day of a replay stands still."""
MOST_PAGES = 200
"""Open pages that are told; more are asked to come again."""
AT_ONCE = 3
"""Questions before the store at the same time."""
MOST_ANSWERS = 512

Message = tuple[str, Any]
"""Kind of a server-sent event, and what it says."""


class CrowdedError(RuntimeError):
    """More pages are open than are told."""


class Watch:
    """Looks at the store and tells every listener of what is news.

    Args:
        store: A connection of its own.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[asyncio.Queue[Message]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._looked_at = 0.0
        self._mark: reads.Mark | None = None
        self._last: Message | None = None
        self._changed_at = 0.0
        self._counted: datetime | None = None
        self._compared = False
        self._replayed: tuple[date, float] | None = None

    async def mark(self, max_age: float = EVERY) -> reads.Mark:
        """How far the store has come.

        Args:
            max_age: Seconds that the answer may be old.

        Raises:
            StoreUnavailable: The store is away.
        """
        async with self._turn:
            if self._mark is None or time.monotonic() - self._looked_at > max_age:
                mark = await asyncio.to_thread(reads.mark, self._store)
                self._looked_at = time.monotonic()
                if self._mark is not None:
                    self._compared = True
                    if mark.cells != self._mark.cells:
                        self._changed_at = self._looked_at
                        self._counted = datetime.now(ZONE)
                self._mark = mark
            return self._mark

    async def replayed(self) -> date | None:
        """The day that a replay of history has come to; None when none is under way.

        What is published is of today, which a replay has not reached: its own day is the one to
        look at. It moves every few seconds, so that answers can be kept for as long.

        Raises:
            StoreUnavailable: The store is away.
        """
        last = (await self.mark()).last
        if not self._compared and EPOCH < last < reads.today() - timedelta(days=1):
            await asyncio.sleep(EVERY)  # one look says nothing of movement
            last = (await self.mark(0.0)).last
        now = time.monotonic()
        if not EPOCH < last < reads.today() - timedelta(days=1) or (
            now - self._changed_at > REPLAY_ENDS or not self._changed_at
        ):
            self._replayed = None
            return None
        if self._replayed is None or now - self._replayed[1] > REPLAY_STEP:
            self._replayed = last, now
        return self._replayed[0]

    async def listen(self) -> AsyncIterator[Message | None]:
        """Messages from now on; None when nothing was said for a while.

        Raises:
            CrowdedError: too many listen already.
        """
        if len(self._listeners) >= MOST_PAGES:
            raise CrowdedError
        inbox: asyncio.Queue[Message] = asyncio.Queue(maxsize=16)
        self._listeners.add(inbox)
        if self._last is not None:
            inbox.put_nowait(self._last)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            while True:
                message: Message | None = None
                with suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT):
                        message = await inbox.get()
                yield message
        finally:
            self._listeners.discard(inbox)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = self._last = None

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None

    async def _look(self) -> None:
        told: object = None
        while True:
            began = time.monotonic()
            try:
                mark: object = await self.mark(0.0)
                if mark != told:
                    told_now = await asyncio.to_thread(reads.pulse, self._store)
                    self._tell(("pulse", {**told_now, "counted": self._counted}))
            except StoreError as error:
                mark = str(error)
                if mark != told:
                    self._tell(("away", {"reason": mark}))
            told = mark
            took = time.monotonic() - began
            await asyncio.sleep(max(EVERY, took * (1 / SHARE_OF_TIME - 1)))

    def _tell(self, message: Message) -> None:
        self._last = message
        for inbox in self._listeners:
            if inbox.full():  # a slow page needs the newest only
                inbox.get_nowait()
            inbox.put_nowait(message)


@dataclass
class _Kept:
    value: Any
    mark: reads.Mark
    at: float


class Answers:
    """Answers of the store, kept until it has changed and a moment has passed.

    Args:
        store: A connection.
        watch: Knows whether it has changed.
    """

    def __init__(self, store: Store, watch: Watch) -> None:
        self._store = store
        self._watch = watch
        self._kept: dict[Hashable, _Kept] = {}
        self._turns: dict[Hashable, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def get(
        self, key: Hashable, question: Callable[[Store], Any], *, rest: float = 0.0
    ) -> dict[str, Any]:
        """An answer and when it is worth asking again.

        Args:
            key: What makes it this question.
            question: Asked on a thread of its own.
            rest: Seconds for which an outdated answer is given all the same, because it is dear.

        Returns:
            ``answer``, and ``again_in`` seconds when it is outdated already, else None.

        Raises:
            StoreUnavailable: The store is away.
        """
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            mark = await self._watch.mark()
            kept = self._kept.get(key)
            if kept is not None:
                left = rest - (time.monotonic() - kept.at)
                if kept.mark == mark or left > 0:
                    outdated = kept.mark != mark
                    return {"answer": kept.value, "again_in": max(left, 0.2) if outdated else None}
            value = await self._ask(question)
            if len(self._kept) >= MOST_ANSWERS:
                self._kept.clear()
                self._turns = {key: turn}
            self._kept[key] = _Kept(value, mark, time.monotonic())
            return {"answer": value, "again_in": None}

    async def _ask(self, question: Callable[[Store], Any]) -> Any:
        async with self._places:
            return await asyncio.to_thread(question, self._store)
