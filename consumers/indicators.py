"""Readings of the catalogue from the store: for any day, as known on any day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from consumers.store.client import Store
from pipeline.catalogue.assemble import Assembly, Context, assembly
from pipeline.catalogue.selection import select
from pipeline.core.rates import Reading
from schemas.clock import LAST_VALID

SETTINGS = "\nSETTINGS max_query_size = 1048576"
"""Of a statement of all readings."""


def readings(
    store: Store,
    as_of: date,
    known_on: date | None = None,
    *,
    indicators: Iterable[str] | None = None,
    districts: Iterable[str] | None = None,
    windows: Iterable[str] | None = None,
) -> list[Reading]:
    """Evaluate the catalogue.

    Args:
        store: A connection; the migrations have been applied.
        as_of: Last day of every window.
        known_on: Only what was known at the end of this day; None: all that is known.
        indicators: Keys of the catalogue; None: all.
        districts: District codes, 320500 for the city; None: the ten districts and the city.
        windows: Names of windows; None: all. An indicator has its own among them only.

    Returns:
        Readings in the order of the catalogue, then by base, district (the city last) and window.

    Raises:
        CatalogueError: A name that does not exist; the message lists those that do.
        StoreUnavailable: ClickHouse is away.
        StoreRefused: The schema is older than this program.
    """
    selection = select(indicators, districts, windows)
    if not selection.entries or not selection.areas:
        return []
    how = assembly(selection)
    columns = store.columns(
        how.series.statement() + SETTINGS,
        {"as_of": as_of, "known_on": known_on or LAST_VALID},
    )
    return list(how.readings(*sums(columns, how), as_of, known_on))


def sums(
    columns: Mapping[str, Sequence[Any]], how: Assembly
) -> tuple[dict[str, dict[str, list[int]]], Context]:
    """The columns of a statement by area, and its context."""
    width = len(how.series.windows)
    by_area = {
        area: {
            name: values[place]
            if isinstance(values[place], list | tuple)
            else [values[place]] * width
            for name, values in columns.items()
            if name not in ("area", "newest", "earlier", "facts")
        }
        for place, area in enumerate(columns["area"])
    }
    newest, earlier, facts = (columns[name][0] for name in ("newest", "earlier", "facts"))
    days = [top[1] if top[0] else None for top in (newest, earlier)]
    return by_area, Context(days[0], days[1], facts)
