"""The beta-mixture e-process: evidence against a normal that may be looked at every day for ever.

For each day on which a drift may have begun, the counts since then are given a probability by a
beta mixture and by the best share that is still normal; their quotient is an e-process, since the
mixture is a probability and the best normal share is no worse than the true one (Wasserman, Ramdas
and Balakrishnan, PNAS 117 (2020) 16880; for the mixture Robbins 1970 and Howard, Ramdas, McAuliffe
and Sekhon, Annals of Statistics 49 (2021) 1055). The mean of all of them, weighted by how likely a
drift begins then, is one as well: by Ville's inequality it ever exceeds 20 with a chance of at
most 5 % while all is normal, however often it is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, logsumexp

from pipeline.core.drift.baseline import Baseline
from pipeline.core.drift.cusum import Direction, Episode, Path
from pipeline.core.drift.series import BLOCK, Floats, Series, log_odds, share_of
from pipeline.core.drift.thresholds import lifted_odds

APART = 91
"""Days between the beginnings that are considered."""
_ALIVE = 3640
"""Days for which one beginning is followed; its evidence then stays as it is."""
_YEARLY = 1.0 / 40
"""Chance that a drift begins in a quarter: one in ten years. Half the weight goes by it."""
_SURE = 2.0
"""Standard errors of a learned baseline that are taken for normal: the promise is for ever."""
_MIXTURE = 400.0
"""Trials that the beta mixture is worth: its standard deviation is 0.025 about one half."""


@dataclass(frozen=True)
class Band:
    """Shares that are normal, and how far the counts scatter about them.

    Attributes:
        low, high: ends of the band, as log odds.
        scatter: variance of the counts in units of the binomial's.
    """

    low: float
    high: float
    scatter: float = 1.0


Normal = Callable[[Baseline | None], Band | None]
"""From what a series knows of itself to what is normal; None: nothing can be said yet."""


def own(tolerance: float) -> Normal:
    """Normal is the series' own baseline, give or take what it does not know of itself.

    Args:
        tolerance: difference of the log odds that is no drift however sure it is: ratios at birth
            move by a point or two within a generation, and large counts would show it.
    """

    def band(baseline: Baseline | None) -> Band | None:
        if baseline is None:
            return None
        width = max(_SURE * baseline.error, tolerance)
        return Band(baseline.odds - width, baseline.odds + width, baseline.scatter)

    return band


def target(low: float, high: float) -> Normal:
    """Normal is what the target says, in log odds; the scatter is the series' own."""

    def band(baseline: Baseline | None) -> Band | None:
        return None if baseline is None else Band(low, high, baseline.scatter)

    return band


def eprocess(
    series: Series,
    baselines: list[Baseline | None],
    normal: Normal,
    *,
    error: float = 0.05,
    shift: float = 1.05,
) -> Path:
    """Evidence by day, as its natural logarithm, and the alarms it gave.

    Args:
        series: what is looked at.
        baselines: of each block of four weeks (:attr:`Path.baselines` of the CUSUM).
        normal: from a baseline to the band of normal shares; None: nothing can be said yet.
        error: chance of ever raising a false alarm; halved after each that ended.
        shift: factor of the odds by which an end of the band has to be left again for the
            recovery to be seen.
    """
    length = len(series)
    path = Path(
        series,
        np.full(length, np.nan),
        np.full(length, np.nan),
        np.full(length, np.nan),
        baselines,
    )
    begin = 0
    while begin < length:
        limit = -math.log(error)
        path.limits[begin:] = limit
        crossed = _evidence(path, begin, limit, normal)
        if crossed is None:
            break
        begin = _episode(path, crossed, limit, shift)
        error /= 2
    return path


@dataclass(frozen=True)
class _Crossed:
    alarm: int
    since: int
    direction: Direction
    band: Band


