"""The formula of an indicator in words, Chinese and English: for tables, pages and reports."""

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
from pipeline.catalogue.vocabulary import MEASURES, UNITS

Words = tuple[str, str]
"""中文, English."""

_SEXES: dict[str, Words] = {"1": ("男", "male"), "2": ("女", "female")}
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
_POPULATION: Words = ("人口", "population")


def formula(entry: Indicator) -> Words:
    """What is divided by what, times the unit's factor and the annualisation."""
    found = []
    for place in (0, 1):
        top = _term(entry.numerator, place)
        if entry.less is not None:
            top = f"({top} − {_term(entry.less, place)})"
        elif isinstance(entry.numerator, Between) and not isinstance(entry.denominator, One):
            top = f"({top})"
        parts = [top]
        if not isinstance(entry.denominator, One):
            parts += ["÷", _term(entry.denominator, place)]
        if entry.fertility:
            parts = [("五岁一组：Σ 5 ×", "by age groups of five years: Σ 5 ×")[place], *parts]
        if UNITS[entry.unit][0] != 1 and not isinstance(entry.numerator, Fact):
            parts += ["×", f"{UNITS[entry.unit][0]:,}"]
        if entry.annualised:
            parts += [
                ("× 12个月天数 ÷ 窗口天数", "× days of 12 months ÷ days of the window")[place],
            ]
        found.append(" ".join(parts))
    return found[0], found[1]


def _term(term: Numerator | Denominator, place: int) -> str:
    match term:
        case Count():
            words = (MEASURES[term.measure].name_zh, MEASURES[term.measure].name_en)[place]
            notes = [_SEXES[term.sex][place]] if term.sex else []
            notes += [_BANDS[band][place] for band in term.bands]
            notes += [("流动人口", "migrants")[place]] if term.residency else []
            notes += [("跨本地区边界", "across the area's border")[place]] if term.border else []
            return _with(words, notes, place)
        case Stock():
            measure = MEASURES.get(term.measure)
            words = (measure.name_zh, measure.name_en)[place] if measure else _POPULATION[place]
            notes = [_SEXES[term.sex][place]] if term.sex else []
            if term.ages:
                first, last = term.ages
                ages = f"{first}–{last}" if last is not None else f"{first}+"
                notes.append(f"{ages}{('岁', ' years')[place]}")
            if term.urban:
                notes.append(("× 所在区城镇化比重", "× urban share of the district")[place])
            return _with(words, notes, place)
        case Between():
            return _PARTS[term.part][place]
        case Chapman():
            measure = MEASURES[term.measure]
            return (
                f"{measure.name_zh}的双系统估计数 (h + b + 1)(p + b + 1)/(b + 1) − 1",
                f"estimate of {measure.name_en}, (h + b + 1)(p + b + 1)/(b + 1) − 1",
            )[place]
        case Fact():
            return ("导入的参考数据", "imported reference fact")[place]
        case One():
            return "1"


def _with(words: str, notes: list[str], place: int) -> str:
    if not notes:
        return words
    return f"{words}（{'，'.join(notes)}）" if place == 0 else f"{words} ({', '.join(notes)})"
