"""Levels that are known in full, day by day, and need no test: under a limit, or falling fast.

Seven million people have a sampling noise of 0.004 points in their management rate: what is seen
is so. What may be wrong is the register, hence the feeds are watched beside it
(:mod:`pipeline.core.drift.silence`).
"""

from __future__ import annotations

import numpy as np

from pipeline.core.drift.cusum import Direction, Episode, Path
from pipeline.core.drift.series import Floats, Series


def below(series: Series, limit: float) -> Path:
    """Days on which the share is under a limit.

    Args:
        series: a stock and the stock it is a part of, at the end of each day.
        limit: in percent.

    Returns:
        A path whose statistic is the share in percent.
    """
    shares = _percent(series)
    return _path(series, shares, limit, shares < limit, since=0, worst=np.nanmin)


def fall(series: Series, days: int, points: float) -> Path:
    """Days on which the share has lost so many points within so many days.

    Args:
        series: as in :func:`below`.
        days: of the comparison.
        points: percentage points.

    Returns:
        A path whose statistic is the loss in points.
    """
    shares = _percent(series)
    lost = np.full(len(series), np.nan)
    if len(series) > days:
        lost[days:] = shares[:-days] - shares[days:]
    # Differences of shares are not exact: a fall of just so many points is one.
    return _path(series, lost, points, lost >= points - 1e-9, since=days - 1, worst=np.nanmax)


def _percent(series: Series) -> Floats:
    known = series.trials > 0
    shares = np.full(len(series), np.nan)
    shares[known] = 100 * series.successes[known] / series.trials[known]
    return shares


def _path(
    series: Series,
    statistic: Floats,
    limit: float,
    bad: np.ndarray[tuple[int], np.dtype[np.bool_]],
    *,
    since: int,
    worst: np.ufunc | object,
) -> Path:
    """Stretches of bad days as episodes, each dated so many days before it was seen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    direction: Direction = "down"
    episodes = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        first, after = int(start), int(stop)
        episodes.append(
            Episode(
                since=series.day(max(first - since, 0)),
                alarm=series.day(first),
                end=series.day(after) if after < len(series) else None,
                direction=direction,
                statistic=float(worst(statistic[first:after])),  # type: ignore[operator]
                limit=limit,
                normal=limit,
            )
        )
    nothing = np.full(len(series), np.nan)
    return Path(series, nothing, statistic, np.full(len(series), limit), [], episodes)
