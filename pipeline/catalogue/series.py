"""The sums over cells that a statement needs, each once: one array over windows for each area."""

# ruff: noqa: S608 - all that is put into a statement is the catalogue's own.

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.catalogue.model import Between, Count, Fact, Indicator, Stock
from pipeline.catalogue.selection import Selection
from schemas.districts import CITY, INSIDE

AS_OF = "toInt32({as_of:Date32})"
KNOWN = "known_on <= {known_on:Date32}"
YEAR = "toYear({as_of:Date32})"
TWELVE_MONTHS = f"({AS_OF} - toInt32(addYears({{as_of:Date32}}, -1)))"
LONGEST = 366
"""No window has more days."""
_LONG_AGO = -1_000_000
"""The day of a baseline's people: before every window."""
_NEWEST = "newest[2]"
_IS_NEWEST = "(toInt32(as_of), toInt32(known_on)) = (newest[2], newest[3])"
_IS_EARLIER = "(toInt32(as_of), toInt32(known_on)) = (earlier[2], earlier[3])"


def quoted(text: str) -> str:
    """A constant of the catalogue as SQL spells it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def listed(texts: Iterable[str]) -> str:
    """Constants as a list."""
    return ", ".join(quoted(text) for text in texts)


def lengths(windows: Sequence[str]) -> list[str]:
    """How many days each window has."""
    calendar = {
        "year": f"{AS_OF} - toInt32(makeDate32({YEAR}, 1, 1)) + 1",
        "mcyear": f"{AS_OF} - toInt32(makeDate32({YEAR} - (toMonth({{as_of:Date32}}) < 10),"
        " 10, 1)) + 1",
    }
    return [f"({calendar.get(window) or window[:-1]})" for window in windows]


class Series:
    """Columns of one statement, named when they are first asked for.

    Attributes:
        windows: of the arrays.
        flows: what the columns of counts are of, with their base.
        stocks: likewise of stocks, with their conventions (rolling, calendar).
        scatter: likewise of the sums of squares and products over days.
    """

    def __init__(self, selection: Selection, known: str = KNOWN) -> None:
        """Begin a statement.

        Args:
            selection: what is asked for.
            known: which cells are looked at, by the day they became known.
        """
        self._known = known
        self.windows = selection.windows
        self._areas = selection.areas
        self._lengths = lengths(selection.windows)
        self.flows: dict[str, tuple[Count, str]] = {}
        self.stocks: dict[str, tuple[Stock, str, tuple[str, str]]] = {}
        self.scatter: dict[str, tuple[Count, Count, str]] = {}
        self._flows: dict[str, str] = {}
        self._flow_measures: set[str] = set()
        self._stocks: dict[str, str] = {}
        self._stock_measures: set[str] = set()
        self._weights: dict[tuple[str, str], str] = {}
        self._moments: dict[tuple[str, str], str] = {}
        self._moment_measures: set[str] = set()
        self._between = False

    def flow(self, count: Count, base: str) -> str:
        """The column of a count."""
        self._flow_measures.add(count.measure)
        name = self._flows.setdefault(_condition(count, base), f"f{len(self._flows)}")
        self.flows.setdefault(name, (count, base))
        return name

    def stock(self, stock: Stock, base: str, entry: Indicator) -> str:
        """The column of a stock, summed as the entry's conventions say."""
        measures = stock.measures(base)
        self._stock_measures |= set(measures)
        conditions = [f"measure IN ({listed(measures)})"]
        if stock.sex:
            conditions.append(f"sex = {quoted(stock.sex)}")
        if stock.ages:
            first, last = stock.ages
            conditions.append(
                f"age >= {first}" if last is None else f"age BETWEEN {first} AND {last}"
            )
        conventions = (entry.rolling, entry.calendar)
        weight = self._weights.setdefault(conventions, f"w{len(self._weights)}")
        if stock.urban:
            weight = f"arrayMap(x -> x * facts[concat('urban_class|', district)], {weight})"
        made = f"sumForEachIf({weight}, {' AND '.join(conditions)})"
        name = self._stocks.setdefault(made, f"s{len(self._stocks)}")
        self.stocks.setdefault(name, (stock, base, conventions))
        return name

    def moments(self, y: Count, x: Count, base: str) -> str:
        """The column of Σy², Σxy and Σx² over days."""
        self._moment_measures |= {y.measure, x.measure}
        pair = (_condition(y, base), _condition(x, base))
        name = self._moments.setdefault(pair, f"m{len(self._moments)}")
        self.scatter.setdefault(name, (y, x, base))
        return name

    def balance(self, part: str) -> str:
        """The column of a part of the balance between the two newest baselines."""
        self._between = True
        return part

    def between(self, part: str) -> str:
        """The same as an array, equal in every window."""
        self._between = True
        return f"[{', '.join([part] * len(self.windows))}]"

    def relation(self) -> str:
        """All columns by area: ``area`` and what was asked for."""
        empty = f"SELECT arrayJoin([{listed(self._areas)}]) AS area"
        parts = [f"({empty}) AS areas"]
        parts += [
            f"LEFT JOIN ({sql}) AS {name} ON areas.area = {name}.area"
            for name, sql in (
                ("flows", self._flow_areas()),
                ("stocks", self._stock_areas()),
                ("scatter", self._moment_areas()),
                ("balance", self._balance_areas()),
            )
            if sql
        ]
        width = len(self.windows)
        arrays = [*self._flows.values(), *self._stocks.values()]
        columns = [f"arrayResize({name}, {width}) AS {name}" for name in arrays]
        columns += [
            f"arrayResize({name}_{part}, {width}) AS {name}_{part}"
            for name in self._moments.values()
            for part in ("yy", "xy", "xx")
        ]
        if self._between:
            columns += ["residual", "increase", "mean"]
        return f"SELECT {', '.join(['areas.area AS area', *columns])} FROM {' '.join(parts)}"

    def _flow_areas(self) -> str:
        if not self._flows:
            return ""
        columns = [f"sumForEachIf(w, {on}) AS {name}" for on, name in self._flows.items()]
        weights = [f"sumIf(value, toInt32(day) > {AS_OF} - {n})" for n in self._lengths]
        return f"""SELECT area, {", ".join(columns)}
        FROM (
            SELECT district, measure, residency, sex, band, [{", ".join(weights)}] AS w
            FROM population.cells FINAL
            WHERE {self._recent(self._flow_measures)}
            GROUP BY district, measure, residency, sex, band
        ) {self._areas_of_districts()} GROUP BY area"""

    def _recent(self, measures: set[str]) -> str:
        """The cells of the longest window."""
        return (
            f"measure IN ({listed(sorted(measures))}) AND {self._known} AND day <= {{as_of:Date32}}"
            f" AND day > {{as_of:Date32}} - {LONGEST}{self._places()}"
        )

    def _stock_areas(self) -> str:
        if not self._stocks:
            return ""
        columns = [f"{made} AS {name}" for made, name in self._stocks.items()]
        weights = [f"{self._weighted(pair)} AS {name}" for pair, name in self._weights.items()]
        changes = []
        migrants = sorted(self._stock_measures - {"population"})
        if migrants:
            changes.append(
                "SELECT district, measure, sex, -1 AS age, toInt32(day) AS d, value AS v, 0 AS g"
                " FROM population.cells FINAL"
                f" WHERE measure IN ({listed(migrants)}) AND {self._known}"
                f" AND day <= {{as_of:Date32}}{self._places()}"
            )
        if "population" in self._stock_measures:
            age = (
                f"if(toInt32OrZero(toString(band)) = 0, -1, {YEAR} - toInt32OrZero(toString(band)))"
            )
            changes.append(
                f"SELECT district, measure, sex, {age} AS age, toInt32(day) AS d, value AS v,"
                f" toInt32(d <= {_NEWEST}) AS g"
                f" FROM population.cells FINAL WHERE measure = 'population' AND {self._known}"
                f" AND toInt32(day) > least({_NEWEST}, {AS_OF} - {LONGEST})"
                f" AND toInt32(day) <= greatest({_NEWEST}, {AS_OF}){self._places()}"
            )
            changes.append(
                f"SELECT district, 'population' AS measure, sex, {YEAR} - birth_year AS age,"
                f" {_LONG_AGO} AS d, value AS v, 0 AS g FROM population.baseline"
                f" WHERE {_IS_NEWEST}{self._places()}"
            )
        return f"""SELECT area, {", ".join(columns)}
        FROM (
            SELECT district, measure, sex, age, {", ".join(weights)}
            FROM ({" UNION ALL ".join(changes)})
            GROUP BY district, measure, sex, age
        ) {self._areas_of_districts()} GROUP BY area"""

    def _weighted(self, conventions: tuple[str, str]) -> str:
        """A stock over each window, as an array."""
        places = range(len(self.windows))
        sums = [f"sum(v * ({self._weight(conventions, place)}))" for place in places]
        return f"[{', '.join(sums)}]"

    def _weight(self, conventions: tuple[str, str], place: int) -> str:
        """How often a change of day d is felt in a window; one up to the baseline never is."""
        convention = conventions[self.windows[place] in ("year", "mcyear")]
        length = self._lengths[place]
        return {
            "person_days": f"greatest(0, least({length}, {AS_OF} - d + 1)) - {length} * g",
            "mean_of_ends": f"(d <= {AS_OF} - {length}) + (d <= {AS_OF}) - 2 * g",
            "end": f"(d <= {AS_OF}) - g",
            "start": f"(d <= {AS_OF} - {length}) - g",
        }[convention]

    def _moment_areas(self) -> str:
        if not self._moments:
            return ""
        columns = []
        for name in self._moments.values():
            for part in ("yy", "xy", "xx"):
                product = " * ".join(f"toFloat64({name}{factor})" for factor in part)
                sums = [f"sumIf({product}, d > {AS_OF} - {n})" for n in self._lengths]
                columns.append(f"[{', '.join(sums)}] AS {name}_{part}")
        return f"SELECT area, {', '.join(columns)} FROM ({self.daily()}) GROUP BY area"

    def daily(self) -> str:
        """What the sums of squares and products are made of: ``y`` and ``x`` by area and day.

        Columns: area, d (days since 1970), then both of each column by name.
        """
        daily = [
            f"sumIf(value, {on}) AS {name}{factor}"
            for pair, name in self._moments.items()
            for on, factor in zip(pair, "yx", strict=True)
        ]
        return f"""SELECT area, toInt32(day) AS d, {", ".join(daily)}
            FROM (
                SELECT day, district, measure, residency, sex, band, value
                FROM population.cells FINAL WHERE {self._recent(self._moment_measures)}
            ) {self._areas_of_districts()} GROUP BY area, d"""

    def _balance_areas(self) -> str:
        if not self._between:
            return ""
        inside = "toInt32(day) > earlier[2] AND toInt32(day) <= newest[2]"
        return f"""SELECT area, sum(r) AS residual, sum(i) AS increase, sum(b) AS mean
        FROM (
            SELECT district, if(newest_one, value, -value) AS r, r AS i, value AS b,
                {_IS_NEWEST} AS newest_one
            FROM population.baseline
            WHERE ({_IS_NEWEST} OR {_IS_EARLIER}){self._places()}
            UNION ALL
            SELECT district, -value AS r, 0 AS i, 0 AS b, 0 AS newest_one
            FROM population.cells FINAL
            WHERE measure = 'population' AND {self._known} AND {inside}{self._places()}
        ) {self._areas_of_districts()} GROUP BY area"""

    def _areas_of_districts(self) -> str:
        return (
            f"ARRAY JOIN arrayFilter(x -> has([{listed(self._areas)}], x),"
            f" [toString(district), {quoted(CITY)}]) AS area"
        )

    def _places(self) -> str:
        """Only the districts asked for; the city needs all."""
        if CITY in self._areas:
            return ""
        return f" AND district IN ({listed(self._areas)})"

    def statement(self) -> str:
        """The columns of each area, and what is looked up once, as one statement.

        Columns: area, newest, earlier, facts (see :meth:`context`), then the columns by name.
        """
        return f"""WITH
{self.context()}
SELECT newest, earlier, facts, r.* FROM ({self.relation()}) AS r"""

    def context(self) -> str:
        """What is looked up once: the baselines that serve, and the reference facts."""
        return f"""    (
        SELECT [toInt32(count()), argMax(toInt32(as_of), (known_on, as_of)), toInt32(max(known_on))]
        FROM population.baseline WHERE {KNOWN}
    ) AS newest,
    (
        SELECT [toInt32(count()), toInt32(max(as_of)), argMax(toInt32(known_on), (as_of, known_on))]
        FROM population.baseline WHERE {KNOWN} AND toInt32(as_of) < newest[2]
    ) AS earlier,
    (
        SELECT mapFromArrays(groupArray(name), groupArray(top)) FROM (
            SELECT concat(indicator, '|', district) AS name,
                argMax(toInt64(value * 1000000), (as_of, known_on)) AS top
            FROM population.reference
            WHERE {KNOWN} AND as_of <= {{as_of:Date32}} GROUP BY name
        )
    ) AS facts"""


