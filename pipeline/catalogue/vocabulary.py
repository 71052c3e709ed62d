"""The closed vocabulary of the catalogue: what an entry may name, and nothing else."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

HUKOU = ("hukou",)
LIVING_HERE = ("hukou", "migrant")
EVERYBODY = ("hukou", "migrant", "visitor")
SEXES = ("0", "1", "2", "9")
REPORTS = ("health", "police", "both")
ENDS = ("outside", "within")
SCHEMES = ("employee", "resident", "other", "none")
MOTHER_BANDS = (
    *(f"{age}-{age + 4}" for age in range(10, 55, 5)),
    "55+",
    "unknown",
)


class CatalogueError(ValueError):
    """An entry that cannot be; the message names it and lists what exists."""


def known(what: str, name: str, names: Iterable[str], entry: str = "") -> None:
    """Stop at a name that does not exist.

    Raises:
        CatalogueError: with the nearest name and the list of all.
    """
    existing = list(names)
    if name in existing:
        return
    near = difflib.get_close_matches(name, existing, 1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    place = f"{entry}: " if entry else ""
    listed = ", ".join(repr(one) for one in existing)
    raise CatalogueError(f"{place}there is no {what} {name!r}{hint} There are {listed}")


@dataclass(frozen=True)
class Measure:
    """One measure of the cells.

    Attributes:
        name_zh: 名称.
        name_en: English name.
        residencies: which residencies its cells have.
        bands: which bands its cells have, where an entry may choose among them.
        stock: its cells are changes; their sum up to a day is the state at that day's end.
        nowcast: recent days are estimated as they will be.
    """

    name_zh: str
    name_en: str
    residencies: tuple[str, ...] = LIVING_HERE
    bands: tuple[str, ...] = ()
    stock: bool = False
    nowcast: bool = False


MEASURES = {
    "births": Measure("活产", "live births", bands=MOTHER_BANDS, nowcast=True),
    "births_by_report": Measure("活产（按报告部门）", "live births by report", bands=REPORTS),
    "births_weighed": Measure("已称重活产", "live births weighed"),
    "low_weight_births": Measure("低出生体重活产", "live births under 2,500 g"),
    "births_late": Measure("迟报出生", "births first known after 30 days"),
    "stillbirths": Measure("死胎死产", "stillbirths"),
    "perinates": Measure("围产儿", "perinates", nowcast=True),
    "perinates_with_defect": Measure("出生缺陷围产儿", "perinates with a defect"),
    "deaths": Measure("死亡", "deaths", nowcast=True),
    "deaths_by_report": Measure("死亡（按报告部门）", "deaths by report", bands=REPORTS),
    "deaths_late": Measure("迟报死亡", "deaths first known after 45 days"),
    "neonatal_deaths": Measure("新生儿死亡", "neonatal deaths"),
    "infant_deaths": Measure("婴儿死亡", "infant deaths", nowcast=True),
    "under5_deaths": Measure("5岁以下儿童死亡", "deaths under five"),
    "maternal_deaths": Measure("孕产妇死亡", "maternal deaths"),
    "arrivals": Measure("迁入", "arrivals", bands=ENDS, nowcast=True),
    "departures": Measure("迁出", "departures", bands=ENDS, nowcast=True),
    "arrivals_registered_in_time": Measure(
        "及时登记的流入", "arrivals registered in time", ("migrant",)
    ),
    "endorsements_due": Measure("到期应签注", "endorsements due", ("migrant",)),
    "endorsed_in_time": Measure("按时签注", "endorsed in time", ("migrant",)),
    "discharges": Measure("出院", "discharges", EVERYBODY, nowcast=True),
    "bed_days": Measure("出院者占用床日", "bed days", EVERYBODY),
    "hospital_deaths": Measure("住院死亡", "deaths in hospital", EVERYBODY),
    "in_policy_fen": Measure("政策范围内费用", "in-policy cost", EVERYBODY, SCHEMES),
    "fund_fen": Measure("基金支付", "paid by the fund", EVERYBODY, SCHEMES),
    "population": Measure("户籍人口", "registered population", HUKOU, stock=True),
    "migrants_known": Measure("已知流动人口", "migrants known", ("migrant",), stock=True),
    "migrants_managed": Measure("在管流动人口", "migrants managed", ("migrant",), stock=True),
    "migrants_resident": Measure(
        "常住流动人口", "migrants resident over 183 days", ("migrant",), stock=True
    ),
}

WINDOWS = {
    "1d": ("当日", "the day"),
    "7d": ("近7天", "last 7 days"),
    "28d": ("近28天", "last 28 days"),
    "91d": ("近91天", "last 91 days"),
    "364d": ("近364天", "last 364 days"),
    "year": ("本年", "calendar year to date"),
    "mcyear": ("妇幼年度", "mother-and-child year to date (from 1 October)"),
}
"""Multiples of seven days, since births swing with the weekday, and periods of twelve months."""

BASES = {
    "hukou": ("户籍", "registered population"),
    "resident": ("常住", "residents"),
    "": ("全部", "all reported"),
}
"""Whose counts are divided: numerator and denominator of a reading have one base."""

RESIDENCIES = {"hukou": HUKOU, "resident": LIVING_HERE, "": EVERYBODY}
"""The residencies of the cells of a base."""

CONVENTIONS = {
    "person_days": ("日均人口", "sum of the population at 24:00 of each day ÷ days"),
    "mean_of_ends": ("年平均人口", "(population before the first day + on the last day) ÷ 2"),
    "end": ("期末人口", "population on the last day"),
    "start": ("期初人口", "population before the first day"),
}
"""What a stock comes to over a window, as a denominator."""

INTERVALS = {
    "none": ("无", "a full count of the register, or a fact imported"),
    "wilson": ("Wilson", "a proportion"),
    "wilson_odds": ("Wilson（比）", "two parts of one whole, by the interval of the proportion"),
    "garwood": ("Garwood", "exact Poisson interval of the numerator"),
    "difference": ("差的正态", "a difference of two Poisson counts, by its variance"),
    "ratio_of_sums": ("比率估计", "delta method, days as the units"),
    "fertility": ("分年龄正态", "a sum of rates by age, by its Poisson variance"),
    "chapman": ("Chapman–Seber", "two-source estimate, by Seber's variance"),
}
"""How the 95 % interval of a reading is found."""

UNITS = {
    "permille": (1000, "‰", "‰"),
    "percent": (100, "%", "%"),
    "per_100000": (100_000, "1/10万", "per 100,000"),
    "per_100_girls": (100, "女孩=100", "boys per 100 girls"),
    "per_100_women": (100, "女性=100", "men per 100 women"),
    "persons": (1, "人", "persons"),
    "days": (1, "天", "days"),
    "children": (1, "个孩子/妇女", "children per woman"),
    "per_1000": (1000, "每千人", "per 1,000"),
}
"""Unit → (factor of the quotient, 单位, unit)."""

REASONS = {
    "zero_denominator": ("分母不大于零", "the denominator is not positive"),
    "no_baseline": ("没有户籍人口基数", "no baseline of the registered population is known"),
    "no_earlier_baseline": ("没有更早的基数", "no baseline of an earlier day is known"),
    "no_reference": ("没有导入的参考数据", "no reference fact has been loaded"),
    "no_women_of_an_age": ("某年龄组没有妇女", "an age group of five years has no women"),
    "ages_unknown": ("母亲年龄均未知", "no mother's age is known"),
    "one_source": ("只有一个部门报告", "only one sector reports"),
    "small_count": ("数目过小，不予公布", "a count behind it is too small to be published"),
}
"""Why a reading has no value."""

NOTES = {
    "unknown_sex": ("性别未知超过0.5%，比值不可靠", "sex unknown above 0.5 %: unreliable"),
    "unknown_age": ("未知年龄的母亲按比例分摊", "mothers of unknown age shared out pro rata"),
}
"""What has to be said beside a value."""
