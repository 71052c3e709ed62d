"""The views for the public: small counts suppressed, everything else in steps of ten.

What these rules keep secret, and why they are these, is in ``consumers/store/PRIVACY.md``. In
short: of every count behind the views, at least nine values in a row remain possible, however
cells, districts, months, windows and days are set against each other.
"""

# ruff: noqa: S608 - all that is put into a statement is a constant of ours.

from __future__ import annotations

from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.model import Between, Chapman, Count, Fact, Indicator, One, Stock
from pipeline.catalogue.series import listed, quoted
from pipeline.catalogue.vocabulary import MEASURES
from pipeline.core.rates import Z
from schemas.districts import CITY, INSIDE

THRESHOLD = 10
"""A smaller count is suppressed."""
STEP = 10
"""Every other count is rounded down to a whole number of these."""
DELAY_DAYS = 1
"""What becomes known today is in no public count before tomorrow."""
MOST_YEARS = 50
FEWEST_STAYS = 100
"""Discharges behind a ratio of sums of money."""
FEWEST_BIRTHS = 100
"""Births behind a fertility rate, which is a sum over age groups."""

_MONEY = ("in_policy_fen", "fund_fen")
_ACROSS_BORDER = ("arrivals", "departures")
_NOT_COUNTS_OF_PEOPLE = (*_MONEY, "bed_days", "births_by_report", "deaths_by_report", "population")
"""``population`` needs a baseline: it is among the indicators."""
COUNTED = tuple(sorted({*MEASURES, "permits"} - set(_NOT_COUNTS_OF_PEOPLE)))
"""The measures of ``public_counts``."""
STOCKS = tuple(name for name in COUNTED if name in MEASURES and MEASURES[name].stock)
"""Of these, the states at the end of a period; the others are events in it."""

SUM, OWN, SIGNED, MONEY, PLAIN = "sum", "own", "signed", "money", "plain"
"""How a part of an indicator is released: the city made of the released districts, the city by
itself, a difference of counts, a sum of money, nothing to be protected."""

_LAST_DAY = f"(toDate32(now(), 'Asia/Shanghai') - {DELAY_DAYS})"


def public_views() -> dict[str, str]:
    """The SELECT of each public view, by its name."""
    return {"public_counts": _counts(), "public_indicators": _indicators()}


def released(relation: str, keys: str) -> str:
    """Suppress and round the ten districts' counts, and make the city's of what is left.

    Within one key: counts under the threshold are hidden; if that is a single one, the next
    smallest is hidden with it. What is shown is rounded down. The hidden ones go into the city as
    one rounded sum, capped so that it says nothing about any one of them. So the city's figure is
    made of published figures and that one sum: subtracting districts from it yields nothing.

    Args:
        relation: SQL of rows ``keys, district, n``, the city not among them.
        keys: columns that tell the tables apart, separated by commas.

    Returns:
        SQL of rows ``keys, district, released``, the city among them; null where suppressed.
    """
    down = f"floor({{}} / {STEP}) * {STEP}"
    cap = down.format(f"({THRESHOLD - 1} * (hidden_n - 1))")
    pool = down.format("pooled")
    city = down.format(f"(shown + {(STEP - 1) / 2} * shown_n + pool)")
    return f"""SELECT {keys}, line.1 AS district, line.2 AS released
FROM
(
    SELECT {keys}, sumIf(v, NOT hidden) AS shown, countIf(NOT hidden) AS shown_n,
        countIf(hidden) AS hidden_n, sumIf(n, hidden) AS pooled,
        minIf(v, NOT hidden) AS least_shown,
        multiIf(hidden_n = 0, 0., any(few) = 1, least({pool}, least_shown), least({pool}, {cap}))
            AS pool,
        {city} AS city,
        arrayConcat(groupArray((district, if(hidden, NULL, v))),
            [({quoted(CITY)}, if(city < {THRESHOLD}, NULL, city))]) AS lines
    FROM
    (
        SELECT {keys}, district, n, few, small OR (few = 1 AND place = 1) AS hidden,
            {down.format("n")} AS v
        FROM
        (
            SELECT {keys}, district, toFloat64(n) AS n, n < {THRESHOLD} AS small,
                sum(n < {THRESHOLD}) OVER (PARTITION BY {keys}) AS few,
                row_number() OVER (PARTITION BY {keys}, n < {THRESHOLD} ORDER BY n, district)
                    AS place
            FROM ({relation})
        )
    )
    GROUP BY {keys}
)
ARRAY JOIN lines AS line"""


