"""How many facts recent days will have in the end, from what is known of them and from delays.

Three parts, all from one table of facts by day and delay:

1. **Delays.** The share known after k days, by reverse hazards (the chain ladder), each from the
   newest days old enough to show it: a change of reporting is followed within ``WINDOW`` days.
2. **Level.** What a day usually has: the mean of recent days, each made whole by its share and
   weighted by it, times its weekday's factor. Days vary around it as a gamma distribution whose
   shape is found from the spread of settled days.
3. **What is still unreported** is then negative binomial (Poisson given the day's rate, gamma given
   its reports). How far off that was on earlier days, as far as they are known by now, widens it:
   the variance is multiplied by the mean squared error at that age over the variance that was
   said. The uncertainty of the shares themselves comes on top.

So a day without any report still expects its level's share, never zero.

Sources: Lawless, Canadian Journal of Statistics 22 (1994) 15; England and Verrall, British
Actuarial Journal 8 (2002) 443; Höhle and an der Heiden, Biometrics 70 (2014) 993.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COVERED = 0.90
"""Of the intervals."""
WINDOW = 91
"""Newest days that tell of one delay; thirteen weeks."""
HALF_LIFE = 28.0
"""Days after which a day tells half as much of the level."""
SETTLED = 0.98
"""Share known from which a day's count is taken for the truth."""
FEWEST_DAYS = 7
"""Settled days below which nothing is said."""


@dataclass(frozen=True)
class Pattern:
    """How a measure's facts are spread and reported, as far as one day knows.

    Attributes:
        shares: known after 0, 1, … days.
        level: expected facts of each day.
        shape: of the gamma distribution around the level.
        errors: by age, mean squared error over the variance that was said; at least one.
        doubt: by age, variance of the share.
    """

    shares: Array
    level: Array
    shape: float
    errors: Array
    doubt: Array


@dataclass(frozen=True)
class Estimate:
    """One day's facts.

    Attributes:
        known: reported until now.
        expected: in the end.
        low: 5 % are below.
        high: 5 % are above.
    """

    known: int
    expected: float
    low: float
    high: float


def nowcast(
    counts: Array, days: int, *, season: int = 7, half_life: float = HALF_LIFE, window: int = WINDOW
) -> list[Estimate] | None:
    """The last days of a table of counts; None where too few have settled to say anything.

    Args:
        counts: facts by day (row, the last is today) and delay (column); what lies in the future
            is not looked at.
        days: how many of the last rows are asked for; those before the first report are left out.
        season: days after which the level's pattern repeats; one: it has none.
        half_life: days after which a day tells half as much of the level.
        window: newest days that tell of one delay.
    """
    reporting = np.flatnonzero(counts.any(axis=1))
    counts = counts[reporting[0] if len(reporting) else len(counts) :]
    pattern = learn(counts, season=season, half_life=half_life, window=window)
    if pattern is None:
        return None
    days = min(days, len(counts))
    ages = np.arange(days - 1, -1, -1)
    known = known_by(counts)[len(counts) - days :, :]
    reported = known[np.arange(days), np.minimum(ages, counts.shape[1] - 1)]
    return estimates(pattern, reported, ages, pattern.level[-days:])


def estimates(
    pattern: Pattern, known: Array, ages: NDArray[np.int_], level: Array
) -> list[Estimate]:
    """Days of these ages with these reports.

    Args:
        pattern: what is known of delays and spread.
        known: facts reported of each day.
        ages: of each day.
        level: what each day is expected to have before anything is reported of it.
    """
    from scipy.stats import nbinom, poisson

    last = len(pattern.shares) - 1
    at = np.minimum(ages, last)
    share = pattern.shares[at]
    mean, variance = _unreported(share, 1.0, known, level, pattern.shape)
    steep = (pattern.shape + known) * (1 + pattern.shape / np.maximum(level, 1e-9))
    slope = steep / (pattern.shape / np.maximum(level, 1e-9) + share) ** 2
    variance = np.maximum((variance + slope**2 * pattern.doubt[at]) * pattern.errors[at], mean)
    over = variance > mean * (1 + 1e-9)
    size = np.where(over, mean**2 / np.maximum(variance - mean, 1e-12), 1.0)
    chance = np.where(over, np.minimum(mean / np.maximum(variance, 1e-12), 1.0), 1.0)
    tail = (1 - COVERED) / 2
    ends = [
        np.where(over, nbinom.ppf(q, size, chance), poisson.ppf(q, mean)) for q in (tail, 1 - tail)
    ]
    low, high = (np.where(mean > 0, np.maximum(end, 0.0), 0.0) for end in ends)
    return [
        Estimate(round(float(k)), float(k + m), float(k + a), float(k + b))
        for k, m, a, b in zip(known, mean, low, high, strict=True)
    ]


