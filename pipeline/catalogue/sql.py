"""The catalogue as one SQL statement for ClickHouse.

Everything a reading divides is a weighted sum over cells: an event counts once inside a window,
a change of a stock counts on every day it is felt. So the cells are scanned once, each window
is one weight, and ten years cost what their cells cost, however many readings are asked for.

Parameters: ``{as_of:Date32}`` and ``{known_on:Date32}``.
"""

from __future__ import annotations

from functools import lru_cache

from pipeline.catalogue import delays_sql, series
from pipeline.catalogue.model import Between, Chapman, Count, Fact, Indicator, One, Stock
from pipeline.catalogue.poisson_sql import limits_sql
from pipeline.catalogue.selection import PARTS_PER_ONE, Selection, mothers, unknown_sex, women
from pipeline.catalogue.series import Series, listed, quoted
from pipeline.catalogue.vocabulary import REPORTS
from pipeline.core.delays import FINAL
from pipeline.core.published import PLACES, PROVISIONAL, REVISED, SETTLED, SETTLED_AFTER
from pipeline.core.rates import GROUP_YEARS, UNKNOWN_SEX_LIMIT, Z

_BIRTHS, _UNKNOWN, _WOMEN = "arraySlice(detail, 1, 7)", "detail[8]", "arraySlice(detail, 9)"
"""The detail of the fertility rate; see :class:`pipeline.core.rates.Ingredients`."""


@lru_cache(maxsize=64)
def ingredients_sql(selection: Selection) -> str:
    """What each reading divides, exactly: a whole number ÷ its parts, twice.

    Columns: indicator, base, district, window, numerator, numerator_parts, denominator,
    denominator_parts, days, twelve_months, missing, detail, scale, annualised, form; ``form`` is
    the kind of interval, the rest as in :class:`pipeline.core.rates.Ingredients`.
    """
    found = Series(selection)
    rows = [_row(entry, base, found) for entry in selection.entries for base in entry.bases]
    names = ", ".join(quoted(window) for window in selection.windows)
    entries = ",\n        ".join(rows)
    return f"""WITH
{found.context()}
SELECT
    e.1 AS indicator, e.2 AS base, area AS district, [{names}][i] AS `window`,
    e.4[i] AS numerator, e.5 AS numerator_parts,
    e.6[i] AS denominator, e.7[i] AS denominator_parts,
    [{", ".join(series.lengths(selection.windows))}][i] AS days,
    {series.TWELVE_MONTHS} AS twelve_months,
    e.8 AS missing, arrayMap(of_windows -> of_windows[i], e.9) AS detail,
    e.10 AS scale, e.11 AS annualised, e.12 AS form
FROM
(
    SELECT area, arrayJoin([
        {entries}
    ]) AS e
    FROM ({found.relation()})
)
ARRAY JOIN e.3 AS i"""  # noqa: S608


def readings_sql(selection: Selection) -> str:
    """Readings with everything a reader gets: the view ``indicators_as_known``.

    ``status`` and ``completeness`` are those of the day of knowledge (or of today, if that comes
    first); ``revised`` and ``published_at`` are those of what had been published by then.
    """
    known_on = "least({known_on:Date32}, toDate32(now('Asia/Shanghai')))"
    shares = delays_sql.shares_sql(known_on)
    measures = ", ".join(
        f"{quoted(entry.key)}, [{listed(delays_sql.counted(entry))}]::Array(String)"
        for entry in selection.entries
    )
    complete = delays_sql.completeness_sql("counted", "shares", "age", "toInt32(days)")
    return f"""WITH {shares} AS shares, map({measures}) AS measures_of
SELECT
    r.indicator AS indicator, r.base AS base, r.district AS district, r.`window` AS `window`,
    {{as_of:Date32}} AS as_of, {{known_on:Date32}} AS known_on,
    r.numerator AS numerator, r.denominator AS denominator,
    r.value AS value, r.low AS low, r.high AS high,
    round(r.complete, {PLACES}) AS completeness,
    multiIf(p.status = '{REVISED}', p.status,
        r.age >= {SETTLED_AFTER} OR ifNull(r.complete, 0) >= {FINAL}, '{SETTLED}',
        '{PROVISIONAL}') AS status,
    r.reason AS reason, r.note AS note,
    if(p.published = 0, NULL, p.published_at) AS published_at
FROM (
    SELECT *, measures_of[indicator] AS counted,
        toInt32({known_on}) - toInt32({{as_of:Date32}}) AS age,
        {complete} AS complete
    FROM (
{values_sql(selection)}
    )
) AS r
LEFT JOIN (
    SELECT o.indicator AS indicator, o.base AS base, o.district AS district,
        o.`window` AS `window`, 1 AS published,
        argMax(o.status, (o.known_on, o.published_at)) AS status,
        max((o.known_on, o.published_at)).2 AS published_at
    FROM population.readings AS o
    WHERE o.as_of = {{as_of:Date32}} AND o.known_on <= {{known_on:Date32}}
    GROUP BY o.indicator, o.base, o.district, o.`window`
) AS p ON r.indicator = p.indicator AND r.base = p.base AND r.district = p.district
    AND r.`window` = p.`window`"""  # noqa: S608