def _evidence(
    path: Path,
    begin: int,
    limit: float,
    normal: Normal,
) -> _Crossed | None:
    """Fill in the evidence from a day on; gives the crossing of the limit, if there is one."""
    series, length = path.series, len(path.series)
    starts = [
        (start, band)
        for start in range(-(-begin // APART) * APART, length, APART)
        if (band := normal(path.baselines[start // BLOCK])) is not None
    ]
    if not starts:
        return None
    weights = _weights(len(starts))
    sums = np.concatenate([[0.0], np.cumsum(series.successes)])
    totals = np.concatenate([[0.0], np.cumsum(series.trials)])
    first = starts[0][0]
    evidence = np.full(length - first, -np.inf)
    best = np.full(length - first, -np.inf)
    leader = np.zeros(length - first, dtype=np.int64)
    upward = np.zeros(length - first, dtype=bool)
    for number, (start, band) in enumerate(starts):
        stop = min(start + _ALIVE, length)
        some = (sums[start + 1 : stop + 1] - sums[start]) / band.scatter
        all_ = (totals[start + 1 : stop + 1] - totals[start]) / band.scatter
        terms = weights[number] + _against(some, all_, band)
        terms = np.concatenate([terms, np.full(length - stop, terms[-1])])
        here = slice(start - first, None)
        evidence[here] = np.logaddexp(evidence[here], terms)
        led = terms > best[here]
        best[here] = np.where(led, terms, best[here])
        leader[here] = np.where(led, number, leader[here])
        share = np.divide(some, all_, out=np.full(len(some), 0.5), where=all_ > 0)
        above = share > share_of((band.low + band.high) / 2)
        above = np.concatenate([above, np.full(length - stop, above[-1])])
        upward[here] = np.where(led, above, upward[here])
    left = 1.0 - np.cumsum(np.exp(weights))
    begun = np.minimum((np.arange(length - first)) // APART, len(starts) - 1)
    total = np.logaddexp(evidence, np.log(np.maximum(left[begun], 1e-12)))
    path.up[first:] = np.where(upward, total, np.minimum(total, 0.0))
    path.down[first:] = np.where(upward, np.minimum(total, 0.0), total)
    over = np.flatnonzero(total >= limit)
    if not len(over):
        return None
    alarm = int(over[0])
    start, band = starts[int(leader[alarm])]
    return _Crossed(alarm + first, start, "up" if upward[alarm] else "down", band)


def _weights(number: int) -> Floats:
    """Logarithms of how likely a drift begins with each: ever less so, but never too little.

    Half by a constant chance, half by one that falls so slowly that a start after a century still
    counts; together they are at most 1.
    """
    k = np.arange(number, dtype=np.float64)
    constant = math.log(_YEARLY / 2) + k * math.log1p(-_YEARLY)
    slow = -np.log(2 * 2.2 * (k + 2) * np.log(k + 2) ** 2)
    weights: Floats = np.logaddexp(constant, slow)
    return weights


def _against(some: Floats, all_: Floats, band: Band) -> Floats:
    """Logarithm of the mixture's probability over the best normal one."""
    centre = share_of((band.low + band.high) / 2)
    a, b = _MIXTURE * centre, _MIXTURE * (1 - centre)
    mixture = betaln(a + some, b + all_ - some) - betaln(a, b)
    share = np.divide(some, all_, out=np.full(len(some), centre), where=all_ > 0)
    share = np.clip(share, share_of(band.low), share_of(band.high))
    against: Floats = mixture - some * np.log(share) - (all_ - some) * np.log1p(-share)
    return against


def log_evidence(some: float, all_: float, low: float, high: float) -> float:
    """Of one sample against shares from low to high: the e-value's natural logarithm."""
    band = Band(log_odds(low), log_odds(high))
    return float(_against(np.array([some]), np.array([all_]), band)[0])


def _episode(
    path: Path,
    crossed: _Crossed,
    limit: float,
    shift: float,
) -> int:
    """Follow an alarm to its end; gives the index after it."""
    series, length = path.series, len(path.series)
    up = crossed.direction == "up"
    step = math.log(shift) if up else -math.log(shift)
    edge = crossed.band.high if up else crossed.band.low
    after = slice(crossed.alarm, length)
    ratios = series.successes[after] * step - series.trials[after] * lifted_odds(edge, step)
    sums = np.cumsum(-ratios / crossed.band.scatter)
    back = sums - np.minimum(np.minimum.accumulate(sums), 0.0)
    over = np.flatnonzero(back >= limit)
    end = crossed.alarm + int(over[0]) if len(over) else None
    stop = length if end is None else end + 1
    walk = path.up if up else path.down
    path.episodes.append(
        Episode(
            since=series.day(crossed.since),
            alarm=series.day(crossed.alarm),
            end=None if end is None else series.day(end),
            direction=crossed.direction,
            statistic=float(np.nanmax(walk[crossed.alarm : stop])),
            limit=limit,
            normal=share_of(edge),
        )
    )
    return stop


def mixed(logarithms: Floats) -> float:
    """Logarithm of the mean of e-values, which is an e-value itself."""
    return float(logsumexp(logarithms) - math.log(len(logarithms)))
