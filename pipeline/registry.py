"""The source registry as the workers see it: never older than the batch it is used for."""

import asyncio
from base64 import b64decode
from types import MappingProxyType
from typing import NamedTuple

from consumers.store.client import Store
from pipeline.signatures import Keys
from pipeline.writing import until_stored
from schemas.sources import Priorities


class Registered(NamedTuple):
    """The registry at one moment.

    Attributes:
        accepted: sources whose events are taken.
        priorities: of these, and of those removed since, whose reports keep their place.
        forgotten: digests of the persons who were forgotten (``popflow forget``).
        keys: with which publishers sign; empty where none does.
    """

    accepted: Priorities
    priorities: Priorities
    forgotten: frozenset[str] = frozenset()
    keys: Keys = MappingProxyType({})


class Registry:
    """Registered sources, asked for before every batch and read again when they changed.

    ``popflow source add`` has written before it returns, so an event published after it meets
    the new registry. One question (2–5 ms) for all batches that came while the one before was
    answered is what that certainty costs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version: tuple[int, ...] = ()
        self._registered = Registered({}, {})
        self._asking = asyncio.Lock()
        self._next: asyncio.Task[Registered] | None = None

    async def current(self) -> Registered:
        """The registry as it is now: by a question that has not been asked before this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._ask())
        return await asyncio.shield(self._next)

    async def _ask(self) -> Registered:
        async with self._asking:
            self._next = None
            return await until_stored(lambda: asyncio.to_thread(self._read))

    def _read(self) -> Registered:
        version = self._store.query(
            "SELECT (SELECT max(version) FROM population.sources_rows),"
            " (SELECT max(version) FROM population.forgotten_rows),"
            " (SELECT max(version) FROM population.source_key_rows)"
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
            if version[2]:
                rows = self._store.query(
                    "SELECT id, name, public_key FROM population.source_key_rows FINAL"
                    " WHERE NOT removed"
                )
                keys = {key_id: (name, b64decode(public)) for key_id, name, public in rows}
                self._registered = self._registered._replace(keys=keys)
            self._version = version
        return self._registered