def learn(
    counts: Array, *, season: int = 7, half_life: float = HALF_LIFE, window: int = WINDOW
) -> Pattern | None:
    """Delays, level and spread as the last row's day knows them; None where that is too little."""
    total, delays = counts.shape
    shares = shares_known(counts, window)
    known = known_by(counts)
    ages = np.arange(total - 1, -1, -1)
    at = np.minimum(ages, delays - 1)
    reported, share = known[np.arange(total), at], shares[at]
    settled = share >= SETTLED
    if settled.sum() < FEWEST_DAYS or reported[settled].sum() <= 0:
        return None
    factors = _season(reported, share, settled, season)
    level = _level(reported, share, half_life) * factors
    shape = _shape(reported[settled], level[settled])
    errors = _errors(known, shares, level, shape, window)
    return Pattern(shares, level, shape, errors, _doubt(counts, shares, window))


def known_by(counts: Array) -> Array:
    """Facts of each day known within each delay."""
    return np.cumsum(np.maximum(counts, 0.0), axis=1)


def shares_known(counts: Array, window: int = WINDOW) -> Array:
    """Share known after each delay, from the newest days old enough to show it."""
    hazard, _ = _hazards(counts, window)
    return _after(np.cumprod, 1 - hazard, 1.0)


def _hazards(counts: Array, window: int) -> tuple[Array, Array]:
    """By delay, the part of what is known by it that came with it, and how many tell so."""
    total, delays = counts.shape
    k = np.arange(delays)
    until, since = np.maximum(total - k, 0), np.maximum(total - k - window, 0)

    def seen(table: Array) -> Array:
        sums = np.vstack([np.zeros(delays), np.cumsum(table, axis=0)])
        found: Array = sums[until, k] - sums[since, k]
        return found

    came, at_risk = seen(np.maximum(counts, 0.0)), seen(known_by(counts))
    return np.minimum(came / np.maximum(at_risk, 1e-9), 1.0), at_risk


def _after(cumulate: Callable[[Array], Array], by_delay: Array, empty: float) -> Array:
    """For each delay what all later ones come to; nothing is later than the last."""
    found: Array = np.append(cumulate(by_delay[:0:-1])[::-1], empty)
    return found


def _season(reported: Array, share: Array, settled: NDArray[np.bool_], season: int) -> Array:
    """Each day's factor, of the settled days with its place in the season; the mean is one."""
    total = len(reported)
    if season <= 1 or settled.sum() < 4 * season:
        return np.ones(total)
    places = np.arange(total) % season
    whole = np.where(settled, reported / np.maximum(share, SETTLED), 0.0)
    mean = whole[settled].mean()
    factors = np.ones(season)
    for place in range(season):
        own = settled & (places == place)
        # Shrunk towards one as if one mean day more had been seen.
        factors[place] = (whole[own].sum() + mean) / (mean * (own.sum() + 1))
    made: Array = (factors / factors.mean())[places]
    return made


def _level(reported: Array, share: Array, half_life: float) -> Array:
    """For each day the level of the days before it, weighted by recency and by share known."""
    keep = 0.5 ** (1 / half_life)
    level = np.empty(len(reported))
    start = slice(0, max(round(half_life), 1))
    above, below = reported[start].sum(), share[start].sum()
    for day in range(len(reported)):
        level[day] = (above + 0.5 * (above == 0)) / max(below, 1e-9)
        above, below = keep * above + reported[day], keep * below + share[day]
    return level


def _shape(truth: Array, level: Array) -> float:
    """Of the gamma distribution of the days' rates around the level, by moments."""
    excess = ((truth - level) ** 2 - level).sum() / max((level**2).sum(), 1e-9)
    return float(1 / min(max(excess, 1e-4), 10.0))


def _unreported(
    share: Array | float, until: Array | float, known: Array, level: Array, shape: float
) -> tuple[Array, Array]:
    """Mean and variance of what a day still gets until another share of it is known."""
    weight = shape / np.maximum(level, 1e-9)
    rate = (shape + known) / (weight + share)
    left = until - share
    return rate * left, rate * left * (1 + left / (weight + share))


def _errors(known: Array, shares: Array, level: Array, shape: float, window: int) -> Array:
    """By age, how much wider than said the errors were on the newest days that are older."""
    total, last = len(known), len(shares) - 1
    errors = np.ones(len(shares))
    ages = np.arange(total - 1, -1, -1)
    for age in range(last):
        if shares[age] >= 1 - 1e-9:
            break
        days = np.arange(max(total - 1 - age - window, 0), total - 1 - age)
        if len(days) < FEWEST_DAYS:
            continue
        now = np.minimum(ages[days], last)
        came = known[days, now] - known[days, age]
        mean, variance = _unreported(shares[age], shares[now], known[days, age], level[days], shape)
        said = max(variance.sum(), 1e-9)
        # Estimated from so few days, as the variance of a Student t allows for.
        squared = ((came - mean) ** 2).sum() * len(days) / (len(days) - 3)
        errors[age] = max(squared / said, 1.0)
    return errors


def _doubt(counts: Array, shares: Array, window: int) -> Array:
    """By age, the variance of the share known, of the hazards it is made of."""
    hazard, at_risk = _hazards(counts, window)
    late = np.minimum(hazard, 0.99)
    relative = late / ((1 - late) * np.maximum(at_risk, 1.0))
    return shares**2 * _after(np.cumsum, relative, 0.0)
