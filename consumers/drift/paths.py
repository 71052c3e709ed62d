"""Paths of the monitors over the series of the store; a series that has not changed keeps its."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

from pipeline.catalogue.monitors import AtLeast, Drift, Fall, Monitor, Shift, Within, shift_of
from pipeline.core.drift.cusum import Design, Path, cusum
from pipeline.core.drift.eprocess import eprocess, own, target
from pipeline.core.drift.levels import below, fall
from pipeline.core.drift.series import Series

SUREST = 0.015
"""Standard error of the log odds at which a baseline is good enough: 1.6 boys per 100 girls."""


class Paths:
    """Computes paths, and remembers the newest of each monitor and district."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[bytes, Path]] = {}

    def of(self, monitor: Monitor, district: str, series: Series) -> Path:
        """The path of a monitor over the series of a district."""
        rule = monitor.rule
        if isinstance(rule, Shift):
            return self._shift(monitor.indicator, district, series)
        if isinstance(rule, AtLeast):
            return below(series, rule.limit)
        if isinstance(rule, Fall):
            return fall(series, rule.days, rule.points)
        baselines = self._shift(monitor.indicator, district, series).baselines
        if isinstance(rule, Drift):
            normal = own(math.log(rule.tolerance))
        elif isinstance(rule, Within):
            normal = target(*(log_odds_of(monitor, end) for end in (rule.low, rule.high)))
        else:
            raise TypeError(f"{monitor.key} watches no series")
        error = rule.error
        return self._remembered(
            monitor.key,
            district,
            series,
            lambda: eprocess(series, baselines, normal, error=error),
        )

    def _shift(self, indicator: str, district: str, series: Series) -> Path:
        rule = shift_of(indicator)
        design = Design(rule.factor, rule.promise_days, SUREST)
        return self._remembered(indicator, district, series, lambda: cusum(series, design))

    def _remembered(
        self, name: str, district: str, series: Series, make: Callable[[], Path]
    ) -> Path:
        digest = hashlib.sha256(
            series.first.isoformat().encode() + series.successes.tobytes() + series.trials.tobytes()
        ).digest()
        kept = self._kept.get((name, district))
        if kept is None or kept[0] != digest:
            kept = self._kept[name, district] = digest, make()
        return kept[1]


def log_odds_of(monitor: Monitor, value: float) -> float:
    """Log odds of a value in the unit of a monitor's indicator."""
    share = value / monitor.entry.scale
    return math.log(share if monitor.odds else share / (1 - share))


def value_of(monitor: Monitor, share: float) -> float:
    """A share in the unit of a monitor's indicator."""
    return monitor.entry.scale * (share / (1 - share) if monitor.odds else share)