def _counts() -> str:
    """``period, district, measure, value, suppressed``: months and years, every district."""
    month = "(toYear({}) * 12 + toMonth({}) - 1)"
    of_day, of_last = month.format("day", "day"), month.format(_LAST_DAY, _LAST_DAY)
    counted = (
        f"measure IN ({listed(COUNTED)}) AND day <= {_LAST_DAY} AND known_on <= {_LAST_DAY}"
        f" AND (measure NOT IN ({listed(_ACROSS_BORDER)}) OR band = 'outside')"
    )
    first = (
        f"(SELECT greatest({of_last} - {MOST_YEARS * 12}, if(count() = 0, {of_last},"
        f" min({of_day}))) FROM population.cells WHERE {counted})"
    )
    stock = f"measure IN ({listed(STOCKS)})"
    by_month = f"""
    SELECT measure, district, month,
        if({stock}, sum(changed) OVER (PARTITION BY measure, district ORDER BY month), changed) AS n
    FROM
    (
        SELECT measure, district, month, sum(changed) AS changed
        FROM
        (
            SELECT toString(measure) AS measure, toString(district) AS district,
                greatest({of_day}, {first}) AS month, value AS changed
            FROM population.cells FINAL
            WHERE {counted}
            UNION ALL
            SELECT arrayJoin([{listed(COUNTED)}]) AS measure,
                arrayJoin([{listed(sorted(INSIDE))}]) AS district,
                arrayJoin(range(toUInt32({first}), toUInt32({of_last} + 1))) AS month, 0 AS changed
        )
        GROUP BY measure, district, month
    )"""
    periods = f"""
    SELECT arrayJoin([
            concat(toString(intDiv(month, 12)), '-', leftPad(toString(month % 12 + 1), 2, '0')),
            toString(intDiv(month, 12))]) AS period,
        measure, district, if({stock}, argMax(n, month), sum(n)) AS n
    FROM ({by_month}
    )
    GROUP BY period, measure, district"""
    return f"""SELECT period, district, measure,
    CAST(released, 'Nullable(Int64)') AS value, CAST(released IS NULL, 'Bool') AS suppressed
FROM ({released(periods, "period, measure")})"""


def _part(entry: Indicator, *, numerator: bool) -> str:
    """How a part of an indicator is released."""
    term = entry.numerator if numerator else entry.denominator
    if isinstance(term, Fact | One):
        return PLAIN
    if numerator and (entry.less is not None or isinstance(term, Between)):
        return SIGNED
    if isinstance(term, Chapman) or (isinstance(term, Count) and term.border):
        return OWN  # the city's is no sum of the districts'
    if isinstance(term, Count) and term.measure in _MONEY:
        return MONEY
    return SUM


def _by_entry(values: dict[str, str], default: str) -> str:
    names, texts = listed(values), listed(values.values())
    return f"transform(toString(indicator), [{names}], [{texts}], {quoted(default)})"