def values_sql(selection: Selection) -> str:
    """Readings with value, interval, reason and note, and the days of their windows."""
    garwood_low, garwood_high = limits_sql("top")
    half = f"{Z} * sqrt(share * (1 - share) / whole + {Z * Z / 4} / (whole * whole))"
    shrink = f"(1 + {Z * Z} / whole)"
    middle = f"(share + {Z * Z / 2} / whole)"
    fertility = f"factor * {GROUP_YEARS} * arraySum(arrayMap((n, w) -> n / w, {_BIRTHS}, {_WOMEN}))"
    return f"""SELECT
    indicator, base, district, `window`, days,
    if(missing = '', top, NULL) AS numerator,
    if(missing = '', bottom, NULL) AS denominator,
    if(why = '', quotient, NULL) AS value,
    multiIf(why != '' OR NOT closed, NULL,
        form = 'wilson', factor * p_low,
        form = 'garwood', factor / bottom * {garwood_low},
        form = 'wilson_odds', factor * p_low / (1 - p_low),
        form IN ('chapman', 'fertility'), greatest(0., quotient - {Z} * deviation),
        quotient - {Z} * deviation) AS low,
    multiIf(why != '' OR NOT closed, NULL,
        form = 'wilson', factor * p_high,
        form = 'garwood', factor / bottom * {garwood_high},
        form = 'wilson_odds', factor * p_high / (1 - p_high),
        form = 'chapman', least(factor, quotient + {Z} * deviation),
        quotient + {Z} * deviation) AS high,
    why AS reason,
    multiIf(why != '', '',
        form = 'wilson_odds'
            AND detail[1] > {float(UNKNOWN_SEX_LIMIT)} * (top + bottom + detail[1]), 'unknown_sex',
        form = 'fertility' AND {_UNKNOWN} > 0, 'unknown_age', '') AS note
FROM
(
    SELECT *,
        greatest(0., ({middle} - {half}) / {shrink}) AS p_low,
        least(1., ({middle} + {half}) / {shrink}) AS p_high,
        if(form = 'fertility', {fertility} * shared * denominator_parts, factor * top / bottom)
            AS quotient,
        {_deviation()} AS deviation,
        {_closed()} AS closed
    FROM
    (
        SELECT *,
            numerator / numerator_parts AS top,
            denominator / denominator_parts AS bottom,
            scale * if(annualised, twelve_months / days, 1) AS factor,
            if(form = 'fertility' AND {_UNKNOWN} > 0, top / arraySum({_BIRTHS}), 1) AS shared,
            if(form = 'wilson', bottom / detail[1], top + bottom) AS whole,
            if(form = 'wilson', top / bottom, top / (top + bottom)) AS share,
            {_reason()} AS why
        FROM (
{ingredients_sql(selection)}
        )
    )
)"""  # noqa: S608


def _reason() -> str:
    return (
        "multiIf(missing != '', missing,"
        f" form = 'fertility' AND arrayExists(w -> w <= 0, {_WOMEN}), 'no_women_of_an_age',"
        f" form = 'fertility' AND {_UNKNOWN} > 0 AND arraySum({_BIRTHS}) = 0, 'ages_unknown',"
        " form = 'chapman' AND numerator != 0 AND least(detail[1], detail[2]) + detail[3] = 0,"
        " 'one_source',"
        " denominator <= 0, 'zero_denominator', '')"
    )


def _closed() -> str:
    """Whether a reading has an interval."""
    return (
        "multiIf(form = 'none', 0, form = 'wilson', top >= 0 AND top <= bottom,"
        " form = 'garwood', top >= 0,"
        " form = 'wilson_odds', top >= 0, form = 'difference', detail[1] >= 0,"
        " form = 'ratio_of_sums', detail[1] >= 2, 1)"
    )


def _deviation() -> str:
    """The standard deviation of a value whose interval is normal."""
    scatter = "detail[2] - 2 * top / bottom * detail[3] + top * top / (bottom * bottom) * detail[4]"
    first, second = "(detail[1] + detail[3] + 1)", "(detail[2] + detail[3] + 1)"
    captured = (
        f"{first} * {second} * detail[1] * detail[2]"
        " / ((detail[3] + 1) * (detail[3] + 1) * (detail[3] + 2))"
    )
    spread = f"arraySum(arrayMap((n, w) -> n / (w * w), {_BIRTHS}, {_WOMEN}))"
    return f"""multiIf(
            form = 'difference', factor / bottom * sqrt(greatest(0., detail[1])),
            form = 'ratio_of_sums',
            factor / bottom * sqrt(detail[1] / (detail[1] - 1) * greatest(0., {scatter})),
            form = 'chapman', factor * top / (bottom * bottom) * sqrt({captured}),
            form = 'fertility', factor * {GROUP_YEARS} * shared * denominator_parts
                * sqrt(greatest(0., {spread})),
            0.)"""


