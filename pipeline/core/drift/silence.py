"""A feed that goes quiet: how many days without a message are more than chance and habit.

A feed is described by the days on which anything arrived. If it is active on a share a of days, a
run of n quiet days begins by chance with a probability of a (1 - a)^n a day; the limit keeps such
runs to one in the promised number of days. It is never shorter than the longest pause of the past
year (an office closed for the Spring Festival) plus one day, and for a feed that keeps regular
hours never longer than three times that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

HABITS = 364
"""Days of the past from which a feed's habits are learned."""
FEWEST_DAYS = 28
"""Days a feed must have been seen over before its silence means anything."""
FEWEST_ACTIVE = 8
"""Days with messages it must have had."""
_REGULAR = 3
_SHORTEST = 2
"""Quiet days that never mean anything: a weekend."""


@dataclass(frozen=True)
class Pause:
    """A stretch of days without any message that was longer than the limit.

    Attributes:
        since: first quiet day.
        alarm: quiet day on which the limit was passed.
        end: day on which messages came again; None while it lasts.
        days: quiet days so far.
        limit: quiet days that are still nothing unusual.
    """

    since: date
    alarm: date
    end: date | None
    days: int
    limit: int


def quiet_limit(active: int, span: int, longest: int, promise: float) -> int:
    """Quiet days that are nothing unusual.

    Args:
        active: days with messages.
        span: days looked at.
        longest: longest pause among them, in days.
        promise: mean days between two false alarms.
    """
    share = active / span
    quiet = (span - active + 0.5) / (span + 1)
    by_chance = math.ceil(math.log(promise * share) / -math.log(quiet)) - 1
    habit = longest + 1
    return max(habit, _SHORTEST, min(by_chance, _REGULAR * habit))


def pauses(active: Iterable[date], last: date, promise: float) -> list[Pause]:
    """The pauses of a feed that were, or are, too long.

    Args:
        active: days on which anything arrived, in any order.
        last: the last day that is over.
        promise: mean days between two false alarms of this feed.
    """
    days = sorted({day for day in active if day <= last})
    found = []
    for place, day in enumerate(days):
        following = days[place + 1] if place + 1 < len(days) else None
        until = following - timedelta(1) if following else last
        quiet = (until - day).days
        if quiet < 1:
            continue
        limit = _limit(days[: place + 1], promise)
        if limit is not None and quiet > limit:
            alarm = day + timedelta(limit + 1)
            found.append(Pause(day + timedelta(1), alarm, following, quiet, limit))
    return found


def _limit(days: list[date], promise: float) -> int | None:
    """What the habits up to a day allow; None while they are not known."""
    first = max(days[0], days[-1] - timedelta(HABITS - 1))
    seen = [day for day in days if day >= first]
    span = (days[-1] - first).days + 1
    if span < FEWEST_DAYS or len(seen) < FEWEST_ACTIVE:
        return None
    longest = max((later - earlier).days - 1 for earlier, later in pairwise(seen))
    return quiet_limit(len(seen), span, longest, promise)