def _indicators() -> str:
    """The columns of ``indicators``; figures null where a count behind them is suppressed."""
    tops = {key: _part(entry, numerator=True) for key, entry in INDICATORS.items()}
    bottoms = {key: _part(entry, numerator=False) for key, entry in INDICATORS.items()}
    forms = {key: entry.interval for key, entry in INDICATORS.items()}
    # A stock over a stock is summed over the days of its window: people times days.
    summed = listed(
        key
        for key, entry in INDICATORS.items()
        if isinstance(entry.numerator, Stock) and isinstance(entry.denominator, Stock)
    )
    raw = f"""
    SELECT *, {_by_entry(tops, OWN)} AS top, {_by_entry(bottoms, OWN)} AS bottom,
        {_by_entry(forms, "none")} AS form,
        if(indicator IN ({summed}) AND `window` = '7d', 7, 1) AS days,
        maxIf(denominator, indicator = 'mean_stay_days')
            OVER (PARTITION BY district, `window`, as_of) AS stays
    FROM population.indicators
    WHERE as_of <= {_LAST_DAY} AND (as_of = toLastDayOfMonth(as_of)
        OR (`window` NOT IN ('year', 'mcyear') AND toDayOfWeek(as_of) = 7))"""
    key = "indicator, base, `window`, as_of, part, kind, days"
    parts = f"""
    SELECT indicator, base, `window`, as_of, district, days,
        arrayJoin([('top', top, numerator), ('bottom', bottom, denominator)]) AS each,
        each.1 AS part, each.2 AS kind, each.3 / days AS n
    FROM ({raw}
    )
    WHERE n IS NOT NULL"""
    down = f"sign(n) * floor(abs(n) / {STEP}) * {STEP}"
    alone = f"""
    SELECT {key}, district, multiIf(kind = 'plain', n,
        kind = 'money', round(n, 2 - toInt32(floor(log10(greatest(abs(n), 1.))))),
        abs(n) < {THRESHOLD}, NULL, {down}) AS released
    FROM ({parts}
    )
    WHERE kind IN ('own', 'money', 'plain') OR (kind = 'signed' AND district != {quoted(CITY)})"""
    together = released(
        f"SELECT {key}, district, assumeNotNull(n) AS n FROM ({parts}\n) WHERE kind = 'sum'"
        f" AND district != {quoted(CITY)}",
        key,
    )
    differences = f"""
    SELECT {key}, {quoted(CITY)} AS district, sum({down}) AS released
    FROM ({parts}
    )
    WHERE kind = 'signed' AND district != {quoted(CITY)}
    GROUP BY {key}
    HAVING abs(released) >= {THRESHOLD}"""
    both = f"""
    SELECT indicator, base, `window`, as_of, district,
        anyIf(released * days, part = 'top') AS shown_top,
        anyIf(released * days, part = 'bottom') AS shown_bottom
    FROM ({alone}
    UNION ALL
    {together}
    UNION ALL {differences}
    )
    GROUP BY indicator, base, `window`, as_of, district"""
    share, whole = _share_and_whole()
    half = f"{Z} * sqrt(share * (1 - share) / whole + {Z * Z / 4} / (whole * whole))"
    middle, shrink = f"(share + {Z * Z / 2} / whole)", f"(1 + {Z * Z} / whole)"
    low = f"greatest(0., ({middle} - {half}) / {shrink})"
    high = f"least(1., ({middle} + {half}) / {shrink})"
    # Rounded, since the last digits of a quotient tell which exact counts it was made from.
    return f"""SELECT indicator, base, district, `window`, as_of, {_LAST_DAY} AS known_on,
    if(hidden, NULL, shown_top) AS numerator,
    if(hidden, NULL, shown_bottom) AS denominator,
    if(hidden OR v IS NULL, NULL, multiIf(top = 'plain', v, form = 'fertility', round(v, 2),
        round(factor * shown_top / shown_bottom, 6))) AS value,
    round(multiIf(hidden OR v IS NULL, NULL, form = 'wilson', factor * ({low}),
        form = 'wilson_odds', factor * ({low}) / (1 - ({low})),
        form = 'garwood', factor / shown_bottom * {_poisson(-1)}, NULL), 6) AS low,
    round(multiIf(hidden OR v IS NULL, NULL, form = 'wilson', factor * ({high}),
        form = 'wilson_odds', factor * ({high}) / (1 - ({high})),
        form = 'garwood', factor / shown_bottom * {_poisson(1)}, NULL), 6) AS high,
    completeness, if(status = 'revised', 'final', toString(status)) AS status,
    if(hidden AND reason = '', 'small_count', toString(reason)) AS reason,
    toString(note) AS note, '' AS cause,
    toDateTime64(toStartOfDay(now('Asia/Shanghai')), 3, 'Asia/Shanghai') AS published_at
FROM
(
    SELECT r.indicator AS indicator, r.base AS base, r.district AS district,
        r.`window` AS `window`, r.as_of AS as_of, r.completeness AS completeness,
        r.status AS status, r.reason AS reason, r.note AS note, r.top AS top, r.form AS form,
        r.value AS v, r.value * r.denominator / r.numerator AS factor, r.days AS days,
        s.shown_top AS shown_top, s.shown_bottom AS shown_bottom,
        shown_top IS NULL OR shown_bottom IS NULL OR shown_bottom = 0
            OR (r.top = 'money' AND ifNull(r.stays, 0) < {FEWEST_STAYS})
            OR (r.form = 'fertility' AND r.numerator < {FEWEST_BIRTHS}) AS hidden,
        {share} AS share, {whole} AS whole
    FROM ({raw}
    ) AS r
    LEFT JOIN ({both}
    ) AS s
    ON r.indicator = s.indicator AND r.base = s.base AND r.`window` = s.`window`
        AND r.as_of = s.as_of AND r.district = s.district
)"""


def _share_and_whole() -> tuple[str, str]:
    """A proportion and its whole, of what is shown: rounded parts may make more than one."""
    part = "if(r.form = 'wilson', shown_bottom, shown_top + shown_bottom)"
    return f"least(1., shown_top / {part})", f"{part} / r.days"


def _poisson(sign: int) -> str:
    """An end of the Poisson interval of the shown numerator, by Wilson and Hilferty's cube."""
    n = "shown_top" if sign < 0 else "(shown_top + 1)"
    return f"{n} * pow(1 - 1 / (9 * {n}) + {sign * Z} / (3 * sqrt({n})), 3)"
