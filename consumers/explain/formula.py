"""A formula in words, Chinese and English."""

from __future__ import annotations

from datetime import date

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
from pipeline.catalogue.vocabulary import BASES, CONVENTIONS, MEASURES, UNITS, WINDOWS
from pipeline.catalogue.windows import span

Pair = tuple[str, str]
"""中文, English."""

_SEXES: dict[str, Pair] = {
    "0": ("性别未说明", "sex not said"),
    "1": ("男", "male"),
    "2": ("女", "female"),
    "9": ("性别未知", "sex unknown"),
}
_PARTS: dict[str, Pair] = {
    "residual": (
        "最新户籍人口基数 − 上一基数 − 其间变动",
        "the newest baseline − the one before it − the changes between them",
    ),
    "increase": ("最新户籍人口基数 − 上一基数", "the newest baseline − the one before it"),
    "mean": ("两个基数的平均", "the mean of both baselines"),
}


def formula(entry: Indicator, base: str, window: str, as_of: date) -> Pair:
    """The whole formula as it was evaluated, with the factor of the unit and of the year."""
    days = span(window, as_of)
    made = []
    for place in (0, 1):
        name = (entry.name_zh, entry.name_en)[place]
        which = f"{BASES[base][place]}, {WINDOWS[window][place]}"
        top = term(entry.numerator, entry, base, window)[place]
        if entry.less is not None:
            top = f"({top} − {term(entry.less, entry, base, window)[place]})"
        text = f"{name} [{which}] = {top}"
        if not isinstance(entry.denominator, One):
            text += f" ÷ {term(entry.denominator, entry, base, window)[place]}"
        if entry.scale != 1:
            text += f" × {entry.scale:,} ({UNITS[entry.unit][place + 1]})"
        if entry.annualised:
            text += f" × {days.twelve_months} ÷ {days.days} ({('折算全年', 'per year')[place]})"
        if entry.fertility:
            text += (
                "; 按五岁年龄组: 5 × Σ (活产 ÷ 妇女), 15岁以下并入首组, 49岁以上并入末组",
                (
                    "; by five-year age group: 5 × Σ (births ÷ women), under 15 with the first"
                    " group, over 49 with the last"
                ),
            )[place]
        made.append(text)
    return made[0], made[1]


def term(what: Numerator | Denominator, entry: Indicator, base: str, window: str) -> Pair:
    """One term in words."""
    match what:
        case Count():
            return _count(what)
        case Stock():
            return _stock(what, entry, base, window)
        case Between():
            return _PARTS[what.part]
        case Fact():
            return "导入的参考数据", "the imported reference fact"
        case Chapman():
            return (
                "两部门估计的总数 (h+b+1)(p+b+1)÷(b+1)−1: h 仅卫健, p 仅公安, b 两者",
                (
                    "the two-source estimate (h+b+1)(p+b+1)÷(b+1)−1: h health only, p police only,"
                    " b both"
                ),
            )
        case _:
            return "1", "1"


def measure(name: str) -> Pair:
    """What a measure is called."""
    found = MEASURES[name]
    return found.name_zh, found.name_en


def _with(name: Pair, *qualities: Pair) -> Pair:
    """A name with what narrows it, in brackets."""
    made = []
    for place in (0, 1):
        said = ", ".join(each[place] for each in qualities)
        made.append(f"{name[place]} ({said})" if said else name[place])
    return made[0], made[1]


def _count(count: Count) -> Pair:
    qualities = []
    if count.sex:
        qualities.append(_SEXES[count.sex])
    if count.bands:
        qualities.append((" ".join(count.bands),) * 2)
    if count.residency:
        qualities.append((count.residency,) * 2)
    if count.border:
        qualities.append(("全市只计跨市界的", "in the whole city only across its border"))
    return _with(measure(count.measure), *qualities)


def _stock(stock: Stock, entry: Indicator, base: str, window: str) -> Pair:
    name = (
        measure(stock.measure)
        if stock.measure
        else (
            f"{BASES[base][0]}人口",
            "population" if base == "hukou" else "residents",
        )
    )
    if base == "hukou" and not stock.measure:
        name = (name[0], BASES[base][1])
    qualities = []
    if stock.sex:
        qualities.append(_SEXES[stock.sex])
    if stock.ages:
        first, last = stock.ages
        qualities.append(
            (f"{first}岁及以上", f"aged {first} and over")
            if last is None
            else (f"{first}–{last}岁", f"aged {first}–{last}")
        )
    if stock.urban:
        qualities.append(("乘以各区城镇人口比重", "times the urban share of each district"))
    if window != "1d":
        qualities.append(CONVENTIONS[entry.convention(window)])
    return _with(name, *qualities)
