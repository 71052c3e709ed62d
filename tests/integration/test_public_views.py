"""The public views under attack: what can be learnt by setting published figures against others.

The attacker knows the rules, every published figure, and more than is published (which counts are
hidden for being small, and the rounded sum of the hidden ones). Integer programming then tells what
is still possible of each single count.
"""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime, timedelta

import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from consumers.store.client import Store
from consumers.store.public import COUNTED, STEP, STOCKS, THRESHOLD
from pipeline.catalogue.indicators import INDICATORS
from pipeline.indicators import local_today
from schemas.districts import CITY, INSIDE

DISTRICTS = sorted(INSIDE)
MEASURES = [m for m in COUNTED if m not in STOCKS and m not in ("arrivals", "departures")]
YEAR = 2020
MONTHS = [f"{YEAR}-{month:02d}" for month in range(1, 13)]
POSSIBLE = 9
"""What the rules promise: so many values in a row stay possible of every count."""

Table = dict[tuple[str, int], int]
"""(district, month 0–11) → count."""
Figures = dict[tuple[str, str], int | None]
"""(period, district) → published value."""


@pytest.fixture
def store(store: Store) -> Store:
    for table in ("cells", "readings"):
        store.command(f"TRUNCATE TABLE {table}")
    return store


def put(store: Store, measure: str, table: Table, known_on: date | None = None) -> None:
    rows = [
        (measure, district, date(YEAR, month + 1, 15), value)
        for (district, month), value in table.items()
    ]
    days = [row[2] for row in rows]
    store.insert(
        "cells",
        {
            "measure": [row[0] for row in rows],
            "district": [row[1] for row in rows],
            "day": days,
            "known_on": [known_on or day for day in days],
            "band": ["outside"] * len(rows),
            "value": [row[3] for row in rows],
            "version": [1] * len(rows),
        },
    )


def figures(store: Store, measure: str) -> Figures:
    rows = store.query(
        "SELECT period, district, value, suppressed FROM public_counts"
        " WHERE measure = {m:String} AND startsWith(period, {y:String})",
        {"m": measure, "y": str(YEAR)},
    )
    assert all((value is None) == suppressed for _, _, value, suppressed in rows)
    return {(period, district): value for period, district, value, _ in rows}


def random_table(rnd: random.Random) -> Table:
    """Tables of every kind: sparse, dense, and with the last digit at its worst."""
    style = rnd.choice(["sparse", "dense", "nines", "mixed", "lonely"])
    table = {}
    for place, district in enumerate(DISTRICTS):
        for month in range(12):
            table[district, month] = {
                "sparse": rnd.choice([0, 0, 1, 3, 9]),
                "dense": rnd.randrange(10, 60),
                "nines": rnd.choice([9, 19, 29, 109]),
                "mixed": rnd.choice([rnd.randrange(20), rnd.randrange(200)]),
                "lonely": rnd.randrange(20, 90) if place else rnd.randrange(10),
            }[style]
    return table


