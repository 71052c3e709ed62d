"""The formula of an indicator in words, Chinese and English: in general, or as it was evaluated."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

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

Words = tuple[str, str]
"""中文, English."""


class Told(NamedTuple):
    """Of which base, window and last day a formula is told."""

    base: str
    window: str
    as_of: date


_SEXES: dict[str, Words] = {
    "0": ("性别未说明", "sex not said"),
    "1": ("男", "male"),
    "2": ("女", "female"),
    "9": ("性别未知", "sex unknown"),
}
_PARTS: dict[str, Words] = {
    "residual": (
        "最新基数 −（上一基数 ± 其间的变动）",
        "newest baseline − (the one before it ± the changes between)",
    ),
    "increase": ("最新基数 − 上一基数", "newest baseline − the one before it"),
    "mean": ("两个基数的平均", "mean of the two baselines"),
}
_BANDS: dict[str, Words] = {
    "employee": ("职工医保", "employees' scheme"),
    "resident": ("居民医保", "residents' scheme"),
}


def formula(entry: Indicator, told: Told | None = None) -> Words:
    """What is divided by what, times the unit's factor and the annualisation.

    Args:
        entry: of the catalogue.
        told: of one reading: names base and window, gives days and conventions as numbers.
    """
    found = []
    for place in (0, 1):
        top = term(entry.numerator, entry, told)[place]
        if entry.less is not None:
            top = f"({top} − {term(entry.less, entry, told)[place]})"
        elif isinstance(entry.numerator, Between) and not isinstance(entry.denominator, One):
            top = f"({top})"
        parts = [top]
        if not isinstance(entry.denominator, One):
            parts += ["÷", term(entry.denominator, entry, told)[place]]
        if entry.fertility:
            parts = [("五岁一组：Σ 5 ×", "by age groups of five years: Σ 5 ×")[place], *parts]
        if UNITS[entry.unit][0] != 1 and not isinstance(entry.numerator, Fact):
            parts += ["×", f"{UNITS[entry.unit][0]:,}"]
            parts += [f"({UNITS[entry.unit][place + 1]})"] if told else []
        if entry.annualised:
            parts += [_annualised(told)[place]]
        if told is not None:
            name = (entry.name_zh, entry.name_en)[place]
            which = f"{BASES[told.base][place]}, {WINDOWS[told.window][place]}"
            parts = [f"{name} [{which}] =", *parts]
        found.append(" ".join(parts))
    return found[0], found[1]


def term(what: Numerator | Denominator, entry: Indicator, told: Told | None = None) -> Words:
    """One term of an entry's formula."""
    match what:
        case Count():
            return _count(what)
        case Stock():
            return _stock(what, entry, told)
        case Between():
            return _PARTS[what.part]
        case Chapman():
            name = measure(what.measure)
            return (
                (
                    f"{name[0]}的双系统估计数 (h + b + 1)(p + b + 1)/(b + 1) − 1，"
                    "h 仅卫健，p 仅公安，b 两者"
                ),
                (
                    f"estimate of {name[1]}, (h + b + 1)(p + b + 1)/(b + 1) − 1, h health only,"
                    " p police only, b both"
                ),
            )
        case Fact():
            return "导入的参考数据", "imported reference fact"
        case One():
            return "1", "1"


def measure(name: str) -> Words:
    """What a measure is called."""
    found = MEASURES[name]
    return found.name_zh, found.name_en


def _annualised(told: Told | None) -> Words:
    if told is None:
        return "× 12个月天数 ÷ 窗口天数", "× days of 12 months ÷ days of the window"
    days = span(told.window, told.as_of)
    factor = f"× {days.twelve_months} ÷ {days.days}"
    return f"{factor}（折算全年）", f"{factor} (per year)"


def _count(count: Count) -> Words:
    notes = [_SEXES[count.sex]] if count.sex else []
    notes += [_BANDS.get(band, (band, band)) for band in count.bands]
    notes += [("流动人口", "migrants")] if count.residency else []
    notes += [("跨本地区边界", "across the area's border")] if count.border else []
    return _with(measure(count.measure), notes)


def _stock(stock: Stock, entry: Indicator, told: Told | None) -> Words:
    if stock.measure:
        name = measure(stock.measure)
    elif told is None:
        name = ("人口", "population")
    else:
        name = (f"{BASES[told.base][0]}人口", BASES[told.base][1])
    notes = [_SEXES[stock.sex]] if stock.sex else []
    if stock.ages:
        first, last = stock.ages
        ages = f"{first}–{last}" if last is not None else f"{first}+"
        notes.append((f"{ages}岁", f"{ages} years"))
    if stock.urban:
        notes.append(("× 所在区城镇化比重", "× urban share of the district"))
    if told is not None and told.window != "1d":
        notes.append(CONVENTIONS[entry.convention(told.window)])
    return _with(name, notes)


def _with(name: Words, notes: list[Words]) -> Words:
    if not notes:
        return name
    chinese, english = zip(*notes, strict=True)
    return f"{name[0]}（{'，'.join(chinese)}）", f"{name[1]} ({', '.join(english)})"
