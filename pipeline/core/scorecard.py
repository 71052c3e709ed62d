"""The plan's scorecard: where a figure stands, which way it goes, what is still needed.

Pure decisions on figures that somebody else has evaluated; values and limits are in the unit of
the indicator. A figure is *met* or *not met* only when its whole 95 % interval, widened by what has
not been reported yet, lies on one side of the limit; else nobody can tell yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from statistics import median

from pipeline.core.delays import FINAL
from pipeline.core.rates import Z

DEADLINE = date(2020, 12, 31)
"""Last day of the plan (苏府办〔2017〕33号: 到2020年)."""
DAYS_A_YEAR = Fraction(1461, 4)
ABOUT = Fraction(1, 20)
"""The plan does not say how near "about" is: within 5 % of the figure, …"""
ABOUT_OF_WAY = Fraction(1, 4)
"""… and not farther from it than a quarter of the way from the figure of 2015."""

MET, NOT_MET, OPEN, WATCHED = "met", "not_met", "cannot_tell", "watched"
ON_COURSE, OFF_COURSE, OVER = "on_course", "off_course", "over"
UP, DOWN, LEVEL = "up", "down", "level"


@dataclass(frozen=True)
class Band:
    """The values that the plan accepts; an end that is None is open, both: nothing is asked."""

    low: Fraction | None = None
    high: Fraction | None = None

    @property
    def free(self) -> bool:
        """Whether nothing is asked."""
        return self.low is None and self.high is None

    def gap(self, value: Fraction) -> Fraction:
        """How much has to be added to a value to bring it in; 0 inside."""
        if self.low is not None and value < self.low:
            return self.low - value
        if self.high is not None and value > self.high:
            return self.high - value
        return Fraction(0)

    def side(self, low: float, high: float) -> str:
        """``met`` when all of an interval lies inside, ``not_met`` when none of it does."""
        above = self.low is None or low >= self.low
        below = self.high is None or high <= self.high
        if above and below:
            return MET
        outside = (self.low is not None and high < self.low) or (
            self.high is not None and low > self.high
        )
        return NOT_MET if outside else OPEN


@dataclass(frozen=True)
class Figure:
    """A present value.

    Attributes:
        value: None with a reason.
        low: lower end of its 95 % interval; None: it has none.
        high: upper end.
        completeness: expected share of its facts that are known; None: delays say nothing.
        reason: why there is no value, a code.
        unreliable: whether what stands beside it forbids to judge by it.
    """

    value: Fraction | None
    low: float | None = None
    high: float | None = None
    completeness: float | None = None
    reason: str = ""
    unreliable: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The interval; of a full count the value itself."""
        if self.value is None:
            raise ValueError("a figure without a value has no interval")
        if self.low is None or self.high is None:
            return float(self.value), float(self.value)
        return self.low, self.high


@dataclass(frozen=True)
class Verdict:
    """Met, not met, cannot tell yet, or watched only; and why, a code."""

    outcome: str
    why: str


@dataclass(frozen=True)
class Point:
    """A value of an earlier window, by the window's last day."""

    day: date
    value: Fraction
    low: float | None = None
    high: float | None = None

    @property
    def deviation(self) -> float:
        """Its standard deviation, as the 95 % interval says; 0 of a full count."""
        if self.low is None or self.high is None:
            return 0.0
        return (self.high - self.low) / (2 * Z)


@dataclass(frozen=True)
class Slope:
    """Change a year by least squares, with the 95 % interval that the points' own give.

    It says nothing about years that differ for other reasons than chance.
    """

    a_year: Fraction
    low: float
    high: float

    @property
    def direction(self) -> str:
        """``up`` or ``down``; ``level`` when chance alone could be all of it."""
        if self.low > 0:
            return UP
        return DOWN if self.high < 0 else LEVEL


@dataclass(frozen=True)
class Outlook:
    """The evaluation before the end of the plan.

    Attributes:
        years_left: until the deadline; 0 after it.
        needed: change a year that would still bring the present value in; 0 when it is in, None
            where nothing is asked, nothing is known or no time is left.
        projected: the newest value with the slope of the trend until the deadline.
        low: lower end of its 95 % interval.
        high: upper end.
        course: ``on_course``, ``off_course``, ``cannot_tell``, ``over``, ``watched``.
    """

    years_left: Fraction
    needed: Fraction | None
    projected: Fraction | None
    low: float | None
    high: float | None
    course: str


def accepted(
    comparator: str, low: Fraction | None, high: Fraction | None, start: Fraction | None
) -> Band:
    """What a target of the plan accepts.

    Args:
        comparator: ``<=``, ``>=``, ``~=`` (about), ``within`` (towards a range), ``watch``.
        low: the figure, or the lower end of the range.
        high: the figure, or the upper end.
        start: the figure of 2015, where the plan prints a plain one.
    """
    if comparator == "<=":
        return Band(high=high)
    if comparator == ">=":
        return Band(low=low)
    if comparator == "within":
        return Band(low, high)
    if comparator == "~=" and low is not None:
        near = abs(low) * ABOUT
        if start is not None:
            near = min(near, abs(low - start) * ABOUT_OF_WAY)
        return Band(low - near, low + near)
    return Band()


