"""How high a CUSUM's limit must be for a stated promise of false alarms.

The CUSUM of a binomial log likelihood ratio is a random walk with a floor. Cut into states, it is
a Markov chain whose mean time to the limit follows from one system of linear equations (Brook and
Evans, Biometrika 59 (1972) 539). A step that falls between two states is shared between them so
that its mean is kept: the walk's slow descent decides how often it climbs by chance, and plain
rounding would change it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_toeplitz
from scipy.special import betaln

from pipeline.core.drift.series import Floats, log_odds, share_of

STATES_PER_DEVIATION = 10
"""States to one standard deviation of a day's step."""
_DEVIATIONS = 9.0
_MOST_CORRECTIONS = 6
_STEPS_PER_DOUBLING = 4
_MARGIN = 1.03
"""Covers the rounding of the log odds."""
_ODDS = 0.05
"""To which log odds are rounded, so that few limits have to be found."""


def threshold(trials: float, odds: float, shift: float, arl: float) -> float:
    """The lowest limit at which false alarms are, on average, at least so many days apart.

    Args:
        trials: on a typical day; rounded up to the next of four steps to a doubling, which errs
            on the side of fewer false alarms.
        odds: log odds of a success while nothing is wrong.
        shift: difference of the log odds that the CUSUM is designed for; its sign is the
            direction.
        arl: promised mean number of days to a false alarm of this one side.

    Raises:
        ValueError: no trials, no shift, or a promise under two days.
    """
    if not (trials > 0 and shift and arl >= 2):
        raise ValueError("a threshold needs trials, a shift and a promise of days")
    steps = math.ceil(math.log2(max(trials, 1.0)) * _STEPS_PER_DOUBLING - 1e-9)
    return _threshold(
        round(2 ** (steps / _STEPS_PER_DOUBLING)),
        round(odds / _ODDS) * _ODDS,
        round(shift, 6),
        round(arl * _MARGIN),
    )


@lru_cache(maxsize=4096)
def _threshold(trials: int, odds: float, shift: float, arl: int) -> float:
    share = share_of(odds)
    step, steps, offset = _steps(trials, share, shift)
    limit = max(round(_guess(trials, share, shift, arl) / step), 1)
    found: dict[int, float] = {}

    def length(states: int) -> float:
        if states not in found:
            found[states] = run_length(steps, offset, states)
        return found[states]

    for _ in range(_MOST_CORRECTIONS):
        # The time to the limit grows about as exp(limit): Newton's step on its logarithm.
        limit = max(limit + round(math.log(arl / length(limit)) / step), 1)
        if abs(math.log(arl / length(limit))) < step:
            break
    while length(limit) < arl:
        limit += 1
    while limit > 1 and length(limit - 1) >= arl:
        limit -= 1
    return limit * step


def _guess(trials: int, share: float, shift: float, arl: float) -> float:
    """The limit of a walk of normal steps (Siegmund, Sequential Analysis, 1985, ch. 10)."""
    deviation = abs(shift) * math.sqrt(trials * share * (1 - share))
    limit = math.log(arl)
    for _ in range(20):
        wide = limit + 1.166 * deviation
        limit = math.log(1 + wide + arl * deviation**2 / 2) - 1.166 * deviation
    return max(limit, deviation / 10)


def average_run_length(trials: int, share: float, shift: float, limit: float) -> float:
    """Mean number of days until a CUSUM that starts at zero reaches its limit by chance.

    Args:
        trials: of every day.
        share: of successes.
        shift: as in :func:`threshold`.
        limit: of the CUSUM, in units of log likelihood.
    """
    step, steps, offset = _steps(trials, share, shift)
    return run_length(steps, offset, max(round(limit / step), 1))


def _steps(trials: int, share: float, shift: float) -> tuple[float, Floats, int]:
    """Width of a state, chance of each whole number of states a day moves, and the least number."""
    deviation = math.sqrt(trials * share * (1 - share))
    lowest = max(0, math.floor(trials * share - _DEVIATIONS * deviation))
    highest = min(trials, math.ceil(trials * share + _DEVIATIONS * deviation))
    counts = np.arange(lowest, highest + 1, dtype=np.float64)
    chances = np.exp(
        -betaln(counts + 1, trials - counts + 1)
        - math.log(trials + 1)
        + counts * math.log(share)
        + (trials - counts) * math.log1p(-share)
    )
    moves = counts * shift - trials * lifted_odds(log_odds(share), shift)
    step = abs(shift) * deviation / STATES_PER_DEVIATION
    places = moves / step
    floors = np.floor(places)
    offset = int(floors.min())
    width = int(floors.max()) - offset + 2
    found = np.zeros(width)
    index = (floors - offset).astype(np.int64)
    np.add.at(found, index, chances * (1 - (places - floors)))
    np.add.at(found, index + 1, chances * (places - floors))
    return step, found, offset


def lifted_odds(odds: float, shift: float) -> float:
    """How much log(1 + odds) grows when log odds are shifted."""
    return float(np.logaddexp(0.0, odds + shift) - np.logaddexp(0.0, odds))


def run_length(steps: Floats, offset: int, limit: int) -> float:
    """Mean time from state 0 to the limit of a walk with a floor at 0.

    Args:
        steps: chance of each move, from ``offset`` on.
        offset: the lowest move.
        limit: the state, or above, at which it ends.
    """
    states = np.arange(limit)
    below = np.concatenate([[0.0], np.cumsum(steps)])

    def chance(moves: npt.NDArray[np.int64]) -> Floats:
        inside = (moves >= 0) & (moves < len(steps))
        return np.where(inside, steps[np.clip(moves, 0, len(steps) - 1)], 0.0)

    # Without the floor the equations are Toeplitz: solved in limit² steps, on one core. The floor
    # adds to the first column whatever would fall below it.
    column, line = -chance(-states - offset), -chance(states - offset)
    column[0] += 1.0
    line[0] = column[0]
    falls = below[np.clip(-states - offset, 0, len(steps))]
    ones, fallen = solve_toeplitz((column, line), np.stack([np.ones(limit), -falls], axis=1))[0]
    return float(ones / (1.0 + fallen))
