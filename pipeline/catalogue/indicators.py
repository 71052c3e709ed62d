"""The indicators. One entry is the whole definition; everything else is generated from it.

A new one is an entry here and its cases in ``tests/cases/indicators``.
"""

from __future__ import annotations

from pipeline.catalogue.model import (
    Between,
    Chapman,
    Count,
    Denominator,
    Fact,
    Indicator,
    Numerator,
    One,
    Stock,
)
from pipeline.catalogue.vocabulary import CatalogueError

ROLLING = ("28d", "91d", "364d", "year")
MATERNAL = (*ROLLING, "mcyear")
DAY = ("1d",)
BOTH = ("hukou", "resident")

_YEARBOOK = "中国统计年鉴, 主要统计指标解释"
_HEALTH = "中国卫生健康统计年鉴, 主要指标解释"
_PLAN = "苏府办〔2017〕33号, 主要目标"
_OURS = "no official formula in public text; ours"


def _share(
    key: str, names: tuple[str, str], numerator: Numerator, denominator: Denominator, source: str
) -> Indicator:
    """A part of a whole in the windows of counts."""
    return Indicator(
        key, *names, numerator, denominator, "percent", ROLLING, source, interval="wilson"
    )


def _vital(
    key: str, names: tuple[str, str], numerator: Count, source: str = _YEARBOOK
) -> Indicator:
    """Events a year for every thousand people, on both bases."""
    return Indicator(
        key, *names, numerator, Stock(), "permille", ROLLING, source, BOTH, interval="garwood"
    )


def _of_births(
    key: str, names: tuple[str, str], measure: str, unit: str = "permille", source: str = _HEALTH
) -> Indicator:
    """Deaths for live births."""
    return Indicator(
        key, *names, Count(measure), Count("births"), unit, MATERNAL, source, interval="garwood"
    )


def _reference(key: str, name_zh: str, name_en: str, unit: str = "percent") -> Indicator:
    """A fact that no event yields: imported, with its source and the day it became known."""
    return Indicator(key, name_zh, name_en, Fact(), One(), unit, DAY, _PLAN)


