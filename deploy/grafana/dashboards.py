"""The dashboards. What is drawn of an indicator follows from its entry in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.cog.builder import Builder

from deploy.grafana.panels import UNITS, Board, board, line, measured, number, rows
from pipeline.catalogue import INDICATORS
from pipeline.catalogue.model import Indicator
from pipeline.catalogue.targets import TARGETS
from schemas.districts import CITY

Panels = list[Builder[Any]]

BIRTHS = (
    *("birth_rate", "general_fertility_rate", "total_fertility_rate", "sex_ratio_at_birth"),
    *("stillbirth_rate", "birth_defect_rate", "low_birth_weight_share"),
)
MIGRANTS = (
    *("migrant_management_rate", "registered_in_time_rate", "endorsed_in_time_rate"),
    *("net_migration_rate", "in_migration_rate", "out_migration_rate", "migrants_known"),
)
HEALTH = (
    *("death_rate", "infant_mortality", "neonatal_mortality", "under5_mortality"),
    *("maternal_mortality_ratio", "discharges_per_1000", "mean_stay_days", "hospital_mortality"),
    *("reimbursement_employee", "reimbursement_resident"),
)
QUALITY = (
    *("birth_completeness", "death_completeness", "birth_late_share", "death_late_share"),
    *("balance_residual", "balance_residual_rate"),
)
_DAYS = """
    SELECT toDateTime(day) AS time, district, sum(value) AS value FROM population.daily
    WHERE measure = '{measure}' AND day <= today() AND $__dateFilter(day)
    GROUP BY day, district ORDER BY day, district
"""


def trend(entry: Indicator) -> Builder[Any]:
    """How an indicator moved, with its interval and the plan's limit."""
    base = entry.bases[-1]
    window = f"'{entry.windows[0]}'" if len(entry.windows) == 1 else "'$window'"
    limits = [t.high or t.low for t in TARGETS if t.indicator == entry.key]
    limit = float(limits[0]) if limits and limits[0] is not None else None
    sql = f"""
        SELECT toDateTime(as_of) AS time, value, low, high FROM population.indicators
        WHERE indicator = '{entry.key}' AND base = '{base}' AND district = '$district'
        AND `window` = {window} AND $__dateFilter(as_of) ORDER BY as_of
    """  # noqa: S608 - names of the catalogue
    about = f"{entry.source}. {base or 'all'}; {entry.unit}"
    title = f"{entry.name_zh} {entry.name_en}"
    return line(title, sql, about=about, unit=UNITS.get(entry.unit, "none"), limit=limit)


def newest(entry: Indicator) -> Builder[Any]:
    """The newest value of the city."""
    base = entry.bases[-1]
    window = "364d" if "364d" in entry.windows else entry.windows[0]
    sql = f"""
        SELECT value FROM population.indicators WHERE indicator = '{entry.key}'
        AND base = '{base}' AND district = '{CITY}' AND `window` = '{window}'
        ORDER BY as_of DESC LIMIT 1
    """  # noqa: S608 - names of the catalogue
    return number(f"{entry.name_zh} {entry.name_en}", sql, unit=UNITS.get(entry.unit, "none"))


def _trends(keys: Sequence[str]) -> Panels:
    return [trend(INDICATORS[key]) for key in keys]


def _plan() -> Board:
    of_plan = [INDICATORS[target.indicator] for target in TARGETS]
    table = rows(
        "规划目标 the plan's targets",
        "SELECT * FROM population.targets",
        span=24,
    )
    others = [
        INDICATORS[key]
        for key in INDICATORS
        if key not in {*BIRTHS, *MIGRANTS, *HEALTH, *QUALITY} and INDICATORS[key] not in of_plan
    ]
    panels: Panels = [newest(entry) for entry in of_plan]
    panels += [table, *(trend(entry) for entry in [*of_plan, *others])]
    return board("plan", "规划总览 Plan overview", panels)


def _births() -> Board:
    funnel = """
        SELECT district, numerator AS boys, denominator AS girls, value, low, high, completeness
        FROM population.indicators
        WHERE indicator = 'sex_ratio_at_birth' AND `window` = '$window'
        AND as_of = (SELECT max(as_of) FROM population.indicators) ORDER BY district
    """
    panels = [
        *_trends(BIRTHS),
        line("每日出生 births a day", _DAYS.format(measure="births")),
        rows("各区性别比 sex ratio by district", funnel, span=16),
    ]
    return board("births", "出生与性别比 Births and sex ratio", panels)


def _migrants() -> Board:
    managed = """
        SELECT district, numerator AS managed, denominator AS known, value
        FROM population.now WHERE indicator = 'migrant_management_rate' ORDER BY value
    """
    panels = [
        *_trends(MIGRANTS),
        rows("各区服务管理率 management rate by district", managed, about=_MANAGED),
        line("每日到期签注 endorsements due", _DAYS.format(measure="endorsements_due")),
    ]
    return board("migrants", "流动人口 Migrants", panels)


_MANAGED = "migrants_managed ÷ migrants_known; no official formula in public text, ours 自定口径"


def _quality() -> Board:
    found = """
        SELECT code, district, count() AS standing FROM population.findings
        GROUP BY code, district ORDER BY standing DESC LIMIT 100
    """
    refused = """
        SELECT code, topic, count() AS waiting, max(rejected_at) AS newest
        FROM population.rejected WHERE NOT mended GROUP BY code, topic ORDER BY waiting DESC
    """
    status = """
        SELECT indicator, `window`, status, min(completeness) AS completeness
        FROM population.now GROUP BY indicator, `window`, status ORDER BY completeness LIMIT 100
    """
    panels = [
        *_trends(QUALITY),
        rows("发现的问题 findings", found),
        rows("被拒绝的消息 refused messages", refused),
        rows("完整程度 completeness", status, span=24),
    ]
    return board("quality", "数据质量 Data quality", panels)


def _operations() -> Board:
    panels: Panels = [
        measured(
            "接收 accepted events/s",
            "sum by (kind) (rate(popflow_events_accepted_total[1m]))",
            legend="{{kind}}",
        ),
        measured(
            "拒绝 refused/s",
            "sum by (code) (rate(popflow_events_refused_total[5m]))",
            legend="{{code}}",
        ),
        measured(
            "入账 posted events/s",
            "sum by (outcome) (rate(popflow_events_posted_total[1m]))",
            legend="{{outcome}}",
        ),
        measured(
            "批处理耗时 flush p95",
            "histogram_quantile(0.95, sum by (le, stage) (rate(popflow_flush_seconds_bucket[5m])))",
            legend="{{stage}}",
            unit="s",
        ),
        measured("时延 freshness", "max(popflow_freshness_seconds)", legend="freshness", unit="s"),
        measured(
            "存储重试 store retries",
            "sum(increase(popflow_store_retries_total[5m]))",
            legend="retries",
        ),
        measured(
            "状态大小 state size",
            "sum by (partition) (popflow_state_bytes)",
            legend="{{partition}}",
            unit="bytes",
        ),
        measured(
            "已处理位点 journal offset",
            "max by (partition) (popflow_journal_offset)",
            legend="{{partition}}",
        ),
    ]
    return board("operations", "流水线运行 Pipeline operations", panels, days=1)


def boards() -> dict[str, Board]:
    """Every dashboard, by the name of its file."""
    return {
        "plan": _plan(),
        "births": _births(),
        "migrants": _migrants(),
        "health": board("health", "卫生健康 Health", _trends(HEALTH)),
        "quality": _quality(),
        "operations": _operations(),
    }
