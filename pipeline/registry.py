"""The source registry as the workers see it: never older than the batch it is used for."""

import asyncio

from consumers.store.client import Store
from pipeline.retry import until_stored
from schemas.sources import Priorities


class Registry:
    """Registered sources, asked for before every batch and read again when they changed.

    ``popflow source add`` has written before it returns, so an event published after it meets
    the new registry. One cheap question a batch (2–3 ms) is what that certainty costs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._priorities: dict[str, int] = {}

    async def current(self) -> Priorities:
        """Sources with their priorities."""
        return await until_stored(lambda: asyncio.to_thread(self._read))

    def _read(self) -> Priorities:
        version = self._store.query("SELECT max(version) FROM population.sources_rows")[0][0]
        if version != self._version:
            rows = self._store.query("SELECT name, priority FROM population.sources")
            self._priorities = dict(rows)
            self._version = version
        return self._priorities