def missing(entry: Indicator, base: str) -> str:
    """The code of what an entry lacks in an area, as SQL."""
    terms = (entry.numerator, entry.denominator)
    checks = []
    if any(isinstance(term, Stock) and term.needs_baseline(base) for term in terms):
        checks.append("newest[1] = 0, 'no_baseline'")
    if any(isinstance(term, Between) for term in terms):
        checks += ["newest[1] = 0, 'no_baseline'", "earlier[1] = 0, 'no_earlier_baseline'"]
    if any(isinstance(term, Stock) and term.urban for term in terms):
        places = listed(sorted(INSIDE))
        checks.append(
            f"arrayExists(x -> NOT mapContains(facts, concat('urban_class|', x)),"
            f" if(area = {quoted(CITY)}, [{places}], [area])), 'no_reference'"
        )
    if any(isinstance(term, Fact) for term in terms):
        checks.append(
            f"NOT mapContains(facts, concat({quoted(entry.key + '|')}, area)), 'no_reference'"
        )
    return f"multiIf({', '.join(checks)}, '')" if checks else "''"


def _condition(count: Count, base: str) -> str:
    """Which cells a count is of."""
    conditions = [f"measure = {quoted(count.measure)}"]
    if base or count.residency:
        conditions.append(f"residency IN ({listed(count.residencies(base))})")
    if count.sex:
        conditions.append(f"sex = {quoted(count.sex)}")
    if count.bands:
        conditions.append(f"band IN ({listed(count.bands)})")
    if count.border:
        conditions.append(f"(area != {quoted(CITY)} OR band = 'outside')")
    return " AND ".join(conditions)
