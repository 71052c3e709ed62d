"""How often the nowcast's intervals hold what became known later: simulated and real delays."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.nowcast import SETTLED, learn, nowcast

TRIANGLE = Path(__file__).parents[1] / "data/aids_reporting_delay_1983_1992.csv"
BIRTHS = (1.06, 1.16, 1.10, 1.10, 1.12, 0.80, 0.66)
DELAYS = 60
DAYS = 14
SEED = 2026
"""Of the draws that are printed; drawn after the method was finished."""
TOTAL = 560
QUARTERS, DELAYS_OF_QUARTERS = 38, 15
QUARTERLY = {"season": 1, "half_life": 2.0, "window": 12}


@dataclass(frozen=True)
class Scenario:
    """Reporting as it might be.

    Attributes:
        level: facts on a mean day.
        week: factors of the weekdays.
        closed: share of week-end reports that wait for the next day.
        growth: the mean delay at the end over that at the beginning.
        spread: variance of a day's rate over its square.
        slow: share of reports that take three weeks more on average.
    """

    name_zh: str
    name_en: str
    level: float
    week: tuple[float, ...] = BIRTHS
    closed: float = 0.8
    growth: float = 1.0
    spread: float = 0.0
    slow: float = 0.0

    def counts(self, seed: int) -> np.ndarray:
        """Facts by day and delay, all of them known."""
        chance = np.random.default_rng(seed)
        counts = np.zeros((TOTAL, DELAYS))
        for day in range(TOTAL):
            rate = self.level * self.week[day % 7]
            if self.spread:
                rate *= chance.gamma(1 / self.spread, self.spread)
            scale = 4 * (1 + (self.growth - 1) * day / TOTAL)
            for _ in range(chance.poisson(rate)):
                delay = chance.gamma(0.9, scale)
                if chance.random() < self.slow:
                    delay += chance.exponential(21)
                late = int(delay)
                while (day + late) % 7 in (5, 6) and chance.random() < self.closed:
                    late += 1
                if late < DELAYS:
                    counts[day, late] += 1
        return counts


SCENARIOS = (
    Scenario("城市出生，周末不办公", "a city's births, offices closed at week-ends", 180),
    Scenario("无周规律", "no pattern of the week", 180, (1,) * 7, 0.0),
    Scenario("延迟两年内加倍", "delays that double", 180, growth=2.0),
    Scenario("延迟减半", "delays that halve", 90, growth=0.5),
    Scenario(
        "逐日波动，一成报告迟三周", "days that vary, a tenth three weeks late", 120,
        spread=0.02, slow=0.1,
    ),
    Scenario("一个区", "one district", 29),
)  # fmt: skip


def as_seen(counts: np.ndarray, now: int) -> np.ndarray:
    """What is known at the end of a day."""
    seen = counts[: now + 1].copy()
    for day in range(now + 1):
        seen[day, now - day + 1 :] = 0
    return seen


def covered(counts: np.ndarray, nows: range, days: int, whole: int, **how: Any) -> tuple[int, int]:
    """How many intervals held the truth, of how many.

    Args:
        counts: facts by day and delay.
        nows: days from which it is looked back.
        days: how many are estimated each time.
        whole: days before this one are known in full.
        how: options of the nowcast.
    """
    truth, held, made = counts.sum(axis=1), 0, 0
    for now in nows:
        seen = as_seen(counts, now)
        pattern = learn(seen, **how)
        if pattern is None:
            continue
        for place, each in enumerate(nowcast(seen, days, **how) or ()):
            day = now - days + 1 + place
            if day < whole and pattern.shares[now - day] < SETTLED:
                held += each.low <= truth[day] <= each.high
                made += 1
    return held, made


def of_scenario(scenario: Scenario, seed: int) -> tuple[int, int]:
    """Every third day of the last year is looked back from."""
    return covered(scenario.counts(seed), range(200, TOTAL - DELAYS, 3), DAYS, TOTAL)


def triangle() -> np.ndarray:
    """AIDS cases of England and Wales by quarter of diagnosis and delay in quarters."""
    counts = np.zeros((QUARTERS, DELAYS_OF_QUARTERS))
    for row in csv.DictReader(TRIANGLE.read_text("utf-8").splitlines()):
        quarter = (int(row["year"]) - 1983) * 4 + int(row["quarter"]) - 3
        counts[quarter, (int(row["delay_months"]) + 1) // 3] = int(row["reports"])
    return counts


def of_triangle() -> tuple[int, int]:
    """All quarters whose reports are complete, looked back on from every later one."""
    whole = QUARTERS - DELAYS_OF_QUARTERS + 1
    last = DELAYS_OF_QUARTERS - 1
    return covered(triangle(), range(8, QUARTERS), last, whole, **QUARTERLY)