def printed_start(baseline: str) -> Fraction | None:
    """The figure of 2015 as a number; None of one that is printed as a bound or not at all."""
    plain = baseline.lstrip("-").replace(".", "", 1)
    return Fraction(baseline) if plain.isdigit() else None


def judge(figure: Figure, band: Band, *, towards: bool = False) -> Verdict:
    """Whether a figure is where the plan wants it.

    Args:
        figure: the present value.
        band: what is accepted.
        towards: the target is to move towards the band, and the figure does.
    """
    if band.free:
        return Verdict(WATCHED, "no_target")
    if figure.value is None:
        return Verdict(OPEN, figure.reason or "no_value")
    if figure.unreliable:
        return Verdict(OPEN, "unreliable")
    low, high = figure.ends
    side = band.side(low, high)
    if side == OPEN:
        return Verdict(OPEN, "straddles")
    if band.side(*_widened(low, high, figure.completeness)) != side:
        return Verdict(OPEN, "incomplete")
    if side == NOT_MET and towards:
        return Verdict(OPEN, "approaching")
    if side == NOT_MET:
        return Verdict(NOT_MET, "below" if band.low is not None and high < band.low else "above")
    return Verdict(MET, "inside")


def _widened(low: float, high: float, completeness: float | None) -> tuple[float, float]:
    """An interval with room for the facts still to come, in the numerator or the denominator."""
    if completeness is None or completeness >= FINAL:
        return low, high
    if completeness <= 0:
        return -math.inf, math.inf
    return min(low * completeness, low / completeness), max(
        high * completeness, high / completeness
    )


def _weights(days: Sequence[date]) -> list[Fraction] | None:
    """What each point adds to the slope of the line of least squares, per unit; None of one day."""
    years = [(day - days[-1]).days / DAYS_A_YEAR for day in days]
    middle = sum(years, Fraction(0)) / len(years)
    spread = sum(((year - middle) ** 2 for year in years), Fraction(0))
    return [(year - middle) / spread for year in years] if spread else None


def slope(points: Sequence[Point]) -> Slope | None:
    """The change a year of values whose windows do not overlap; None of fewer than two."""
    weights = _weights([point.day for point in points]) if points else None
    if weights is None:
        return None
    a_year = sum((w * p.value for w, p in zip(weights, points, strict=True)), Fraction(0))
    half = Z * _deviation(points, weights)
    return Slope(a_year, float(a_year) - half, float(a_year) + half)


def _deviation(points: Sequence[Point], weights: Sequence[Fraction]) -> float:
    pairs = zip(weights, points, strict=True)
    return math.sqrt(sum((float(weight) * point.deviation) ** 2 for weight, point in pairs))


def is_towards(band: Band, value: Fraction, trend: Slope | None) -> bool:
    """Whether a value outside a band moves towards it, and not by chance alone."""
    gap = band.gap(value)
    if trend is None or not gap:
        return False
    return trend.direction == (UP if gap > 0 else DOWN)


def outlook(
    figure: Figure,
    band: Band,
    points: Sequence[Point],
    as_of: date,
    *,
    least: int | None = None,
    deadline: date = DEADLINE,
) -> Outlook:
    """Whether the trend leads to where the plan wants the figure, and what would.

    Args:
        figure: the present value.
        band: what is accepted.
        points: values of windows that do not overlap, oldest first.
        as_of: the day from which the rest of the plan is counted.
        least: what the figure can never be below; None: anything.
        deadline: its last day.
    """
    left = max(Fraction(0), (deadline - as_of).days / DAYS_A_YEAR)
    if band.free:
        return Outlook(left, None, None, None, None, WATCHED)
    if not left:
        return Outlook(left, None, None, None, None, OVER)
    needed = None if figure.value is None else band.gap(figure.value) / left
    weights = _weights([point.day for point in points]) if points else None
    if weights is None:
        return Outlook(left, needed, None, None, None, OPEN)
    ahead = [(deadline - points[-1].day).days / DAYS_A_YEAR * weight for weight in weights]
    ahead[-1] += 1
    projected = sum((w * p.value for w, p in zip(ahead, points, strict=True)), Fraction(0))
    half = Z * _deviation(points, ahead)
    low, high = float(projected) - half, float(projected) + half
    if least is not None:
        projected = max(projected, Fraction(least))
        low, high = max(low, float(least)), max(high, float(least))
    course = {MET: ON_COURSE, NOT_MET: OFF_COURSE, OPEN: OPEN}[band.side(low, high)]
    return Outlook(left, needed, projected, low, high, course)


def most_births(growth_limit: Fraction, death_rate: Fraction) -> Fraction:
    """The birth rate above which natural growth breaks its limit, at a death rate."""
    return growth_limit + death_rate


def covered_since(months: Mapping[date, int]) -> date | None:
    """The first day of the first month that looks like the others: half a median month or more.

    A stray early record does not make a year of data. None without any fact.

    Args:
        months: facts by the first day of their month, of months that have any.
    """
    usual = median(months.values()) if months else 0
    return min((day for day, number in months.items() if 2 * number >= usual), default=None)
