"""Daily sufficient statistics of a proportion: so many of one kind among so many, day by day."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BLOCK = 28
"""Days of a block: baselines are learned block by block; four weeks hold every weekday alike."""


@dataclass(frozen=True)
class Series:
    """Counts of consecutive days; a day without any has two zeros.

    Attributes:
        first: the day of the first element.
        successes: of the kind that is looked at (boys), by day.
        trials: of all (boys and girls), by day.
    """

    first: date
    successes: Floats
    trials: Floats

    @classmethod
    def of(cls, rows: Iterable[tuple[date, float, float]]) -> Self:
        """From rows of day, successes and trials, in any order; equal days add up.

        Raises:
            ValueError: there is no row, or a day with more successes than trials.
        """
        kept = list(rows)
        if not kept:
            raise ValueError("a series needs at least one day")
        first = min(day for day, _, _ in kept)
        length = (max(day for day, _, _ in kept) - first).days + 1
        successes, trials = np.zeros(length), np.zeros(length)
        for day, some, all_ in kept:
            successes[(day - first).days] += some
            trials[(day - first).days] += all_
        if bool(np.any((successes < 0) | (successes > trials))):
            raise ValueError("a day has fewer than no successes, or more than trials")
        return cls(first, successes, trials)

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.day(len(self) - 1)

    def day(self, index: int) -> date:
        """The day of an element."""
        return self.first + timedelta(index)

    def until(self, last: date) -> Series | None:
        """The part up to a day; None when nothing is left."""
        length = (last - self.first).days + 1
        if length <= 0:
            return None
        if length >= len(self):
            return self
        return Series(self.first, self.successes[:length], self.trials[:length])

    def between(self, first: date, last: date) -> tuple[float, float]:
        """Successes and trials of a span of days, both ends included."""
        start = max((first - self.first).days, 0)
        end = max((last - self.first).days + 1, 0)
        return float(self.successes[start:end].sum()), float(self.trials[start:end].sum())


def log_odds(share: float) -> float:
    """Of a share between 0 and 1."""
    return math.log(share / (1.0 - share))


def share_of(log_odds_: float) -> float:
    """The share that has these log odds."""
    return 1.0 / (1.0 + math.exp(-log_odds_))
