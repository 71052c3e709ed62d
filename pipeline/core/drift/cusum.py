"""The binomial CUSUM, two-sided: quick to see a lasting shift.

Sources: Page, Biometrika 41 (1954) 100; for Bernoulli counts Reynolds and Stoumbos, Journal of
Quality Technology 31 (1999) 87.

Every day adds its log likelihood ratio, shifted against normal, to a sum that never falls under
zero. The sum crosses its limit by chance as rarely as promised (:mod:`thresholds`). From the
alarm on, the same ratio the other way round tells when normal is back.

Normal is a known share, or the series' own baseline (:mod:`baseline`). What a learned baseline
does not know, its standard error, is no drift: the shift is looked for beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np

from pipeline.core.drift.baseline import Baseline, Blocks, learn
from pipeline.core.drift.series import BLOCK, Floats, Series, log_odds
from pipeline.core.drift.thresholds import lifted_odds, threshold

Direction = Literal["up", "down"]
LEAST = 200.0
"""Evidence without which there is no alarm, as a likelihood ratio: by Ville's inequality one day in
two hundred at most shows so much by chance, in each direction."""


@dataclass(frozen=True)
class Design:
    """What a CUSUM looks for, and what it promises.

    Attributes:
        shift: factor of the odds that has to be seen, above 1; looked for in both directions.
        promise: mean days between two false alarms of both sides together.
        least: evidence, as a likelihood ratio, without which there is no alarm: at small counts
            little is enough to keep the promise.
        surest: standard error of the log odds below which a baseline is learned.
        share: normal share where it is known; None: the series' own.
    """

    shift: float
    promise: float
    surest: float
    share: float | None = None
    least: float = LEAST


@dataclass(frozen=True)
class Episode:
    """One stretch of alarm.

    Attributes:
        since: day on which the drift began, as estimated.
        alarm: day on which the limit was crossed.
        end: day on which normal was back; None while it lasts.
        direction: of the drift.
        statistic: the greatest value it reached.
        limit: that was crossed.
        normal: share it drifted away from.
    """

    since: date
    alarm: date
    end: date | None
    direction: Direction
    statistic: float
    limit: float
    normal: float


@dataclass
class Path:
    """A statistic day by day, and the alarms it gave.

    Attributes:
        series: what was looked at.
        up, down: the statistic of each direction; not a number where nothing can be said yet.
        limits: to be crossed, of each direction alike where one is drawn; not a number likewise.
        baselines: the normal of each block of four weeks.
        episodes: alarms in order of time.
    """

    series: Series
    up: Floats
    down: Floats
    limits: Floats
    baselines: list[Baseline | None]
    episodes: list[Episode] = field(default_factory=list)

    @property
    def lasting(self) -> Episode | None:
        """The alarm that lasts; None when all is normal."""
        last = self.episodes[-1] if self.episodes else None
        return last if last is not None and last.end is None else None


def cusum(series: Series, design: Design) -> Path:
    """Run the CUSUM over a series; the same series always gives the same path."""
    return _Run(series, design).path


class _Run:
    """One pass over a series, block by block; a block has one baseline."""

    def __init__(self, series: Series, design: Design) -> None:
        self.design = design
        self.series = series
        length = len(series)
        nan = np.full(length, np.nan)
        self.blocks = Blocks.of(series)
        self.clean = np.ones(len(self.blocks.trials))
        self.path = Path(series, nan.copy(), nan.copy(), nan.copy(), [])
        self.level = {"up": 0.0, "down": 0.0}
        self.since = {"up": 0, "down": 0}
        self.alarm: tuple[Direction, int, int, float, Baseline] | None = None
        self.recovery = 0.0
        for block in range(len(self.clean)):
            self._block(block, slice(block * BLOCK, min((block + 1) * BLOCK, length)))
        if self.alarm is not None:
            self._close(None)

    def _block(self, block: int, days: slice) -> None:
        baseline = self._baseline(block)
        if self.alarm is not None:
            baseline = self.alarm[4]
            self.clean[block] = 0.0
        self.path.baselines.append(baseline)
        if baseline is None:
            return
        start: int = days.start
        while start < days.stop:
            span = slice(start, days.stop)
            start = self._recover(span) if self.alarm else self._watch(span, baseline)

    def _baseline(self, block: int) -> Baseline | None:
        if self.design.share is None:
            return learn(self.blocks, block, self.clean, self.design.surest)
        known = self.blocks.trials.sum() / max(self.blocks.days.sum(), 1.0)
        return Baseline(log_odds(self.design.share), 0.0, 1.0, float(known))

    def _steps(self, span: slice, baseline: Baseline, direction: Direction) -> Floats:
        """Each day's log likelihood ratio."""
        sign = 1.0 if direction == "up" else -1.0
        shift = sign * float(np.log(self.design.shift))
        normal = baseline.odds + sign * baseline.error
        some, all_ = self.series.successes[span], self.series.trials[span]
        steps: Floats = (some * shift - all_ * lifted_odds(normal, shift)) / baseline.scatter
        return steps

    def _limit(self, baseline: Baseline, direction: Direction) -> float:
        sign = 1.0 if direction == "up" else -1.0
        promised = threshold(
            baseline.trials / baseline.scatter,
            baseline.odds + sign * baseline.error,
            sign * float(np.log(self.design.shift)),
            2 * self.design.promise,
        )
        return max(promised, float(np.log(self.design.least)))

    def _watch(self, span: slice, baseline: Baseline) -> int:
        """Go on until an alarm or the end of the span; gives the index after the last day."""
        found: list[tuple[int, Direction, float]] = []
        walks: dict[Direction, Floats] = {}
        for direction in ("up", "down"):
            sums = self.level[direction] + np.cumsum(self._steps(span, baseline, direction))
            walks[direction] = sums - np.minimum(np.minimum.accumulate(sums), 0.0)
            limit = self._limit(baseline, direction)
            crossed = np.flatnonzero(walks[direction] >= limit)
            if len(crossed):
                found.append((int(crossed[0]), direction, limit))
        length, side, limit = min(found, default=(span.stop - span.start - 1, None, 0.0))
        stop = int(span.start) + length + 1
        for direction, walk in walks.items():
            here = slice(span.start, stop)
            getattr(self.path, direction)[here] = walk[: length + 1]
            floor = np.flatnonzero(walk[: length + 1] <= 0)
            if len(floor):
                self.since[direction] = span.start + int(floor[-1]) + 1
            self.level[direction] = float(walk[length])
        self.path.limits[span.start : stop] = min(
            self._limit(baseline, direction) for direction in walks
        )
        if side is not None:
            self._open(side, stop - 1, limit, baseline)
        return stop

    def _open(self, side: Direction, index: int, limit: float, baseline: Baseline) -> None:
        self.alarm = (side, self.since[side], index, limit, baseline)
        self.recovery = 0.0
        self.clean[self.since[side] // BLOCK : index // BLOCK + 1] = 0.0

    def _recover(self, span: slice) -> int:
        """Go on until normal is back or the end of the span."""
        assert self.alarm is not None  # noqa: S101 - the caller looked
        side, _, _, limit, baseline = self.alarm
        for direction in ("up", "down"):
            steps = self._steps(span, baseline, direction)
            sums = self.level[direction] + np.cumsum(steps)
            walk = sums - np.minimum(np.minimum.accumulate(sums), 0.0)
            if direction == side:
                back = self.recovery - np.cumsum(steps)
                back = back - np.minimum(np.minimum.accumulate(back), 0.0)
                over = np.flatnonzero(back >= limit)
                length = int(over[0]) if len(over) else span.stop - span.start - 1
                self.recovery = float(back[length])
                ended = bool(len(over))
            self.path.limits[span] = limit
            getattr(self.path, direction)[span] = walk
            self.level[direction] = float(walk[-1])
        stop = int(span.start) + length + 1
        if ended:
            self._close(stop - 1)
            self.level = {"up": 0.0, "down": 0.0}
            self.since = {"up": stop, "down": stop}
        return stop

    def _close(self, index: int | None) -> None:
        assert self.alarm is not None  # noqa: S101 - the caller looked
        side, since, alarm, limit, baseline = self.alarm
        self.alarm = None
        walk: Floats = getattr(self.path, side)
        last = len(self.series) if index is None else index + 1
        self.path.episodes.append(
            Episode(
                since=self.series.day(since),
                alarm=self.series.day(alarm),
                end=None if index is None else self.series.day(index),
                direction=side,
                statistic=float(np.nanmax(walk[alarm:last])),
                limit=limit,
                normal=float(1 / (1 + np.exp(-baseline.odds))),
            )
        )
