"""Reporting delays as the cells show them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from consumers.store.client import Store
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.core.delays import HORIZON, Shares, known_shares

_LOOKED_BACK = 400
_QUESTION = f"""
SELECT measure,
    sumForEach(arrayMap(k -> if(late = k AND age >= k, n, 0), range({HORIZON}))),
    sumForEach(arrayMap(k -> if(late <= k AND age >= k, n, 0), range({HORIZON})))
FROM
(
    SELECT measure, toInt32({{known_on:Date32}}) - toInt32(day) AS age,
        greatest(toInt32(known_on) - toInt32(day), 0) AS late,
        greatest(sum(value), 0) AS n
    FROM population.cells FINAL
    WHERE day > {{known_on:Date32}} - {_LOOKED_BACK} AND day <= {{known_on:Date32}}
        AND known_on <= {{known_on:Date32}} AND measure IN {{measures:Array(String)}}
    GROUP BY measure, age, late
)
GROUP BY measure"""  # noqa: S608 - whole numbers of our own


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
    if measures is None:
        measures = (name for name, measure in MEASURES.items() if not measure.stock)
    found = {}
    for measure, by_delay, at_risk in store.query(
        _QUESTION, {"known_on": known_on, "measures": list(measures)}
    ):
        shares = known_shares(by_delay, at_risk)
        if shares is not None:
            found[measure] = shares
    return found
