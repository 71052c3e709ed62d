"""Reporting delays as the cells show them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from consumers.store.client import Store
from pipeline.catalogue.delays_sql import COUNTED, by_delay_sql
from pipeline.core.delays import Shares, known_shares


def delays(
    store: Store, known_on: date, measures: Iterable[str] | None = None
) -> dict[str, Shares]:
    """Share known by delay of every measure that says enough.

    Args:
        store: A connection.
        known_on: Only what was known at the end of this day, and days up to it, are looked at.
        measures: Of the cells; None: all counts of the catalogue.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """
    asked = COUNTED if measures is None else tuple(measures)
    found = {}
    rows = store.query(by_delay_sql("{known_on:Date32}", asked), {"known_on": known_on})
    for measure, by_delay, at_risk in rows:
        shares = known_shares(by_delay, at_risk)
        if shares is not None:
            found[measure] = shares
    return found