def _row(entry: Indicator, base: str, found: Series) -> str:
    """One entry on one base, as a tuple of arrays over windows."""
    windows = found.windows
    indexes = [place + 1 for place, window in enumerate(windows) if window in entry.windows]
    ones = _constant(windows)
    top, top_parts = _numerator(entry, base, found)
    bottom, bottom_parts = _denominator(entry, base, found)
    columns = [
        quoted(entry.key),
        quoted(base),
        f"CAST({indexes}, 'Array(UInt8)')",
        _whole(top),
        f"toInt64({top_parts})",
        _whole(bottom or ones),
        _whole(bottom_parts or ones),
        series.missing(entry, base),
        f"CAST({_detail(entry, base, found)}, 'Array(Array(Float64))')",
        f"toInt64({entry.scale})",
        f"{entry.annualised!s}".lower(),
        quoted(entry.interval),
    ]
    return f"({', '.join(columns)})"


def _whole(array: str) -> str:
    return f"CAST({array}, 'Array(Int64)')"


def _constant(windows: tuple[str, ...], value: str = "1") -> str:
    return f"[{', '.join([value] * len(windows))}]"


def _numerator(entry: Indicator, base: str, found: Series) -> tuple[str, int]:
    """An array over windows, and into how many parts one is divided."""
    match entry.numerator:
        case Count() as count:
            column = found.flow(count, base)
            if entry.less is None:
                return column, 1
            return _pairwise("p - q", column, found.flow(entry.less, base)), 1
        case Stock() as stock:
            return found.stock(stock, base, entry), PARTS_PER_ONE if stock.urban else 1
        case Between() as between:
            return found.between(between.part), 1
        case Fact():
            fact = f"facts[concat({quoted(entry.key + '|')}, area)]"
            return _constant(found.windows, fact), PARTS_PER_ONE


def _denominator(entry: Indicator, base: str, found: Series) -> tuple[str, str]:
    """An array over windows, and an array of its parts; empty where they are all one."""
    match entry.denominator:
        case Count() as count:
            return found.flow(count, base), ""
        case Stock() as stock:
            column = found.stock(stock, base, entry)
            return column, "" if isinstance(entry.numerator, Stock) else _parts(entry, found)
        case Between() as between:
            return found.between(between.part), _constant(found.windows, "2")
        case Chapman() as reports:
            health, police, both = (
                found.flow(Count(reports.measure, bands=(band,)), base) for band in REPORTS
            )
            estimate = "(h + b + 1) * (p + b + 1) - (b + 1)"
            arrays = f"{health}, {police}, {both}"
            return f"arrayMap((h, p, b) -> {estimate}, {arrays})", f"arrayMap(b -> b + 1, {both})"
        case One():
            return "", ""


def _parts(entry: Indicator, found: Series) -> str:
    lengths = series.lengths(found.windows)
    parts = {"person_days": None, "mean_of_ends": "2"}
    made = [
        parts.get(entry.convention(window), "1") or length
        for window, length in zip(found.windows, lengths, strict=True)
    ]
    return f"[{', '.join(made)}]"


def _pairwise(formula: str, left: str, right: str) -> str:
    return f"arrayMap((p, q) -> {formula}, {left}, {right})"


def _detail(entry: Indicator, base: str, found: Series) -> str:
    """What else the value or the interval needs: an array of arrays over windows."""
    lengths = f"[{', '.join(series.lengths(found.windows))}]"
    numerator, denominator = entry.numerator, entry.denominator
    match entry.interval:
        case "wilson":
            parts = [lengths if isinstance(numerator, Stock) else _constant(found.windows)]
        case "wilson_odds" if isinstance(numerator, Count):
            parts = [_pairwise("p + q", *(found.flow(n, base) for n in unknown_sex(numerator)))]
        case "difference" if isinstance(numerator, Count) and entry.less is not None:
            columns = (found.flow(numerator, base), found.flow(entry.less, base))
            parts = [_pairwise("p + q", *columns)]
        case "ratio_of_sums" if isinstance(numerator, Count) and isinstance(denominator, Count):
            name = found.moments(numerator, denominator, base)
            parts = [lengths, *(f"{name}_{part}" for part in ("yy", "xy", "xx"))]
        case "fertility":
            parts = [found.flow(count, base) for count in mothers(entry)]
            parts += [found.stock(stock, base, entry) for stock in women(entry)]
        case "chapman" if isinstance(denominator, Chapman):
            parts = [
                found.flow(Count(denominator.measure, bands=(band,)), base) for band in REPORTS
            ]
        case _:
            parts = []
    floats = ", ".join(f"CAST({part}, 'Array(Float64)')" for part in parts)
    return f"[{floats}]"