class Attacker:
    """What is known of one measure's months, as bounds of single counts and of sums of them."""

    def __init__(self, table: Table, seen: Figures) -> None:
        self.table, self.seen = table, seen
        self.places = {cell: i for i, cell in enumerate(sorted(table))}
        self.low, self.high = [0.0] * len(table), [10_000.0] * len(table)
        self.rows: list[list[float]] = []
        self.sums: list[tuple[float, float]] = []
        for month, period in enumerate(MONTHS):
            for district in DISTRICTS:
                place = self.places[district, month]
                self.low[place], self.high[place] = self._single(district, month, period)
            self._hidden_ones(month, period)
        for district in DISTRICTS:
            self._year(district)

    def _shown(self, period: str) -> list[int]:
        return [v for d in DISTRICTS if (v := self.seen[period, d]) is not None]

    def _single(self, district: str, month: int, period: str) -> tuple[float, float]:
        shown = self.seen[period, district]
        if shown is not None:
            return shown, shown + STEP - 1
        if self.table[district, month] < THRESHOLD:  # told to the attacker
            return 0, THRESHOLD - 1
        return THRESHOLD, min(self._shown(period)) + STEP - 1

    def _line(self, cells: list[tuple[str, int]], least: float, most: float) -> None:
        held = {self.places[cell] for cell in cells}
        self.rows.append([float(place in held) for place in range(len(self.places))])
        self.sums.append((least, most))

    def _hidden_ones(self, month: int, period: str) -> None:
        hidden = [d for d in DISTRICTS if self.seen[period, d] is None]
        if not hidden:
            return
        pool = sum(self.table[d, month] for d in hidden) // STEP * STEP
        cap = (THRESHOLD - 1) * (len(hidden) - 1) // STEP * STEP
        if any(self.table[d, month] >= THRESHOLD for d in hidden):
            cap = min(self._shown(period))
        most = pool + STEP - 1 if pool < cap else math.inf
        self._line([(d, month) for d in hidden], min(pool, cap), most)

    def _year(self, district: str) -> None:
        cells = [(district, month) for month in range(12)]
        year = self.seen[str(YEAR), district]
        if year is not None:
            self._line(cells, year, year + STEP - 1)
        elif sum(self.table[cell] for cell in cells) < THRESHOLD:  # told to the attacker
            self._line(cells, 0, THRESHOLD - 1)

    def possible(self, cell: tuple[str, int]) -> int:
        """From the least to the greatest value that the count may have."""
        ends = []
        for sign in (1, -1):
            result = milp(
                [sign * float(place == self.places[cell]) for place in self.places.values()],
                constraints=LinearConstraint(self.rows, *zip(*self.sums, strict=True)),
                bounds=Bounds(self.low, self.high),
                integrality=[1] * len(self.places),
            )
            assert result.success
            ends.append(round(sign * result.fun))
        assert ends[0] <= self.table[cell] <= ends[1], "the attacker is told the truth"
        return ends[1] - ends[0] + 1


@pytest.mark.parametrize("seed", range(2))
def test_no_count_can_be_found_from_all_that_is_published(store: Store, seed: int) -> None:
    rnd = random.Random(seed)
    tables = {measure: random_table(rnd) for measure in rnd.sample(MEASURES, 3)}
    worst = dict.fromkeys(tables[next(iter(tables))], 19)
    tables[next(iter(tables))] = worst
    for measure, table in tables.items():
        put(store, measure, table)
    for measure, table in tables.items():
        attacker = Attacker(table, figures(store, measure))
        for cell in rnd.sample(sorted(table), 8):
            assert attacker.possible(cell) >= POSSIBLE, (measure, cell)


def test_small_counts_and_a_lonely_one_beside_them_are_suppressed(store: Store) -> None:
    put(store, "births", {(d, 2): 40 + i for i, d in enumerate(DISTRICTS)})
    seen = figures(store, "births")
    assert seen["2020-03", CITY] == 440  # 445 people in ten districts: 440 and ten times 4.5
    assert {seen["2020-03", d] for d in DISTRICTS} == {40}
    assert seen["2020", CITY] == 440
    assert {seen["2020-04", d] for d in (*DISTRICTS, CITY)} == {None}
    put(store, "deaths", {(d, 2): (7 if i == 3 else 40 + i) for i, d in enumerate(DISTRICTS)})
    seen = figures(store, "deaths")
    hidden = {d for d in DISTRICTS if seen["2020-03", d] is None}
    assert hidden == {DISTRICTS[0], DISTRICTS[3]}, "the small one, and the next smallest"
    city = seen["2020-03", CITY]
    assert city is not None
    assert city - 8 * 40 != 7 + 40


def test_a_count_of_zero_is_as_secret_as_one_of_nine(store: Store) -> None:
    put(store, "births", {(DISTRICTS[0], 0): 9, (DISTRICTS[1], 0): 50, (DISTRICTS[2], 0): 60})
    nine = figures(store, "births")
    store.command("TRUNCATE TABLE cells")
    put(store, "births", {(DISTRICTS[1], 0): 50, (DISTRICTS[2], 0): 60})
    assert figures(store, "births") == nine


def test_figures_move_in_steps_of_ten(store: Store) -> None:
    """Twenty-five babies one after the other: an onlooker sees two steps in a district."""
    others = {(d, 5): 33 for d in DISTRICTS[1:]}
    put(store, "births", others)
    seen = []
    for number in range(1, 26):
        table = {(DISTRICTS[0], 5): number}
        store.command(
            "ALTER TABLE cells DELETE WHERE district = '320505' SETTINGS mutations_sync=1"
        )
        put(store, "births", table)
        found = figures(store, "births")
        seen.append((found["2020-06", DISTRICTS[0]], found["2020-06", CITY]))
    assert [row[0] for row in seen] == [None] * 9 + [10] * 10 + [20] * 6
    city = [row[1] for row in seen]
    assert all(value is not None and value % STEP == 0 for value in city)
    assert len(set(city)) <= 4


