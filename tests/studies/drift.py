"""What the drift monitors promise, and what they keep, on simulated births.

    python -m tests.studies.drift

writes the tables of ``pipeline/core/drift/README.md`` anew, each between ``<!-- table: NAME -->``
and ``<!-- end -->``. The births come from a generator with a fixed seed, so the tables are the same
each time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path as File

import numpy as np
import numpy.typing as npt

from consumers.drift.paths import SUREST
from pipeline.catalogue.monitors import MONITORS, Drift, Within, shift_of
from pipeline.core.drift.cusum import LEAST, Design, Path, cusum
from pipeline.core.drift.eprocess import eprocess, own, target
from pipeline.core.drift.series import Series, log_odds
from pipeline.core.drift.thresholds import threshold

README = File(__file__).parents[2] / "pipeline" / "core" / "drift" / "README.md"
TEN_YEARS = 3650
CHANGE = 1825
WATCHED = 1825
"""Days after a change for which it is watched for."""
NORMAL = 105.0
SHIFTED = (110.0, 115.0)
VOLUMES = (180, 17)
WEEK = np.array([0.66, 1.1, 1.16, 1.1, 1.09, 1.05, 0.84]) / np.mean(
    [0.66, 1.1, 1.16, 1.1, 1.09, 1.05, 0.84]
)
"""Births by weekday, from Sunday on, about their mean."""
GATE_DAYS = 28
RULE_DAYS = 365

RULE = shift_of("sex_ratio_at_birth")

Bools = npt.NDArray[np.bool_]


def share(ratio: float) -> float:
    """Boys among all births at a ratio per 100 girls."""
    return ratio / (100 + ratio)


def births(chance: np.random.Generator, a_day: int, days: int, change: int, ratio: float) -> Series:
    """A history at 105 that has another ratio from a day on."""
    trials = chance.poisson(a_day * WEEK[np.arange(days) % 7])
    shares = np.where(np.arange(days) < change, share(NORMAL), share(ratio))
    return Series(date(2010, 1, 1), chance.binomial(trials, shares) * 1.0, trials * 1.0)


@dataclass
class Looked:
    """A history, the day of its change, and the CUSUMs over it, each made when asked for."""

    series: Series
    change: int | None = None

    @cached_property
    def known(self) -> Path:
        """The CUSUM about a normal of 105 that is known, with the limit of its promise."""
        return self._cusum(share(NORMAL), 1.0, TEN_YEARS)

    @cached_property
    def learned(self) -> Path:
        """The CUSUM as it runs: it has to learn what is normal."""
        return self._cusum(None, LEAST, RULE.promise_days)

    def _cusum(self, normal: float | None, least: float, promise: float) -> Path:
        design = Design(RULE.factor, promise, SUREST, share=normal, least=least)
        return cusum(self.series, design)

    def evidence(self, key: str) -> Path:
        """An e-process of the catalogue."""
        rule = MONITORS[key].rule
        baselines = self.learned.baselines
        if isinstance(rule, Drift):
            normal = own(math.log(rule.tolerance))
        elif isinstance(rule, Within):
            normal = target(math.log(rule.low / 100), math.log(rule.high / 100))
        else:
            raise TypeError(key)
        return eprocess(self.series, baselines, normal, error=rule.error)


def _alarmed(path: Path) -> list[int]:
    return [(episode.alarm - path.series.first).days for episode in path.episodes]


def _begins(bad: Bools, first: int, change: int | None) -> list[int]:
    """Days on which a state begins; it counts as begun on the day of the change if it holds."""
    began = bad & ~np.concatenate([[False], bad[:-1]])
    if change is not None:
        began[change - first] |= bad[change - first]
    return [int(n) + first for n in np.flatnonzero(began)]


def _window(series: Series, days: int) -> tuple[npt.NDArray[np.float64], ...]:
    sums = (np.concatenate([[0.0], np.cumsum(x)]) for x in (series.successes, series.trials))
    some, all_ = (s[days:] - s[:-days] for s in sums)
    return some, all_


def _gate(looked: Looked) -> list[int]:
    """The ratio of the last 28 days outside 103–107."""
    some, all_ = _window(looked.series, GATE_DAYS)
    ratios = 100 * some / np.maximum(all_ - some, 1)
    return _begins((ratios < 103) | (ratios > 107), GATE_DAYS - 1, looked.change)


def _rule(looked: Looked) -> list[int]:
    """The 95 % interval of the last 365 days without 105."""
    some, all_ = _window(looked.series, RULE_DAYS)
    normal = share(NORMAL)
    z = (some - all_ * normal) / np.sqrt(all_ * normal * (1 - normal))
    return _begins(np.abs(z) > 1.959964, RULE_DAYS - 1, looked.change)


METHODS: dict[str, tuple[str, Callable[[Looked], list[int]]]] = {
    "gate": ("28 days outside 103–107 (fixed gate)", _gate),
    "rule": ("95 % interval of 365 days without 105", _rule),
    "cusum_known": ("CUSUM, 105 known, 3,650 days promised", lambda it: _alarmed(it.known)),
    "eprocess_known": (
        "e-process, 105 known",
        lambda it: _alarmed(eprocess(it.series, it.known.baselines, own(0.0))),
    ),
    "sex_ratio_shift": ("`sex_ratio_shift`, as it runs", lambda it: _alarmed(it.learned)),
    "sex_ratio_drift": (
        "`sex_ratio_drift`, as it runs",
        lambda it: _alarmed(it.evidence("sex_ratio_drift")),
    ),
    "sex_ratio_level": (
        "`sex_ratio_level`, as it runs",
        lambda it: _alarmed(it.evidence("sex_ratio_level")),
    ),
}


@dataclass
class Outcome:
    """What a method did.

    Attributes:
        alarms: numbers of alarms in each ten-year history without a change.
        delays: days to the alarm after the change, by ratio; infinite: not within five years.
    """

    alarms: list[int]
    delays: dict[float, list[float]]

    @property
    def ever(self) -> float:
        """Share of histories with any false alarm."""
        return float(np.mean([n > 0 for n in self.alarms]))

    def delay(self, ratio: float) -> str:
        """Median, ninth decile, and how many were never seen."""
        ordered = np.sort(self.delays[ratio])
        middle, late = (ordered[math.ceil(q * len(ordered)) - 1] for q in (0.5, 0.9))
        shown = (f"{d:.0f}" if np.isfinite(d) else f"> {WATCHED}" for d in (middle, late))
        return " / ".join(shown)


def simulate(
    a_day: int, histories: int, changed: int, methods: Sequence[str] = tuple(METHODS)
) -> dict[str, Outcome]:
    """Let methods look at the same histories.

    Args:
        a_day: mean number of births.
        histories: of ten years without a change.
        changed: histories with one after five years, for each ratio.
        methods: keys of :data:`METHODS`.
    """
    chance = np.random.default_rng((20260101, a_day))
    found = {key: Outcome([], {ratio: [] for ratio in SHIFTED}) for key in methods}
    for _ in range(histories):
        looked = Looked(births(chance, a_day, TEN_YEARS, TEN_YEARS, NORMAL))
        for key in methods:
            found[key].alarms.append(len(METHODS[key][1](looked)))
    for ratio in SHIFTED:
        for _ in range(changed):
            series = births(chance, a_day, CHANGE + WATCHED, CHANGE, ratio)
            looked = Looked(series, CHANGE)
            for key in methods:
                after = [day for day in METHODS[key][1](looked) if day >= CHANGE]
                delay = float(after[0] - CHANGE) if after else math.inf
                found[key].delays[ratio].append(delay)
    return found


def run_lengths(a_day: int, walks: int) -> npt.NDArray[np.float64]:
    """Days to the first false alarm of the two-sided CUSUM about a known 105, walk by walk.

    Uses the limits of the program and nothing else of it.
    """
    chance = np.random.default_rng((7, a_day))
    normal, size = share(NORMAL), math.log(RULE.factor)
    sides = [
        (
            shift,
            math.log1p(normal * (math.exp(shift) - 1)),
            threshold(a_day, log_odds(normal), shift, 2 * TEN_YEARS),
        )
        for shift in (size, -size)
    ]
    levels, days = np.zeros((2, walks)), np.zeros(walks)
    alive = np.arange(walks)
    while len(alive):
        days[alive] += 1
        boys = chance.binomial(a_day, normal, len(alive))
        ended = np.zeros(len(alive), dtype=bool)
        for level, (shift, each, limit) in zip(levels, sides, strict=True):
            level[alive] = np.maximum(level[alive] + boys * shift - a_day * each, 0)
            ended |= level[alive] >= limit
        alive = alive[~ended]
    return days


def tables(histories: int = 200, changed: int = 100, walks: int = 4000) -> dict[str, str]:
    """The tables of the README, in Markdown."""
    made = {}
    for a_day in VOLUMES:
        found = simulate(a_day, histories, changed)
        rows = [
            (
                METHODS[key][0],
                f"{100 * outcome.ever:.1f} %",
                f"{np.mean(outcome.alarms):.2f}",
                *(outcome.delay(ratio) for ratio in SHIFTED),
            )
            for key, outcome in found.items()
        ]
        head = ("method", "ever a false alarm", "false alarms", "to 110", "to 115")
        made[f"births_{a_day}"] = _table(head, rows)
    rows = []
    for a_day in VOLUMES:
        lengths = run_lengths(a_day, walks)
        error = lengths.std() / math.sqrt(walks)
        limit = threshold(a_day, log_odds(share(NORMAL)), math.log(RULE.factor), 2 * TEN_YEARS)
        rows.append((str(a_day), f"{limit:.2f}", f"{lengths.mean():,.0f} ± {error:.0f}"))
    made["run_lengths"] = _table(("births a day", "limit", "mean days to a false alarm"), rows)
    return made


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for line in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(line)} |"


def main() -> None:
    """Write the tables anew."""
    made = tables()
    region = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    text = README.read_text("utf-8")
    README.write_text(region.sub(lambda m: f"{m[1]}\n{made[m[2]]}\n\n{m[3]}", text), "utf-8")


if __name__ == "__main__":
    main()
