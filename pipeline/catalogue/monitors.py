"""The monitors: what is watched for drift, by which rule, and with which promise.

A new one is an entry here and its page in ``deploy/runbooks``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.model import Count, Indicator, Stock
from pipeline.catalogue.vocabulary import CatalogueError, known
from schemas.alert import SEVERITIES, Severity

TEN_YEARS = 3650.0
HUNDRED_YEARS = 10 * TEN_YEARS
"""Promised of one series: the city and ten districts together then give one in nine years."""
FEEDS = ("source", "district")


@dataclass(frozen=True)
class Shift:
    """A CUSUM against the series' own baseline.

    Attributes:
        factor: of the odds that has to be seen, in both directions.
        promise_days: mean days between false alarms of one series.
    """

    factor: float
    promise_days: float = HUNDRED_YEARS

    def __post_init__(self) -> None:
        _check(self.factor > 1 and self.promise_days > 1, "a shift needs a factor above 1")


@dataclass(frozen=True)
class Drift:
    """An e-process against the series' own baseline.

    Attributes:
        tolerance: factor of the odds that is no drift, in both directions.
        error: chance of ever raising a false alarm.
    """

    tolerance: float
    error: float = 0.05

    def __post_init__(self) -> None:
        _check(self.tolerance >= 1 and 0 < self.error < 1, "a drift needs a tolerance from 1 on")


@dataclass(frozen=True)
class Within:
    """An e-process against a target range.

    Attributes:
        low, high: ends of the range, in the indicator's unit.
        error: chance of ever raising a false alarm.
    """

    low: float
    high: float
    error: float = 0.01

    def __post_init__(self) -> None:
        _check(0 < self.low < self.high and 0 < self.error < 1, "a range needs two ends")


@dataclass(frozen=True)
class AtLeast:
    """A level that is known in full, in percent."""

    limit: float


@dataclass(frozen=True)
class Fall:
    """A loss of percentage points within days of a level that is known in full."""

    points: float
    days: int = 7

    def __post_init__(self) -> None:
        _check(self.points > 0 and self.days > 0, "a fall needs points and days")


@dataclass(frozen=True)
class Quiet:
    """Feeds that stop.

    Attributes:
        of: ``source`` (each publisher) or ``district`` (each sector's events of one kind there).
        promise_days: mean days between false alarms of all those feeds together.
    """

    of: str
    promise_days: float = TEN_YEARS

    def __post_init__(self) -> None:
        known("kind of feed", self.of, FEEDS)


Rule = Shift | Drift | Within | AtLeast | Fall | Quiet
OF_COUNTS = (Shift, Drift, Within)
OF_STOCKS = (AtLeast, Fall)


@dataclass(frozen=True)
class Monitor:
    """One monitor, whole.

    Attributes:
        key: its name everywhere; its runbook is ``<key>.md``.
        name_zh: 名称.
        name_en: English name.
        indicator: key of the catalogue; empty for feeds.
        rule: what is an alarm.
        severity: of its alerts.
        city: of its alerts about the whole city; as ``severity`` when left out.
        source: where rule and promise come from.
    """

    key: str
    name_zh: str
    name_en: str
    indicator: str
    rule: Rule
    severity: Severity
    source: str
    city: Severity | None = field(default=None)

    def __post_init__(self) -> None:
        known("severity", self.severity, SEVERITIES, self.key)
        if not (self.name_zh and self.name_en and self.source):
            raise CatalogueError(f"{self.key}: both names and the source are needed")
        if isinstance(self.rule, Quiet):
            _check(not self.indicator, f"{self.key}: a feed is no indicator", "")
            return
        known("indicator", self.indicator, INDICATORS, self.key)
        terms = (self.entry.numerator, self.entry.denominator)
        if isinstance(self.rule, OF_COUNTS):
            _check(all(isinstance(t, Count) and not t.bands and not t.border for t in terms),
                   "watches a count divided by a count, of all bands", self.key)  # fmt: skip
        else:
            _check(all(isinstance(t, Stock) and t.measure for t in terms),
                   "watches one stock that is a part of another", self.key)  # fmt: skip

    @property
    def entry(self) -> Indicator:
        """The indicator it watches."""
        return INDICATORS[self.indicator]

    @property
    def odds(self) -> bool:
        """Whether the value is one part to the other, not a part of the whole."""
        return self.entry.interval == "wilson_odds"

    @property
    def runbook(self) -> str:
        """File name of its page."""
        return f"{self.key}.md"

    def severity_in(self, whole_city: bool) -> Severity:
        """Of an alert about the city, or about one of its districts or feeds."""
        return self.city or self.severity if whole_city else self.severity


def _check(right: bool, what: str, entry: str = "monitor") -> None:
    if not right:
        raise CatalogueError(f"{entry}: {what}" if entry else what)


_PLAN = "苏府办〔2017〕33号, 主要目标"

MONITORS = {
    monitor.key: monitor
    for monitor in (
        Monitor(
            "sex_ratio_shift", "出生人口性别比突变", "sex ratio at birth shifted",
            "sex_ratio_at_birth", Shift(110 / 105), "warning",
            "CUSUM: Page 1954; designed for 105 to 110; all series together give one false alarm"
            " in nine years",
            city="critical",
        ),
        Monitor(
            "sex_ratio_drift", "出生人口性别比偏离自身基线", "sex ratio at birth left its baseline",
            "sex_ratio_at_birth", Drift(1.02), "warning",
            "e-process: Wasserman, Ramdas and Balakrishnan 2020; at most 5 % false alarms ever;"
            " two points are biology",
            city="critical",
        ),
        Monitor(
            "sex_ratio_level", "出生人口性别比超出正常范围", "sex ratio at birth outside 103–107",
            "sex_ratio_at_birth", Within(103, 107), "warning", _PLAN,
        ),
        Monitor(
            "management_rate_level",
            "流动人口服务管理率低于目标", "migrant management rate under target",
            "migrant_management_rate", AtLeast(99), "critical", _PLAN,
        ),
        Monitor(
            "management_rate_fall", "流动人口服务管理率骤降", "migrant management rate falling",
            "migrant_management_rate", Fall(0.3), "warning",
            "0.3 points in 7 days: 21,000 of seven million people",
        ),
        Monitor(
            "source_silence", "数据来源中断", "source gone quiet",
            "", Quiet("source"), "warning", "one false alarm in ten years over all sources",
        ),
        Monitor(
            "feed_silence", "区县数据中断", "feed of a district gone quiet",
            "", Quiet("district"), "warning", "one false alarm in ten years over all feeds",
        ),
    )
}  # fmt: skip
"""In the order in which they are shown."""


def shift_of(indicator: str) -> Shift:
    """The CUSUM of an indicator, which learns the baseline that its other monitors use as well."""
    for monitor in MONITORS.values():
        if monitor.indicator == indicator and isinstance(monitor.rule, Shift):
            return monitor.rule
    raise CatalogueError(f"{indicator}: a drift or a range needs a shift that learns the baseline")


for _monitor in MONITORS.values():
    if isinstance(_monitor.rule, OF_COUNTS):
        shift_of(_monitor.indicator)
