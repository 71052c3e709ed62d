"""The source registry as the workers see it: never older than the batch it is used for."""

import asyncio
from typing import NamedTuple

from consumers.store.client import Store
from pipeline.writing import until_stored
from schemas.sources import Priorities


class Registered(NamedTuple):
    """The registry at one moment.

    Attributes:
        accepted: sources whose events are taken.
        priorities: of these, and of those removed since, whose reports keep their place.
        forgotten: digests of the persons who were forgotten (``popflow forget``).
    """

    accepted: Priorities
    priorities: Priorities
    forgotten: frozenset[str] = frozenset()


class Registry:
    """Registered sources, asked for before every batch and read again when they changed.

    ``popflow source add`` has written before it returns, so an event published after it meets
    the new registry. One cheap question a batch (2–3 ms) is what that certainty costs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version: tuple[int, int] = (-1, -1)
        self._registered = Registered({}, {})

    async def current(self) -> Registered:
        """The registry as it is now."""
        return await until_stored(lambda: asyncio.to_thread(self._read))

    def _read(self) -> Registered:
        version = self._store.query(
            "SELECT (SELECT max(version) FROM population.sources_rows),"
            " (SELECT max(version) FROM population.forgotten_rows)"
        )[0]
        if version != self._version:
            rows = self._store.query(
                "SELECT name, priority, removed FROM population.sources_rows FINAL"
            )
            self._registered = Registered(
                {name: priority for name, priority, removed in rows if not removed},
                {name: priority for name, priority, _ in rows},
            )
            if version[1]:
                digests = self._store.query("SELECT DISTINCT digest FROM population.forgotten_rows")
                found = frozenset(row[0] for row in digests)
                self._registered = self._registered._replace(forgotten=found)
            self._version = version
        return self._registered
