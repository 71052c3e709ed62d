"""Verdicts, slopes and the mid-term evaluation, each by a case that was computed by hand."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction

import pytest

from pipeline.catalogue.targets import COMPARATORS, TARGETS
from pipeline.core.rates import Z
from pipeline.core.scorecard import (
    Band,
    Figure,
    Outlook,
    Point,
    Verdict,
    accepted,
    covered_since,
    is_towards,
    judge,
    most_births,
    outlook,
    printed_start,
    slope,
)

F = Fraction
NOTHING = Band()
BANDS = [
    # comparator, figure or range, 2015; what is accepted
    ("<=", 14, 14, 10, Band(high=F(14))),
    (">=", 99, 99, None, Band(low=F(99))),
    ("within", 103, 107, None, Band(F(103), F(107))),
    # 5 % of 80 is 4, a quarter of the way from 74.9 is 1.275
    ("~=", 80, 80, "74.9", Band(F("78.725"), F("81.275"))),
    # 5 % of 1.6 is nearer than a quarter of the way from a tenth
    ("~=", "1.6", "1.6", "0.1", Band(F("1.52"), F("1.68"))),
    ("~=", 5, 5, None, Band(F("4.75"), F("5.25"))),
    ("watch", None, None, None, NOTHING),
]
MOST, LEAST, RANGE = Band(high=F(14)), Band(low=F(99)), Band(F(103), F(107))
VERDICTS = [
    # what is shown: band, (value, low, high, completeness); outcome, why
    ("all below a limit", MOST, (10, 9, 11, None), ("met", "inside")),
    ("the limit itself is met", MOST, (14, 13, 14, None), ("met", "inside")),
    ("the interval straddles", MOST, (10, 9, 14.1, None), ("cannot_tell", "straddles")),
    ("all above", MOST, (16, 14.1, 18, None), ("not_met", "above")),
    ("all below a floor", LEAST, (97, 96, 98.9, None), ("not_met", "below")),
    ("the floor itself", LEAST, (99, None, None, None), ("met", "inside")),
    ("a full count has no interval", LEAST, (98, None, None, None), ("not_met", "below")),
    ("in a range", RANGE, (105, 103, 107, None), ("met", "inside")),
    (
        "wider than a range on both sides",
        RANGE,
        (105, 100, 110, None),
        ("cannot_tell", "straddles"),
    ),
    ("above a range", RANGE, (113, 110, 116, None), ("not_met", "above")),
    ("below a range", RANGE, (99, 98, 100, None), ("not_met", "below")),
    # 12.6 ÷ 0.9 is 14: met with room for what is missing; a little more is not
    ("room for what is missing", MOST, (12, 11, 12.6, 0.9), ("met", "inside")),
    ("no room for it", MOST, (12, 11, 12.7, 0.9), ("cannot_tell", "incomplete")),
    ("missing, and straddling anyway", MOST, (12, 11, 14.5, 0.9), ("cannot_tell", "straddles")),
    ("as good as complete", MOST, (13.9, 13.8, 13.95, 0.995), ("met", "inside")),
    ("nothing is known yet", MOST, (0, 0, 1, 0.0), ("cannot_tell", "incomplete")),
    # what is missing may be in the denominator: 16 × 0.8 is below 14
    ("too much, but half told", MOST, (17, 16, 18, 0.8), ("cannot_tell", "incomplete")),
    ("nothing is asked", NOTHING, (10, 9, 11, None), ("watched", "no_target")),
]


@pytest.mark.parametrize(("comparator", "low", "high", "start", "band"), BANDS)
def test_what_is_accepted(
    comparator: str, low: object, high: object, start: object, band: Band
) -> None:
    made = [None if end is None else F(str(end)) for end in (low, high, start)]
    assert accepted(comparator, *made) == band


def test_every_comparator_of_the_plan_has_a_case() -> None:
    assert {case[0] for case in BANDS} == set(COMPARATORS)
    for target in TARGETS:
        band = accepted(target.comparator, target.low, target.high, printed_start(target.baseline))
        assert band.free == (target.comparator == "watch")


@pytest.mark.parametrize(
    ("printed", "start"),
    [("10616000", 10_616_000), ("74.9", "74.9"), ("<=10", None), (">99", None), ("", None)],
)
def test_figure_of_2015(printed: str, start: object) -> None:
    assert printed_start(printed) == (None if start is None else F(str(start)))


@pytest.mark.parametrize(
    ("band", "figure", "verdict"),
    [pytest.param(*case[1:], id=case[0]) for case in VERDICTS],
)
def test_verdict(
    band: Band, figure: tuple[float, float | None, float | None, float | None], verdict: object
) -> None:
    value, *others = figure
    assert judge(Figure(F(str(value)), *others), band) == Verdict(*verdict)  # type: ignore[misc]


def test_without_a_value_nobody_can_tell() -> None:
    assert judge(Figure(None, reason="no_baseline"), MOST) == Verdict("cannot_tell", "no_baseline")
    assert judge(Figure(None), NOTHING) == Verdict("watched", "no_target")
    unreliable = Figure(F(105), 104, 106, unreliable=True)
    assert judge(unreliable, RANGE) == Verdict("cannot_tell", "unreliable")


def test_a_range_is_moved_towards() -> None:
    above = Figure(F(113), 112, 114)
    assert judge(above, RANGE, towards=True) == Verdict("cannot_tell", "approaching")
    falling = slope([_point(2016, 115, 0.1), _point(2017, 113, 0.1)])
    rising = slope([_point(2016, 111, 0.1), _point(2017, 113, 0.1)])
    unclear = slope([_point(2016, 114, 3), _point(2017, 113, 3)])
    assert is_towards(RANGE, F(113), falling)
    assert not is_towards(RANGE, F(113), rising)
    assert not is_towards(RANGE, F(113), unclear)
    assert not is_towards(RANGE, F(113), None)
    assert not is_towards(RANGE, F(105), falling)
    assert is_towards(RANGE, F(99), rising)


def _point(year: int, value: float, half: float | None = None) -> Point:
    ends = (None, None) if half is None else (value - half, value + half)
    return Point(date(year, 12, 31), F(str(value)), *ends)


def test_slope_of_three_years() -> None:
    """Days 0, 365, 730: the middle one adds nothing; 2 in 730 days are 2 × 365.25 ÷ 730 a year."""
    found = slope([_point(2013, 10), _point(2014, 20), _point(2015, 12)])
    assert found is not None
    assert found.a_year == F(2) * F(1461, 4) / 730
    assert (found.low, found.high) == (float(found.a_year),) * 2
    assert found.direction == "up"


def test_slope_carries_the_chance_of_its_points() -> None:
    """Two points a time apart: the deviations add in squares."""
    found = slope([_point(2014, 10, 3), _point(2015, 14, 4)])
    assert found is not None
    years = 365 / 365.25
    assert found.high - float(found.a_year) == pytest.approx(5 / years)
    assert found.direction == "level"
    assert slope([_point(2014, 10, 1), _point(2015, 4, 1)]).direction == "down"  # type: ignore[union-attr]


def test_no_slope_of_one_day() -> None:
    assert slope([]) is None
    assert slope([_point(2015, 10)]) is None
    assert slope([_point(2015, 10), _point(2015, 11)]) is None


AS_OF = date(2018, 12, 31)
LEFT = F(731) * F(4, 1461)
"""731 days until the end of 2020."""


def test_what_is_still_needed() -> None:
    """16 births per thousand, at most 14: two less in two years."""
    points = [_point(2017, 17, 0.1), _point(2018, 16, 0.1)]
    found = outlook(Figure(F(16), 15.9, 16.1), MOST, points, AS_OF)
    assert found.years_left == LEFT
    assert found.needed == F(-2) / LEFT
    # one less in 365 days: 16 − 731/365
    assert found.projected == F(16) - F(731, 365)
    # both deviations, with what each point adds to the end: 1 + 731/365 and −731/365
    far, near = 731 / 365, 1 + 731 / 365
    assert found.high is not None
    assert found.high - float(found.projected) == pytest.approx(0.1 * math.hypot(near, far))
    assert found.course == "cannot_tell", "13.997 and a third of a point either way"


@pytest.mark.parametrize(
    ("values", "course"),
    [((18, 16), "on_course"), ((16, 16), "off_course"), ((12, 13.4), "off_course")],
)
def test_course(values: tuple[float, float], course: str) -> None:
    points = [_point(2017, values[0], 0.1), _point(2018, values[1], 0.1)]
    figure = Figure(points[-1].value, points[-1].low, points[-1].high)
    assert outlook(figure, MOST, points, AS_OF).course == course


def test_nothing_is_needed_inside() -> None:
    points = [_point(2017, 9, 0.1), _point(2018, 10, 0.1)]
    found = outlook(Figure(F(10), 9.9, 10.1), MOST, points, AS_OF)
    assert (found.needed, found.course) == (0, "on_course")


def test_no_outlook_without_target_time_or_trend() -> None:
    points = [_point(2017, 17), _point(2018, 16)]
    figure = Figure(F(16))
    none = (None, None, None, None)
    assert outlook(figure, NOTHING, points, AS_OF) == Outlook(LEFT, *none, "watched")
    assert outlook(figure, MOST, points, date(2020, 12, 31)) == Outlook(F(0), *none, "over")
    assert outlook(figure, MOST, points, date(2026, 1, 1)) == Outlook(F(0), *none, "over")
    needed = F(-2) / LEFT
    assert outlook(figure, MOST, points[1:], AS_OF) == Outlook(
        LEFT, needed, None, None, None, "cannot_tell"
    )
    assert outlook(Figure(None), MOST, [], AS_OF).needed is None


def test_a_rate_never_leads_below_nothing() -> None:
    points = [_point(2017, 5, 1), _point(2018, 1, 1)]
    found = outlook(Figure(F(1), 0, 2), MOST, points, AS_OF, least=0)
    assert (found.projected, found.low) == (0, 0)
    assert found.high is not None
    assert found.high >= 0
    assert outlook(Figure(F(1)), MOST, points, AS_OF).projected < 0  # type: ignore[operator]


def test_point_says_its_deviation() -> None:
    assert _point(2018, 10, Z).deviation == pytest.approx(1)
    assert _point(2018, 10).deviation == 0


def test_births_that_growth_allows() -> None:
    """At the death rate of 2015 the plan's two limits cannot both bind."""
    assert most_births(F(4), F("6.88")) == F("10.88")


MONTHS = [
    # facts of January to June, as of which month they are covered
    ("every month alike", (10, 11, 9, 10, 12, 10), 1),
    ("a stray early record", (1, 0, 10, 11, 10, 9), 3),
    ("it begins in mid-month", (5, 10, 10, 10, 10, 10), 1),
    ("it begins at a month's end", (4, 10, 10, 10, 10, 10), 2),
    ("two strays years apart", (1, 0, 2, 0, 40, 44), 5),
    ("rare all along", (0, 1, 0, 0, 1, 0), 2),
    ("nothing", (0, 0, 0, 0, 0, 0), None),
]


@pytest.mark.parametrize(
    ("numbers", "month"), [pytest.param(*case[1:], id=case[0]) for case in MONTHS]
)
def test_covered_since(numbers: tuple[int, ...], month: int | None) -> None:
    months = {date(2016, at, 1): number for at, number in enumerate(numbers, 1) if number}
    assert covered_since(months) == (month and date(2016, month, 1))


def test_covered_since_a_december() -> None:
    assert covered_since({date(2015, 12, 1): 3, date(2016, 1, 1): 3}) == date(2015, 12, 1)