_ENTRIES = (
    _vital("birth_rate", ("出生率", "birth rate"), Count("births")),
    _vital("death_rate", ("死亡率", "death rate"), Count("deaths")),
    Indicator(
        "natural_growth_rate", "自然增长率", "rate of natural growth",
        Count("births"), Stock(), "permille", ROLLING, _YEARBOOK, BOTH,
        less=Count("deaths"), interval="difference",
    ),
    Indicator(
        "net_migration_rate", "机械增长率", "net migration rate",
        Count("arrivals", border=True), Stock(), "permille", ROLLING, _YEARBOOK, BOTH,
        less=Count("departures", border=True), interval="difference",
    ),
    _vital("in_migration_rate", ("迁入率", "in-migration rate"), Count("arrivals", border=True)),
    _vital(
        "out_migration_rate", ("迁出率", "out-migration rate"), Count("departures", border=True)
    ),
    Indicator(
        "balance_residual", "平衡差", "balance residual",
        Between("residual"), One(), "persons", DAY, "demographic balancing equation", ("hukou",),
    ),
    Indicator(
        "balance_residual_rate", "平衡差率", "balance residual rate",
        Between("residual"), Between("mean"), "permille", DAY,
        "demographic balancing equation", ("hukou",),
    ),
    Indicator(
        "growth_rate", "总增长率", "growth between the two newest baselines",
        Between("increase"), Between("mean"), "permille", DAY, _YEARBOOK, ("hukou",),
    ),
    Indicator(
        "general_fertility_rate", "一般生育率", "general fertility rate",
        Count("births"), Stock(sex="2", ages=(15, 49)), "permille", ROLLING, _YEARBOOK,
        ("hukou",), interval="garwood",
    ),
    Indicator(
        "total_fertility_rate", "总和生育率", "total fertility rate",
        Count("births"), Stock(sex="2", ages=(15, 49)), "children", ROLLING, _PLAN,
        ("hukou",), interval="fertility", fertility=True,
    ),
    Indicator(
        "sex_ratio_at_birth", "出生人口性别比", "sex ratio at birth",
        Count("births", sex="1"), Count("births", sex="2"), "per_100_girls", ROLLING, _PLAN,
        interval="wilson_odds",
    ),
    _of_births("infant_mortality", ("婴儿死亡率", "infant mortality"), "infant_deaths"),
    _of_births("neonatal_mortality", ("新生儿死亡率", "neonatal mortality"), "neonatal_deaths"),
    _of_births("under5_mortality", ("5岁以下儿童死亡率", "under-five mortality"), "under5_deaths"),
    _of_births(
        "maternal_mortality_ratio", ("孕产妇死亡率", "maternal mortality ratio"),
        "maternal_deaths", "per_100000",
    ),
    Indicator(
        "stillbirth_rate", "死胎死产率", "stillbirth rate",
        Count("stillbirths"), Count("perinates"), "permille", MATERNAL, _HEALTH, interval="wilson",
    ),
    Indicator(
        "birth_defect_rate", "出生缺陷发生率", "birth defect rate",
        Count("perinates_with_defect"), Count("perinates"), "permille", MATERNAL, _PLAN,
        interval="wilson",
    ),
    Indicator(
        "low_birth_weight_share", "低出生体重发生率", "share of low birth weight",
        Count("low_weight_births"), Count("births_weighed"), "percent", MATERNAL, _HEALTH,
        interval="wilson",
    ),
    Indicator(
        "migrant_management_rate", "流动人口服务管理率", "migrant management rate",
        Stock("migrants_managed"), Stock("migrants_known"), "percent", ("1d", "7d"), _OURS,
        interval="wilson",
    ),
    _share(
        "registered_in_time_rate", ("及时登记率", "arrivals registered in time"),
        Count("arrivals_registered_in_time"), Count("arrivals", residency="migrant"), _OURS,
    ),
    _share(
        "endorsed_in_time_rate", ("按时签注率", "endorsed in time"),
        Count("endorsed_in_time"), Count("endorsements_due"), _OURS,
    ),
    Indicator(
        "resident_population", "常住人口", "resident population",
        Stock(), One(), "persons", DAY, _YEARBOOK, ("resident",),
    ),
    Indicator(
        "hukou_population", "户籍人口", "registered population",
        Stock(), One(), "persons", DAY, _YEARBOOK, ("hukou",),
    ),
    Indicator(
        "migrants_known", "流动人口", "migrants known",
        Stock("migrants_known"), One(), "persons", DAY, _OURS,
    ),
    Indicator(
        "population_sex_ratio", "人口性别比", "sex ratio of the population",
        Stock(sex="1"), Stock(sex="2"), "per_100_women", DAY, _YEARBOOK, ("hukou",),
    ),
    Indicator(
        "urban_share", "常住人口城镇化率", "urban share of residents",
        Stock(urban=True), Stock(), "percent", DAY, _YEARBOOK, ("resident",),
    ),
    Indicator(
        "share_60_plus", "60岁及以上人口占比", "share aged 60 and over",
        Stock(ages=(60, None)), Stock(), "percent", DAY, _YEARBOOK, ("hukou",),
    ),
    Indicator(
        "share_65_plus", "65岁及以上人口占比", "share aged 65 and over",
        Stock(ages=(65, None)), Stock(), "percent", DAY, _YEARBOOK, ("hukou",),
    ),
    _vital("discharges_per_1000", ("千人出院人次", "discharges per 1,000"), Count("discharges"),
           _HEALTH),
    Indicator(
        "mean_stay_days", "平均住院日", "mean stay",
        Count("bed_days"), Count("discharges"), "days", ROLLING, _HEALTH, interval="ratio_of_sums",
    ),
    _share(
        "hospital_mortality", ("住院病死率", "hospital mortality"),
        Count("hospital_deaths"), Count("discharges"), _HEALTH,
    ),
    *(
        Indicator(
            f"reimbursement_{scheme}", f"{name_zh}医保政策范围内住院报销比例",
            f"in-policy reimbursement, {name_en}",
            Count("fund_fen", bands=(scheme,)), Count("in_policy_fen", bands=(scheme,)),
            "percent", ROLLING, _PLAN, interval="ratio_of_sums",
        )
        for scheme, name_zh, name_en in (
            ("employee", "职工", "employees' scheme"), ("resident", "居民", "residents' scheme"),
        )
    ),
    *(
        Indicator(
            f"{kind}_completeness", f"{name_zh}登记完整率", f"completeness of {kind} registration",
            Count(f"{kind}s_by_report"), Chapman(f"{kind}s_by_report"), "percent", ROLLING,
            "Chapman 1951; Seber 1970", interval="chapman",
        )
        for kind, name_zh in (("birth", "出生"), ("death", "死亡"))
    ),
    _share(
        "birth_late_share", ("出生迟报率", "births reported late"),
        Count("births_late"), Count("births"), _OURS,
    ),
    _share(
        "death_late_share", ("死亡迟报率", "deaths reported late"),
        Count("deaths_late"), Count("deaths"), _OURS,
    ),
    _reference("pre_pregnancy_check_rate", "免费孕前优生检查率", "pre-pregnancy checks"),
    _reference("physicians_per_1000", "每千人口执业医师", "physicians", "per_1000"),
    _reference("beds_per_1000", "每千人口床位", "hospital beds", "per_1000"),
    _reference("elder_beds_per_1000", "每千名老人养老床位", "elder-care beds", "per_1000"),
    _reference("surveyed_unemployment", "城镇调查失业率", "surveyed urban unemployment"),
    _reference("skilled_worker_share", "高技能人才比重", "share of highly skilled workers"),
    _reference("human_capital_investment", "人力资本投资占地区生产总值比例",
               "human capital investment of GDP"),
    _reference("insurance_subsidy_share", "居民医保政府补助占筹资", "subsidy of residents' scheme"),
    _reference("social_insurance_coverage", "社会保险覆盖率", "social insurance coverage"),
)  # fmt: skip


def index(entries: tuple[Indicator, ...]) -> dict[str, Indicator]:
    """Entries by key.

    Raises:
        CatalogueError: two have one key.
    """
    by_key: dict[str, Indicator] = {}
    for entry in entries:
        if entry.key in by_key:
            raise CatalogueError(f"two indicators are called {entry.key!r}")
        by_key[entry.key] = entry
    return by_key


INDICATORS = index(_ENTRIES)
