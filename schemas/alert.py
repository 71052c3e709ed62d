"""An alert: one message on ``population.alerts.v1`` for every change of its state.

The key of a message is the alert's ``id``, so that the changes of one alert stay in order. A
message that says the same state as the one before it is a repeat (a worker that died between two
writes) and means nothing new.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import DISTRICT_PATTERN

State = Literal["pending", "firing", "resolved", "withdrawn"]
Severity = Literal["info", "warning", "critical"]

STATES: dict[State, tuple[str, str]] = {
    "pending": ("待确认", "crossed its limit, but not yet beyond doubt"),
    "firing": ("告警中", "beyond its limit"),
    "resolved": ("已恢复", "it was so, and is over"),
    "withdrawn": ("已撤回", "it was never so: late or corrected reports explained it"),
}
OPEN: tuple[State, ...] = ("pending", "firing")
"""States of an alert that somebody still has to care about."""
SEVERITIES: dict[Severity, tuple[str, str]] = {
    "info": ("提示", "to know"),
    "warning": ("警告", "to look into this week"),
    "critical": ("严重", "to act on today"),
}

Share = Annotated[float, Field(ge=0, le=1)]


class Alert(BaseModel):
    """One alert in one state."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$", title="编号 / id")] = Field(
        description="stable for one episode, however often it is derived anew"
    )
    monitor: str = Field(title="监测项 / monitor", description="key of the catalogue")
    indicator: str = Field(
        title="指标 / indicator", description="key of the catalogue; of a feed, its name"
    )
    district: str = Field(
        title="区县 / district", pattern=DISTRICT_PATTERN, description="320500 is the city"
    )
    state: State = Field(title="状态 / state")
    severity: Severity = Field(title="级别 / severity")
    since: date = Field(title="起始 / since", description="day on which it began, as estimated")
    as_of: date = Field(title="统计截至 / as of", description="last day evaluated")
    known_on: date = Field(title="知悉日 / known on", description="by what was known on this day")
    numerator: float | None = Field(title="分子 / numerator")
    denominator: float | None = Field(title="分母 / denominator")
    value: float | None = Field(title="数值 / value", description="in the indicator's unit")
    low: float | None = Field(title="下限 / low", description="of the 95 % interval of the value")
    high: float | None = Field(title="上限 / high", description="of the 95 % interval of the value")
    completeness: Share | None = Field(
        title="完整率 / completeness", description="expected share of the facts that are known"
    )
    limit: str = Field(title="界限 / limit", description='what is wanted, for example ">= 99"')
    statistic: float = Field(title="统计量 / statistic", description="what was compared")
    threshold: float = Field(title="阈值 / threshold", description="with what")
    late_reporting_could_explain: bool = Field(title="迟报可否解释 / late reporting could explain")
    summary_zh: str = Field(title="摘要 / summary in Chinese")
    summary_en: str = Field(title="英文摘要 / summary in English")
    runbook: str = Field(title="处置手册 / runbook", description="file name under deploy/runbooks")
    worklist: str = Field(
        title="工作清单 / worklist",
        description="a statement that lists what to work through; may be empty",
    )
    at: datetime = Field(title="变更时间 / at", description="when the state changed")

    @property
    def subject(self) -> tuple[str, str, str]:
        """What it is about: monitor, indicator and district."""
        return self.monitor, self.indicator, self.district


def alert_id(monitor: str, indicator: str, district: str, since: date) -> str:
    """The id of the episode that was first seen to begin on a day: 32 hex digits."""
    name = "\n".join((monitor, indicator, district, since.isoformat()))
    return hashlib.sha256(name.encode()).hexdigest()[:32]