def test_what_becomes_known_today_waits_for_tomorrow(store: Store) -> None:
    put(store, "births", {(d, 0): 25 for d in DISTRICTS}, local_today())
    assert set(figures(store, "births").values()) <= {None}
    put(store, "births", {(d, 0): 25 for d in DISTRICTS}, local_today() - timedelta(days=2))
    assert figures(store, "births")["2020-01", DISTRICTS[0]] == 20


def test_states_are_those_at_the_end_of_the_period(store: Store) -> None:
    put(store, "migrants_known", {(d, 0): 100 for d in DISTRICTS})
    put(store, "migrants_known", {(d, 3): -35 for d in DISTRICTS})
    seen = figures(store, "migrants_known")
    assert [seen[m, DISTRICTS[0]] for m in MONTHS[:5]] == [100, 100, 100, 60, 60]
    assert seen["2020", DISTRICTS[0]] == 60
    assert seen["2020-02", CITY] == 1040


def test_moves_within_the_city_are_in_no_public_count(store: Store) -> None:
    store.insert(
        "cells",
        {"measure": ["arrivals"] * 2, "district": [DISTRICTS[0]] * 2, "band": ["outside", "within"],
         "day": [date(YEAR, 1, 1)] * 2, "known_on": [date(YEAR, 1, 1)] * 2, "value": [30, 500],
         "version": [1, 1]},
    )  # fmt: skip
    assert figures(store, "arrivals")["2020", DISTRICTS[0]] == 30


# -- indicators


def day_before(weekday: int) -> date:
    """The last such day (ISO, 7: Sunday) before today."""
    day = local_today() - timedelta(days=1)
    while day.isoweekday() != weekday:
        day -= timedelta(days=1)
    return day


def read(store: Store, **where: object) -> list[dict[str, object]]:
    names = store.query("DESCRIBE TABLE public_indicators")
    rows = store.query(
        "SELECT * FROM public_indicators WHERE indicator = {i:String} ORDER BY as_of, district",
        {"i": where["indicator"]},
    )
    return [dict(zip([name[0] for name in names], row, strict=True)) for row in rows]


def publish(
    store: Store, indicator: str, window: str, as_of: date, tops: dict[str, float],
    bottoms: dict[str, float] | float, factor: float = 100.0, **more: object,
) -> None:  # fmt: skip
    places = list(tops)
    below = [bottoms if isinstance(bottoms, float) else bottoms[d] for d in places]
    row = {
        "indicator": indicator, "base": "", "district": places, "window": window, "as_of": as_of,
        "known_on": local_today(), "numerator": list(tops.values()), "denominator": below,
        "value": [factor * t / b for t, b in zip(tops.values(), below, strict=True)],
        "low": 1.0, "high": 2.0, "completeness": 0.5, "status": "revised", "reason": "",
        "note": "", "cause": "events: births", "published_at": datetime.now(UTC), **more,
    }  # fmt: skip
    size = len(places)
    store.insert("readings", {k: v if isinstance(v, list) else [v] * size for k, v in row.items()})


def test_columns_are_those_of_the_view_indicators(store: Store) -> None:
    def columns(view: str) -> list[str]:
        return [row[0] for row in store.query(f"DESCRIBE TABLE {view}")]

    assert columns("public_indicators") == columns("indicators")


def test_a_ratio_is_made_of_what_is_shown(store: Store) -> None:
    """An exact ratio, or its interval, would tell the exact counts behind it."""
    sunday = day_before(7)
    boys = {d: 57.0 + i for i, d in enumerate(DISTRICTS)}
    girls = {d: 48.0 + i for i, d in enumerate(DISTRICTS)}
    boys[CITY], girls[CITY] = sum(boys.values()), sum(girls.values())
    publish(store, "sex_ratio_at_birth", "28d", sunday, boys, girls)
    rows = {row["district"]: row for row in read(store, indicator="sex_ratio_at_birth")}
    first = rows[DISTRICTS[0]]
    assert (first["numerator"], first["denominator"]) == (50.0, 40.0)
    assert first["value"] == pytest.approx(125.0)
    assert first["low"] < 125.0 < first["high"]
    assert (first["low"], first["high"]) != (1.0, 2.0)
    city = rows[CITY]
    assert abs(city["numerator"] - boys[CITY]) <= 50
    assert city["numerator"] % STEP == 0
    shown = (first["status"], first["cause"], first["published_at"].hour, first["known_on"])
    assert shown == ("final", "", 0, local_today() - timedelta(days=1))


