"""Reporting delays as SQL: the same estimate as :mod:`pipeline.core.delays`, from the cells.

Each day's facts with one delay are at risk of every delay from theirs up to the day's age, so they
enter the sums at one place and leave them at another; what stands between follows by cumulation.
"""

# ruff: noqa: S608 - all that is put into a statement is the catalogue's own.

from __future__ import annotations

from pipeline.catalogue.model import Count, Indicator
from pipeline.catalogue.series import listed
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.core.delays import FEWEST, HORIZON, LOOKED_BACK

COUNTED = tuple(name for name, measure in MEASURES.items() if not measure.stock)
"""What has delays: the measures of events."""


def counted(entry: Indicator) -> tuple[str, ...]:
    """The measures whose completeness is a reading's: those of its numerator."""
    terms = (entry.numerator, entry.less)
    return tuple(dict.fromkeys(term.measure for term in terms if isinstance(term, Count)))


def by_delay_sql(known_on: str, measures: tuple[str, ...] = COUNTED) -> str:
    """Facts by delay, and at risk of it, of each measure.

    Columns: measure, by_delay, at_risk (see :func:`pipeline.core.delays.known_shares`).

    Args:
        known_on: an expression, the last day of knowledge; no later day is looked at.
        measures: of events.
    """
    counts = f"arrayMap(k -> m[toInt32(k)], range({HORIZON}))"
    return f"""
SELECT measure,
    {counts.replace("m[", "known[")} AS by_delay,
    arrayCumSum({counts.replace("m[", "moves[")}) AS at_risk
FROM
(
    SELECT measure, sumMap(map(late, n)) AS known,
        sumMap(mapUpdate(map(late, n), map(age + 1, -n))) AS moves
    FROM
    (
        SELECT measure, toInt32({known_on}) - toInt32(day) AS age,
            greatest(toInt32(known_on) - toInt32(day), 0) AS late,
            greatest(sum(value), 0) AS n
        FROM population.cells FINAL
        WHERE day > {known_on} - {LOOKED_BACK} AND day <= {known_on}
            AND known_on <= {known_on} AND measure IN ({listed(measures)})
        GROUP BY measure, age, late
    )
    GROUP BY measure
)"""


def shares_sql(known_on: str) -> str:
    """A map from measure to the cumulated shares known by delay, 0 first.

    Left out are measures of which too little is known. See
    :func:`pipeline.core.delays.completeness`.
    """
    hazards = (
        "arrayMap((late, risk) -> log(1 - if(risk > 0,"
        " least(greatest(late / risk, 0.), 1.), 0.)), by_delay, at_risk)"
    )
    # The share known after k days: what no later delay has taken away.
    after = "arrayReverse(arrayCumSum(arrayReverse(arrayPushBack(arraySlice(hazards, 2), 0.))))"
    return f"""(
        SELECT mapFromArrays(groupArray(toString(measure)), groupArray(
            arrayPushFront(arrayCumSum(arrayMap(x -> exp(x), {after})), 0.)))
        FROM (
            SELECT measure, {hazards} AS hazards
            FROM ({by_delay_sql(known_on)})
            WHERE arrayMax(at_risk) >= {FEWEST}
        )
    )"""


def completeness_sql(measures: str, shares: str, age: str, days: str) -> str:
    """Expected share known of a window, of the slowest of its measures; null where nobody knows.

    Args:
        measures: an expression, names of measures.
        shares: the map of :func:`shares_sql`.
        age: days from the window's last day to the day of knowledge.
        days: of the window.
    """
    first, last = f"least({age}, {HORIZON})", f"least({age} + {days}, {HORIZON})"
    share = f"({shares}[m][{last} + 1] - {shares}[m][{first} + 1] + {days} - ({last} - {first}))"
    return (
        f"if(empty({measures}) OR NOT arrayAll(m -> mapContains({shares}, m), {measures}), NULL,"
        f" if({age} < 0, 0., arrayMin(arrayMap(m -> {share} / {days}, {measures}))))"
    )
