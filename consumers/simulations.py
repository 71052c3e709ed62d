"""Which simulated cities have published into a store."""

from __future__ import annotations

import time
from datetime import date

from consumers.store.client import Store

_FIRST_WINS = (1 << 63) - 1


def note_simulation(store: Store, *, tag: str, seed: int, scale: float, start: date) -> None:
    """Write down that a city is simulated, before it publishes; of several notes the first stands.

    Args:
        store: A connection that may write; the migrations have been applied.
        tag: The city's own, part of all its record numbers.
        seed: Which of the cities of its size.
        scale: Share of the real city's numbers.
        start: Its first day.

    Raises:
        StoreUnavailable: ClickHouse is away.
        StoreRefused: The schema is older than this program.
    """
    now_ms = time.time_ns() // 1_000_000
    store.insert(
        "simulation_rows",
        {
            "tag": [tag],
            "seed": [seed],
            "scale": [scale],
            "start": [start],
            "begun_at": [now_ms],
            "version": [_FIRST_WINS - now_ms],
        },
    )