def test_small_parts_hide_all_five_figures_and_a_second_district(store: Store) -> None:
    sunday = day_before(7)
    tops = dict.fromkeys(DISTRICTS, 30.0) | {DISTRICTS[4]: 4.0}
    tops[CITY] = sum(tops.values())
    bottoms = dict.fromkeys(DISTRICTS, 1000.0) | {CITY: 10_000.0}
    publish(store, "infant_mortality", "364d", sunday, tops, bottoms, 1000.0)
    rows = {row["district"]: row for row in read(store, indicator="infant_mortality")}
    hidden = {d for d in DISTRICTS if rows[d]["value"] is None}
    assert hidden == {DISTRICTS[0], DISTRICTS[4]}
    for district in hidden:
        five = ("numerator", "denominator", "value", "low", "high")
        assert [rows[district][name] for name in five] == [None] * 5
        assert rows[district]["reason"] == "small_count"
    assert rows[CITY]["value"] is not None
    others = sum(rows[d]["numerator"] for d in DISTRICTS if d not in hidden)
    assert rows[CITY]["numerator"] - others not in (34.0, 4.0)
    low, high = rows[DISTRICTS[1]]["low"], rows[DISTRICTS[1]]["high"]
    assert (low, high) == pytest.approx((20.24, 42.83), abs=0.05)  # Garwood of 30 in 1,000


def test_windows_are_shown_once_a_week_or_month_and_never_day_by_day(store: Store) -> None:
    """The difference of two windows a day apart is one day's babies."""
    today = local_today()
    days = [today - timedelta(days=back) for back in range(70)]
    for day in days:
        for window in ("28d", "91d", "year"):
            publish(store, "birth_rate", window, day, {DISTRICTS[0]: 500.0}, 1e6)
    seen = {(row["window"], row["as_of"]) for row in read(store, indicator="birth_rate")}
    month_ends = {d for d in days if (d + timedelta(days=1)).day == 1}
    sundays = {d for d in days if d.isoweekday() == 7}
    released = (month_ends | sundays) - {today}
    assert {day for window, day in seen if window == "28d"} == released
    assert {day for window, day in seen if window == "year"} == month_ends - {today}


def test_one_more_event_changes_nothing_that_is_shown(store: Store) -> None:
    """Not the time of publication, nor its cause, nor the day on which it became known."""
    sunday = day_before(7)
    places = dict.fromkeys(DISTRICTS, 41.0) | {CITY: 410.0}
    publish(store, "death_rate", "28d", sunday, places, 1e5, 1000.0)
    before = store.query("SELECT * FROM public_indicators")
    more = places | {DISTRICTS[3]: 42.0, CITY: 411.0}
    publish(store, "death_rate", "28d", sunday, more, 1e5, 1000.0, cause="events: deaths",
            known_on=local_today() + timedelta(days=1))  # fmt: skip
    after = store.query("SELECT * FROM public_indicators")
    assert len(before) == 11
    assert before == after


def test_every_indicator_has_a_rule_and_none_shows_an_exact_count(store: Store) -> None:
    sunday = day_before(7)
    places = {d: 1234.0 + i for i, d in enumerate(DISTRICTS)} | {CITY: 12_385.0}
    for key, entry in INDICATORS.items():
        publish(store, key, entry.windows[0], sunday, places, 98_765.0)
    rows = store.query("SELECT indicator, numerator, denominator, district FROM public_indicators")
    facts = {key for key, entry in INDICATORS.items() if type(entry.numerator).__name__ == "Fact"}
    assert {row[0] for row in rows} == set(INDICATORS)
    for indicator, top, bottom, district in rows:
        if indicator in facts or top is None:
            continue
        assert top not in (1234.0, 12_385.0), indicator
        assert top % 10 == 0, indicator
        if type(INDICATORS[indicator].denominator).__name__ != "One":
            assert bottom % 10 == 0, (indicator, district)
