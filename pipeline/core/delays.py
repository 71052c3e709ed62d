"""How long reports take, and what share of a window is already known.

The delay of a fact is the number of days from its day to the day on which it became known.
Recent days have had less time to be reported, so plain frequencies would look quicker than
reporting is; the share known after k days is estimated from reverse hazards instead, each from
the days old enough to show it (Lawless, Canadian Journal of Statistics 22 (1994) 15; the chain
ladder of actuaries is the same estimate).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

HORIZON = 120
"""Days of delay that are looked at; what comes later still is revised, not expected."""
LOOKED_BACK = 400
"""Days whose facts tell of delays."""
FEWEST = 100
"""Facts below which nothing is said about delays."""
FINAL = 0.995
"""Share known at which a reading is final."""

Shares = tuple[float, ...]
"""Share of a day's facts known by the end of the 0th, 1st, … day after it."""


def known_shares(by_delay: Sequence[int], at_risk: Sequence[int]) -> Shares | None:
    """The share known after each delay, or None where too little is known to say.

    Args:
        by_delay: facts first known exactly k days after their day, of days that are at least k
            days old.
        at_risk: facts known within k days, of the same days.
    """
    if not at_risk or max(at_risk) < FEWEST:
        return None
    shares = [1.0] * len(by_delay)
    for k in range(len(by_delay) - 1, 0, -1):
        late = by_delay[k] / at_risk[k] if at_risk[k] > 0 else 0.0
        shares[k - 1] = shares[k] * (1.0 - min(max(late, 0.0), 1.0))
    return tuple(shares)


def completeness(shares: Shares, age: int, days: int) -> float:
    """Expected share of a window's facts that are known.

    Every day counts alike, so a day on which nothing was reported is not taken for a whole one.

    Args:
        shares: share known by delay.
        age: days from the window's last day to the day of knowledge; 0 on the day itself.
        days: of the window.
    """
    if age < 0:
        return 0.0
    sums = list(accumulate(shares, initial=0.0))
    last = len(shares)
    recent = sums[min(age + days, last)] - sums[min(age, last)]
    settled = days - (min(age + days, last) - min(age, last))
    return (recent + settled) / days


def complete_after(shares: Shares | None, wanted: float) -> int | None:
    """Days after which so large a share of a day's facts is known; None when delays say nothing."""
    if shares is None:
        return None
    return next((age for age, share in enumerate(shares) if share >= wanted), len(shares))
