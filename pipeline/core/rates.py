"""Rates from counts: exact quotients, and the intervals around them.

Values are fractions and are rounded only to be shown. Intervals are 95 %, two-sided; their
quantiles are SciPy's (``scipy.special``, imported when the first interval is asked for, since
workers start without it).

Sources: Wilson, JASA 22 (1927) 209; Garwood, Biometrika 28 (1936) 437; Chapman 1951 with the
variance of Seber, Biometrika 57 (1970) 313; ratio estimator: Cochran, Sampling Techniques, ch. 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

CONFIDENCE = 0.95
Z = 1.959963984540054
"""Quantile 0.975 of the normal distribution."""
PLACES = 6
UNKNOWN_SEX_LIMIT = Fraction(1, 200)
"""A larger share of births of unknown sex makes their ratio unreliable."""
GROUP_YEARS = 5

Interval = tuple[float, float]


@dataclass(frozen=True)
class Ingredients:
    """What a reading is made of, before anything is divided.

    Attributes:
        numerator: what is divided, exactly.
        denominator: by what; meaningless where something is missing.
        factor: unit and annualisation.
        missing: code of what the store does not know, empty when all is there.
        detail: what else value and interval need, by kind of interval: ``wilson`` the number of
            days a stock was summed over; ``wilson_odds`` of unknown sex; ``difference`` the sum
            of both counts; ``ratio_of_sums`` days, Σy², Σxy, Σx² over days; ``fertility`` births
            by mothers' age group, of unknown age, then women by age group; ``chapman`` reports of
            health only, police only, both.
    """

    numerator: Fraction
    denominator: Fraction
    factor: Fraction
    missing: str = ""
    detail: tuple[float, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One indicator of one place in one window, as known on a day.

    Attributes:
        indicator: key of the catalogue.
        base: whose counts: ``hukou``, ``resident`` or empty (all reported).
        district: a district's code, 320500 for the city.
        window: name of the window.
        as_of: its last day.
        known_on: nothing learnt after this day is in it; None: all that is known.
        numerator: what is divided; None when it is not known.
        denominator: by what; None when it is not known.
        value: in the indicator's unit and, for events over people, per year; None with a reason.
        low: lower end of the 95 % interval, None where there is none.
        high: upper end.
        reason: why there is no value, a code.
        note: what has to be said beside the value, a code.
    """

    indicator: str
    base: str
    district: str
    window: str
    as_of: date
    known_on: date | None
    numerator: Fraction | None
    denominator: Fraction | None
    value: Fraction | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Indicator, base, district and window."""
        return self.indicator, self.base, self.district, self.window


@dataclass(frozen=True)
class Quotient:
    """A value with its interval, or the reason why there is none."""

    value: Fraction | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    note: str = ""


def half_up(value: Fraction | None, places: int = PLACES) -> str | None:
    """A value for display, ties away from zero; None stays None."""
    if value is None:
        return None
    shifted = abs(value) * 10**places
    whole = (2 * shifted.numerator + shifted.denominator) // (2 * shifted.denominator)
    sign = -1 if value < 0 else 1
    return f"{Decimal(sign * whole).scaleb(-places) if whole else Decimal(0):.{places}f}"


def quotient(parts: Ingredients, interval: str) -> Quotient:
    """Divide, and say why not where that is impossible.

    Args:
        parts: what is divided.
        interval: kind of interval, as the catalogue names it.
    """
    if parts.missing:
        return Quotient(None, reason=parts.missing)
    if interval == "fertility":
        return _fertility(parts)
    if interval == "chapman":
        health, police, both = parts.detail
        if parts.numerator and min(health, police) + both == 0:
            return Quotient(None, reason="one_source")
    if parts.denominator <= 0:
        return Quotient(None, reason="zero_denominator")
    top, bottom, factor = parts.numerator, parts.denominator, parts.factor
    # In one step: each product of fractions would be brought to its lowest terms.
    value = Fraction(
        factor.numerator * top.numerator * bottom.denominator,
        factor.denominator * top.denominator * bottom.numerator,
    )
    low, high = _INTERVALS[interval](parts, float(value)) or (None, None)
    return Quotient(value, low, high, note=_note(parts, interval))


def total_fertility(births: Sequence[int], women: Sequence[Fraction], unknown: int) -> Fraction:
    """Children per woman: five times the sum of births ÷ women over five-year age groups.

    Args:
        births: by mothers' age group, one for each group of women; not all zero if any unknown.
        women: of each group; all positive.
        unknown: births by mothers of unknown age, shared out pro rata.
    """
    by_age = sum((n / w for n, w in zip(births, women, strict=True)), Fraction(0))
    shared = Fraction(sum(births) + unknown, sum(births)) if unknown else Fraction(1)
    return GROUP_YEARS * by_age * shared


def chapman(health: int, police: int, both: int) -> Fraction:
    """How many there were, from the reports of two sectors that err independently.

    Args:
        health: reported by health only.
        police: reported by police only.
        both: reported by both.
    """
    return Fraction((health + both + 1) * (police + both + 1), both + 1) - 1


def wilson(count: float, total: float) -> Interval:
    """Interval of a proportion; the total need not be whole (a mean of days)."""
    share = count / total
    middle = share + Z * Z / (2 * total)
    half = Z * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    below = 1 + Z * Z / total
    return max(0.0, (middle - half) / below), min(1.0, (middle + half) / below)


def garwood(count: float) -> Interval:
    """Exact interval of a Poisson mean from one count."""
    from scipy.special import gammaincinv

    tail = (1 - CONFIDENCE) / 2
    low = float(gammaincinv(count, tail)) if count > 0 else 0.0
    return low, float(gammaincinv(count + 1, 1 - tail))


def _none(_parts: Ingredients, _value: float) -> None:
    return None


def _of_proportion(parts: Ingredients, _value: float) -> Interval | None:
    days = parts.detail[0] if parts.detail else 1.0
    count, total = float(parts.numerator) / days, float(parts.denominator) / days
    if not 0 <= count <= total:
        return None
    low, high = wilson(count, total)
    return low * float(parts.factor), high * float(parts.factor)


def _of_odds(parts: Ingredients, _value: float) -> Interval | None:
    first, second = float(parts.numerator), float(parts.denominator)
    if first < 0:
        return None
    low, high = wilson(first, first + second)
    factor = float(parts.factor)
    return factor * low / (1 - low), factor * high / (1 - high)


def _of_count(parts: Ingredients, _value: float) -> Interval | None:
    if parts.numerator < 0:
        return None
    low, high = garwood(float(parts.numerator))
    each = float(parts.factor) / float(parts.denominator)
    return low * each, high * each


def _around(value: float, deviation: float) -> Interval:
    return value - Z * deviation, value + Z * deviation


def _of_difference(parts: Ingredients, value: float) -> Interval | None:
    (events,) = parts.detail
    if events < 0:
        return None
    return _around(value, math.sqrt(events) * float(parts.factor) / float(parts.denominator))


def _of_sums(parts: Ingredients, value: float) -> Interval | None:
    days, yy, xy, xx = parts.detail
    if days < 2:
        return None
    ratio = float(parts.numerator) / float(parts.denominator)
    scatter = max(0.0, yy - 2 * ratio * xy + ratio * ratio * xx)
    deviation = math.sqrt(days / (days - 1) * scatter) / float(parts.denominator)
    return _around(value, deviation * float(parts.factor))


def _of_capture(parts: Ingredients, value: float) -> Interval | None:
    health, police, both = parts.detail
    first, second = health + both, police + both
    variance = (first + 1) * (second + 1) * health * police / ((both + 1) ** 2 * (both + 2))
    share = float(parts.numerator) / float(parts.denominator) ** 2 * float(parts.factor)
    low, high = _around(value, math.sqrt(variance) * share)
    return max(0.0, low), min(float(parts.factor), high)


def _fertility(parts: Ingredients) -> Quotient:
    groups = (len(parts.detail) - 1) // 2
    births = [round(n) for n in parts.detail[:groups]]
    unknown = round(parts.detail[groups])
    # Women come as sums over days, or of both ends; the denominator says of how many.
    women = [Fraction(round(n)) for n in parts.detail[groups + 1 :]]
    if any(n <= 0 for n in women):
        return Quotient(None, reason="no_women_of_an_age")
    if unknown and not sum(births):
        return Quotient(None, reason="ages_unknown")
    over = parts.denominator / sum(women)
    value = parts.factor * total_fertility(births, women, unknown) / over
    shared = (sum(births) + unknown) / sum(births) if unknown else 1.0
    spread = sum(n / float(w * over) ** 2 for n, w in zip(births, women, strict=True))
    deviation = GROUP_YEARS * float(parts.factor) * shared * math.sqrt(max(0.0, spread))
    low, high = _around(float(value), deviation)
    return Quotient(value, max(0.0, low), high, note="unknown_age" if unknown else "")


def _note(parts: Ingredients, interval: str) -> str:
    if interval != "wilson_odds" or not parts.detail:
        return ""
    unknown = round(parts.detail[0])
    births = parts.numerator + parts.denominator + unknown
    return "unknown_sex" if unknown > UNKNOWN_SEX_LIMIT * births else ""


_INTERVALS = {
    "none": _none,
    "wilson": _of_proportion,
    "wilson_odds": _of_odds,
    "garwood": _of_count,
    "difference": _of_difference,
    "ratio_of_sums": _of_sums,
    "chapman": _of_capture,
}
