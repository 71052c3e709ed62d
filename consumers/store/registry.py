"""The source registry in the store: who may send, and whose word comes first."""

import time
from collections.abc import Iterable

from consumers.store.client import Store
from schemas.sources import Source


def registered(store: Store) -> list[Source]:
    """The sources that may send, by name."""
    rows = store.query("SELECT name, priority FROM population.sources ORDER BY name")
    return [Source(name, priority) for name, priority in rows]


def add_source(store: Store, source: Source) -> None:
    """Register a source, or give a registered one another priority."""
    _write(store, [source], removed=False)


def remove_source(store: Store, source: Source) -> None:
    """Refuse a source's events from now on; what it sent keeps its place."""
    _write(store, [source], removed=True)


def seed_sources(store: Store, sources: Iterable[Source]) -> None:
    """Register the first sources of a store that has never known any."""
    if not store.query("SELECT count() FROM population.sources_rows")[0][0]:
        _write(store, list(sources), removed=False)


def _write(store: Store, sources: list[Source], *, removed: bool) -> None:
    newest = int(store.query("SELECT max(version) FROM population.sources_rows")[0][0])
    now_ms = time.time_ns() // 1_000_000
    number = len(sources)
    store.insert(
        "sources_rows",
        {
            "name": [source.name for source in sources],
            "sector": [source.sector for source in sources],
            "priority": [source.priority for source in sources],
            "added_at": [now_ms] * number,
            "removed": [removed] * number,
            "version": [max(newest + 1, now_ms)] * number,
        },
    )
