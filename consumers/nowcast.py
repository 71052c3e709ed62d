"""Recent days' counts in the end, estimated from the cells."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from consumers.store.client import Store
from pipeline.catalogue.series import listed, quoted
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.core.nowcast import nowcast
from schemas.districts import CITY

DAYS = 35
"""Recent days that are estimated."""
LONGEST_DELAY = 60
"""Days of delay that are looked at; what comes later still is revised, not expected."""
LOOKED_BACK = 210
"""Days whose facts tell of delays and level."""
NOWCAST = tuple(name for name, measure in MEASURES.items() if measure.nowcast)

# A migration counts in the city only when it crosses its border.
_QUESTION = f"""
SELECT measure, area, toInt32(day) - first, sumForEach(arrayMap(k -> if(k = late, n, 0),
    range({LONGEST_DELAY})))
FROM
(
    SELECT measure, area, day, least(toUInt32(greatest(toInt32(known_on) - toInt32(day), 0)),
        {LONGEST_DELAY - 1}) AS late, sum(value) AS n,
        toInt32({{known_on:Date32}}) - {LOOKED_BACK - 1} AS first
    FROM
    (
        SELECT measure, district, day, known_on, band, value FROM population.cells FINAL
        WHERE measure IN ({listed(NOWCAST)}) AND known_on <= {{known_on:Date32}}
            AND day > {{known_on:Date32}} - {LOOKED_BACK} AND day <= {{known_on:Date32}}
    )
    ARRAY JOIN [toString(district), {quoted(CITY)}] AS area
    WHERE NOT (area = {quoted(CITY)} AND band = 'within')
    GROUP BY measure, area, day, late
)
GROUP BY measure, area, day, first
"""  # noqa: S608 - the catalogue's own names


class Nowcast(NamedTuple):
    """One day's count as it will be; the interval holds it in 90 of 100 cases."""

    day: date
    district: str
    measure: str
    known: int
    expected: float
    low: float
    high: float


def nowcasts(store: Store, known_on: date) -> list[Nowcast]:
    """The last five weeks of every measure and area of which enough is known.

    Args:
        store: A connection.
        known_on: The last day, and the last day of knowledge.

    Raises:
        StoreUnavailable: ClickHouse is away.
    """
    tables: dict[tuple[str, str], np.ndarray] = {}
    for measure, area, place, by_delay in store.query(_QUESTION, {"known_on": known_on}):
        table = tables.setdefault((measure, area), np.zeros((LOOKED_BACK, LONGEST_DELAY)))
        table[place] = by_delay
    found = []
    for (measure, area), table in sorted(tables.items()):
        made = nowcast(table, DAYS) or []
        for age, each in zip(range(len(made) - 1, -1, -1), made, strict=True):
            day = known_on - timedelta(age)
            ends = (round(each.expected, 3), each.low, each.high)
            found.append(Nowcast(day, area, measure, each.known, *ends))
    return found
