"""What a series' own normal is, learned from its past and kept clear of what may be a drift.

The baseline of a block is the share of successes in up to ten years before it. Left out are the
last three years (half of what there is, while that is less), so that a drift which builds up slowly
does not become its own normal, and every day of an alarm. Blocks far off are pulled in to three
standard deviations (Huber's winsorised mean), so that a bad month does not move it.

Real series scatter more than coins do: the yearly ratios of London's christenings have twice a
coin's variance. That factor (overdispersion; McCullagh and Nelder, Generalized Linear Models,
ch. 4.5) is measured between blocks and between years, and every count is taken for that much less
evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.core.drift.series import BLOCK, Floats, Series, log_odds

WINDOW = 130
"""Blocks a baseline looks back: ten years."""
GAP = 39
"""Blocks left out before the present one: three years."""
_SCALES = (1, 13, 26, 39)
"""Blocks taken together to see the scatter: four weeks and a year."""
_FEWEST_GROUPS = 3
_FAR = 3.0
_ROUNDS = 3
_DOUBT = 3
"""Groups of a coin's scatter that stand beside those seen, so that few groups say little."""


@dataclass(frozen=True)
class Baseline:
    """A normal, and how sure it is.

    Attributes:
        odds: log odds of a success.
        error: standard error of the log odds, scatter included.
        scatter: variance of the counts in units of the binomial's; at least 1.
        trials: of a typical day.
    """

    odds: float
    error: float
    scatter: float
    trials: float


@dataclass(frozen=True)
class Blocks:
    """A series in blocks of four weeks from its first day; the last may be unfinished."""

    successes: Floats
    trials: Floats
    days: Floats

    @classmethod
    def of(cls, series: Series) -> Blocks:
        """Cut a series."""
        starts = np.arange(0, len(series), BLOCK)
        return cls(
            np.add.reduceat(series.successes, starts),
            np.add.reduceat(series.trials, starts),
            np.add.reduceat((series.trials > 0).astype(np.float64), starts),
        )


def learn(blocks: Blocks, block: int, clean: Floats, surest: float) -> Baseline | None:
    """The baseline that holds in a block; None while too little is known.

    Args:
        blocks: the series.
        block: index of the block; only earlier ones are looked at.
        clean: 1 for each block without an alarm, else 0.
        surest: standard error of the log odds that is needed before anything is said.
    """
    end = block - min(GAP, block // 2)
    span = slice(max(end - WINDOW, 0), max(end, 0))
    trials = blocks.trials[span] * clean[span]
    total = float(trials.sum())
    if total <= 0:
        return None
    successes = blocks.successes[span] * clean[span]
    if not 0 < successes.sum() < total:
        return None
    past = slice(0, max(end, 0))
    scatter = _scatter(blocks.successes[past] * clean[past], blocks.trials[past] * clean[past])
    share = _share(successes, trials, scatter)
    if not 0 < share < 1:
        return None
    error = math.sqrt(scatter / (total * share * (1 - share)))
    if error > surest:
        return None
    days = float((blocks.days[span] * clean[span]).sum())
    return Baseline(log_odds(share), error, scatter, total / days)


def _share(successes: Floats, trials: Floats, scatter: float) -> float:
    """The share of successes, far-off blocks pulled in about the median block."""
    filled = trials > 0
    share = float(np.median(successes[filled] / trials[filled]))
    for _ in range(_ROUNDS):
        far = _FAR * np.sqrt(trials * share * (1 - share) * scatter)
        pulled = np.clip(successes, trials * share - far, trials * share + far)
        share = float(pulled.sum() / trials.sum())
    return share


def _scatter(successes: Floats, trials: Floats) -> float:
    """Variance between blocks, or between years where that is larger, in units of a coin's."""
    found = 1.0
    share = _share(successes, trials, 1.0)
    if not 0 < share < 1:
        return found
    for scale in _SCALES:
        some, all_ = _windows(successes, scale), _windows(trials, scale)
        some, all_ = some[all_ > 0], all_[all_ > 0]
        groups = len(all_) / scale
        if groups < _FEWEST_GROUPS:
            continue
        z = (some - all_ * share) / np.sqrt(all_ * share * (1 - share))
        usual = max(1.0, 1.4826 * float(np.median(np.abs(z))))
        z = np.clip(z, -_FAR * usual, _FAR * usual)
        found = max(found, (groups * float((z**2).mean()) + _DOUBT) / (groups - 1 + _DOUBT))
    return found


def _windows(values: Floats, scale: int) -> Floats:
    """Sums of every so many consecutive values."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    windows: Floats = sums[scale:] - sums[:-scale]
    return windows
