"""Funnel limits: how far a district may lie from the city by chance, for its number of cases.

Spiegelhalter, Statistics in Medicine 24 (2005) 1185: exact binomial limits, interpolated between
whole numbers, at 95 and 99.8 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import bdtrik

LEVELS = (0.95, 0.998)


@dataclass(frozen=True)
class Limits:
    """Shares between which a sample lies with 95 and with 99.8 %.

    Attributes:
        low95, high95, low998, high998: shares of successes.
    """

    low95: float
    high95: float
    low998: float
    high998: float


def funnel_limits(trials: float, share: float) -> Limits:
    """Limits for a sample.

    Args:
        trials: its size, at least 1.
        share: of successes in the whole.

    Raises:
        ValueError: no trials, or a share that is not between 0 and 1.
    """
    if not (trials >= 1 and 0 < share < 1):
        raise ValueError("funnel limits need at least one trial and a share between 0 and 1")
    tails = [(1 - level) / 2 for level in LEVELS]
    chances = [chance for tail in tails for chance in (tail, 1 - tail)]
    ends = [float(bdtrik(chance, trials, share)) / trials for chance in chances]
    return Limits(*(min(max(end, 0.0), 1.0) for end in ends))


def place(successes: float, trials: float, limits: Limits) -> str:
    """Where a sample lies: ``inside``, ``outside95`` or ``outside998``."""
    share = successes / trials
    if not limits.low998 <= share <= limits.high998:
        return "outside998"
    return "inside" if limits.low95 <= share <= limits.high95 else "outside95"
