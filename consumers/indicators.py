"""Readings of the catalogue from the store: for any day, as known on any day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any

from consumers.store.client import Store
from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.selection import factor, select
from pipeline.catalogue.sql import ingredients_sql
from pipeline.core.rates import Ingredients, Reading, quotient
from schemas.clock import LAST_VALID

_SETTINGS = "\nSETTINGS max_query_size = 1048576"


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
    rows = store.query(
        ingredients_sql(selection) + _SETTINGS,
        {"as_of": as_of, "known_on": known_on or LAST_VALID},
    )
    found = {reading.key: reading for reading in (_reading(row, as_of, known_on) for row in rows)}
    return [
        found[entry.key, base, area, window]
        for entry in selection.entries
        for base in entry.bases
        for area in selection.areas
        for window in selection.windows
        if window in entry.windows
    ]


def _reading(row: tuple[Any, ...], as_of: date, known_on: date | None) -> Reading:
    key, base, district, window, top, top_parts, bottom, bottom_parts, *rest = row
    _, _, missing, detail, *_ = rest
    entry = INDICATORS[key]
    parts = Ingredients(
        Fraction(top, top_parts),
        Fraction(bottom, bottom_parts),
        factor(entry, window, as_of),
        missing,
        tuple(detail),
    )
    made = quotient(parts, entry.interval)
    return Reading(
        key,
        base,
        district,
        window,
        as_of,
        known_on,
        None if missing else parts.numerator,
        None if missing else parts.denominator,
        made.value,
        made.low,
        made.high,
        made.reason,
        made.note,
    )
