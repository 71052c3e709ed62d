"""The source registry in the store: who may send, and whose word comes first."""

import time
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

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


def add_key(store: Store, name: str, key_id: str, public_key: bytes) -> None:
    """Register a public key of a source: from now on its events have to be signed."""
    now_ms = time.time_ns() // 1_000_000
    columns: dict[str, list[Any]] = {"id": [key_id], "name": [name]}
    columns |= {"public_key": [b64encode(public_key).decode()], "added_at": [now_ms]}
    store.insert("source_key_rows", {**columns, "removed": [False], "version": [now_ms]})


def remove_keys(store: Store, name: str) -> int:
    """Take all keys of a source away; gives how many there were."""
    rows = store.query(
        "SELECT id, public_key FROM population.source_key_rows FINAL"
        " WHERE name = {name:String} AND NOT removed",
        {"name": name},
    )
    now_ms = time.time_ns() // 1_000_000
    number = len(rows)
    store.insert(
        "source_key_rows",
        {
            "id": [row[0] for row in rows],
            "name": [name] * number,
            "public_key": [row[1] for row in rows],
            "added_at": [now_ms] * number,
            "removed": [True] * number,
            "version": [now_ms] * number,
        },
    )
    return number
