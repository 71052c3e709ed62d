"""The few kinds of panels that the dashboards are made of, over Grafana's own typed builders.

Rows of a day become a point at that day's midnight; the columns of a series are called ``time``
and whatever is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import GraphTresholdsStyleMode, TableCellHeight
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)

from schemas.districts import CITY, DISTRICTS

CLICKHOUSE = DataSourceRef(type_val="grafana-clickhouse-datasource", uid="popflow-clickhouse")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="popflow-prometheus")
PLACES = {
    CITY: "苏州市 Suzhou",
    **{d.code: f"{d.name_zh} {d.name_en}" for d in DISTRICTS if d.code == d.counted_as},
}
WINDOWS_SHOWN = {"364d": "364 天 days", "91d": "91 天 days", "28d": "28 天 days", "year": "年 year"}
Board = dashboard.Dashboard
_EDGE = [
    DynamicConfigValue("custom.lineWidth", 0),
    DynamicConfigValue("custom.hideFrom", {"legend": True, "tooltip": False, "viz": False}),
]
UNITS = {
    "permille": "suffix: ‰",
    "percent": "percent",
    "per_100000": "suffix: /10万",
    "per_100_girls": "none",
    "persons": "locale",
    "children": "none",
    "days": "suffix: d",
    "per_1000": "suffix: ‰",
}
"""Grafana's name of a unit of the catalogue; ``none`` for any other."""


@dataclass
class Sql(Dataquery):
    """One question to ClickHouse, as Grafana's ClickHouse plugin keeps it."""

    sql: str
    series: bool
    name: str = "A"

    def to_json(self) -> dict[str, object]:
        """The target of a panel."""
        return {
            "refId": self.name,
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "format": 0 if self.series else 1,
            "queryType": "timeseries" if self.series else "table",
            "rawSql": self.sql,
        }


class Asked(Builder[Dataquery]):
    """A question, as a builder."""

    def __init__(self, sql: str, *, series: bool) -> None:
        self._query = Sql(" ".join(sql.split()), series)

    def build(self) -> Dataquery:
        """The question."""
        return self._query


def line(
    title: str, sql: str, *, about: str = "", unit: str = "none", limit: float | None = None
) -> timeseries.Panel:
    """A series over days; columns ``low`` and ``high`` are drawn as a band around ``value``."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(CLICKHOUSE)
        .unit(unit)
        .line_width(2)
        .fill_opacity(0)
        .span_nulls(False)
        .height(8)
        .span(8)
        .override_by_name("low", _EDGE)
        .override_by_name(
            "high",
            [
                *_EDGE,
                DynamicConfigValue("custom.fillBelowTo", "low"),
                DynamicConfigValue("custom.fillOpacity", 15),
            ],
        )
        .with_target(Asked(sql, series=True))
    )
    if limit is not None:
        steps = [Threshold(value=None, color="transparent"), Threshold(value=limit, color="red")]
        panel = panel.thresholds(
            dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
        ).thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
    return panel


def number(title: str, sql: str, *, about: str = "", unit: str = "none") -> stat.Panel:
    """The newest value, large."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(CLICKHOUSE)
        .unit(unit)
        .height(4)
        .span(4)
        .no_value("—")
        .with_target(Asked(sql, series=False))
    )


def rows(title: str, sql: str, *, about: str = "", span: int = 12) -> table.Panel:
    """A table."""
    return (
        table.Panel()
        .title(title)
        .description(about)
        .datasource(CLICKHOUSE)
        .height(8)
        .span(span)
        .cell_height(TableCellHeight.SM)
        .with_target(Asked(sql, series=False))
    )


def measured(title: str, expression: str, *, legend: str, unit: str = "none") -> timeseries.Panel:
    """A series from Prometheus."""
    return (
        timeseries.Panel()
        .title(title)
        .datasource(PROMETHEUS)
        .unit(unit)
        .height(8)
        .span(8)
        .with_target(prometheus.Dataquery().expr(expression).legend_format(legend).ref_id("A"))
    )


def board(uid: str, title: str, panels: list[Builder[Any]], *, days: int = 730) -> Board:
    """A dashboard that shows so many days, for a district and a window that a reader picks."""
    drawn = (
        dashboard.Dashboard(title)
        .uid(f"popflow-{uid}")
        .tags(["popflow"])
        .timezone("Asia/Shanghai")
        .time(f"now-{days}d", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(_choice("district", "区划 district", PLACES))
        .with_variable(_choice("window", "窗口 window", WINDOWS_SHOWN))
    )
    for panel in panels:
        drawn = drawn.with_panel(panel)
    return drawn


def _choice(name: str, label: str, values: Mapping[str, str]) -> dashboard.CustomVariable:
    listed = ", ".join(f"{text} : {value}" for value, text in values.items())
    return dashboard.CustomVariable(name).label(label).values(listed)
