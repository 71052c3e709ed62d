"""The batches of one partition that wait for their handler, and when it takes them."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from pipeline.batch_window import Batch, Limits


class Lane:
    """One partition's waiting batches; its handler runs in ``task``."""

    def __init__(self) -> None:
        self.waiting: deque[Batch] = deque()
        self.task: asyncio.Task[None] | None = None
        self._flooded = False
        self._grown = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether nobody handles what waits."""
        return self.task is None or self.task.done()

    def add(self, batch: Batch) -> None:
        """Let a batch wait behind the others."""
        self.waiting.append(batch)
        self._grown.set()

    async def gather(self, limits: Limits) -> None:
        """In a flood, wait until a whole batch is here, the records pause, or it was long enough.

        Large batches cost the store and the handlers far less an event. It is a flood when the
        last batch was a large one.
        """
        if not self._flooded:
            return
        # Not asyncio.wait_for: before Python 3.12 it may swallow a cancellation, also a limit's.
        clock = asyncio.get_running_loop().time
        ends = clock() + limits.gather_seconds
        with suppress(TimeoutError):
            while sum(map(len, self.waiting)) < limits.batch_records:
                self._grown.clear()
                async with asyncio.timeout(min(limits.pause_seconds, ends - clock())):
                    await self._grown.wait()

    def take(self, limits: Limits, holds: Callable[[Batch], bool]) -> list[Batch]:
        """All that waits, as far as one batch may go; not what was given up."""
        room = limits.batch_records
        run: list[Batch] = []
        while self.waiting and (len(self.waiting[0]) <= room or not run):
            batch = self.waiting.popleft()
            if holds(batch):
                run.append(batch)
                room -= len(batch)
        self._flooded = sum(map(len, run)) >= limits.flood_records
        return run
