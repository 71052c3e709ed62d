"""What the page has to know of the catalogue: names, units, formulas, targets and places.

Everything is made from the catalogue, in Chinese and English, so an indicator that is added there
is on the page with its formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from consumers.scorecard.words import WHYS
from pipeline.catalogue import INDICATORS, TARGETS, Indicator, Target
from pipeline.catalogue.model import (
    Between,
    Chapman,
    Count,
    Denominator,
    Fact,
    Numerator,
    One,
    Stock,
)
from pipeline.catalogue.targets import COMPARATORS
from pipeline.catalogue.vocabulary import (
    BASES,
    INTERVALS,
    MEASURES,
    NOTES,
    REASONS,
    UNITS,
    WINDOWS,
)
from schemas.districts import CITY, DISTRICTS, INSIDE
from schemas.refusals import MENDS, TITLES

Words = tuple[str, str]
"""中文, English."""

SEXES: Mapping[str, Words] = {
    "0": ("未知性别", "unknown sex"),
    "1": ("男", "male"),
    "2": ("女", "female"),
    "9": ("未说明性别", "sex not stated"),
}
BANDS: Mapping[str, Words] = {
    "employee": ("职工医保", "employees' scheme"),
    "resident": ("居民医保", "residents' scheme"),
    "health": ("仅卫健", "health only"),
    "police": ("仅公安", "police only"),
    "both": ("两部门", "both sectors"),
}
PARTS: Mapping[str, Words] = {
    "residual": (
        "最新基数 −（上一基数 ± 其间变动）",
        "newest baseline − (the one before ± the changes between)",
    ),
    "increase": ("最新基数 − 上一基数", "newest baseline − the one before"),
    "mean": ("两次基数的平均", "mean of both baselines"),
}
SOURCES: Mapping[str, Words] = {
    "no official formula in public text; ours": (
        "公开资料中无官方公式，本系统自定",
        "no official formula in public text; ours",
    ),
    "demographic balancing equation": ("人口平衡方程", "demographic balancing equation"),
}
"""Sources that are words; a title is cited as it is printed."""


def catalogue() -> dict[str, Any]:
    """The whole description, ready for JSON; it changes with the program only."""
    return {
        "city": CITY,
        "districts": [
            {"code": each.code, "name": [each.name_zh, each.name_en]}
            for each in DISTRICTS
            if each.code in INSIDE
        ],
        "indicators": {key: _indicator(entry) for key, entry in INDICATORS.items()},
        "targets": [_target(target) for target in TARGETS],
        "windows": WINDOWS,
        "bases": BASES,
        "intervals": INTERVALS,
        "reasons": REASONS,
        "notes": NOTES,
        "whys": WHYS,
        "measures": {
            key: {"name": [each.name_zh, each.name_en], "stock": each.stock}
            for key, each in MEASURES.items()
        },
        "sexes": SEXES,
        "refusals": {code.value: {"name": TITLES[code], "mend": MENDS[code]} for code in TITLES},
    }


def formula(entry: Indicator) -> Words:
    """How an indicator is computed, as one line.

    Returns:
        The line in Chinese and in English: numerator ÷ denominator × factor.
    """
    made = []
    for place in (0, 1):
        top = _term(entry.numerator, entry, place, above=True)
        if entry.less is not None:
            top = f"({top} − {_term(entry.less, entry, place, above=True)})"
        line = top
        bottom = _term(entry.denominator, entry, place, above=False)
        if bottom:
            line += f" ÷ {bottom}"
        if entry.scale != 1 and bottom:
            line += f" × {entry.scale:,}"
        if entry.annualised:
            line += (" × 全年天数 ÷ 窗口天数", " × days of the year ÷ days of the window")[place]
        made.append(line)
    return made[0], made[1]


def _indicator(entry: Indicator) -> dict[str, Any]:
    factor, *unit = UNITS[entry.unit]
    return {
        "name": [entry.name_zh, entry.name_en],
        "unit": unit,
        "whole": factor == 1 and entry.unit == "persons",
        "windows": entry.windows,
        "bases": entry.bases,
        "interval": entry.interval,
        "source": SOURCES.get(entry.source, (entry.source, entry.source)),
        "formula": formula(entry),
        "fact": isinstance(entry.numerator, Fact),
        "conventions": sorted(
            {entry.convention(window) for window in entry.windows}
            if isinstance(entry.denominator, Stock) and not isinstance(entry.numerator, Stock)
            else ()
        ),
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "indicator": target.indicator,
        "base": target.base,
        "window": target.window,
        "baseline": target.baseline,
        "comparator": target.comparator,
        "words": COMPARATORS[target.comparator],
        "low": _number(target.low),
        "high": _number(target.high),
        "note": target.note,
    }


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _term(term: Numerator | Denominator, entry: Indicator, place: int, *, above: bool) -> str:
    match term:
        case Count():
            name = MEASURES[term.measure]
            extras = [SEXES[term.sex][place]] if term.sex else []
            extras += [BANDS[band][place] for band in term.bands if band in BANDS]
            if term.residency == "migrant":
                extras.append(("流动人口", "migrants")[place])
            return _with((name.name_zh, name.name_en)[place], extras, place)
        case Stock():
            return _stock(term, entry, place, above=above)
        case Between():
            return PARTS[term.part][place]
        case Chapman():
            return ("两部门报告的 Chapman 估计数", "Chapman's estimate from two sectors")[place]
        case Fact():
            return ("导入的参考数据", "reference fact, imported")[place]
        case One():
            return ""


def _stock(term: Stock, entry: Indicator, place: int, *, above: bool) -> str:
    if term.measure:
        name = MEASURES[term.measure]
        return (name.name_zh, name.name_en)[place]
    people = "、".join(BASES[base][0] for base in entry.bases) + "人口"
    if place:
        people = " or ".join(BASES[base][1] for base in entry.bases)
    extras = [SEXES[term.sex][place]] if term.sex else []
    if term.ages is not None:
        first, last = term.ages
        open_ended = (f"{first}岁及以上", f"aged {first} and over")
        closed = (f"{first}–{last}岁", f"aged {first}–{last}")
        extras.append((open_ended if last is None else closed)[place])
    if term.urban:
        extras.append(("城镇", "urban")[place])
    averaged = not above and not isinstance(entry.numerator, Stock)
    if averaged:
        people = ("平均" + people) if not place else f"mean {people}"
    return _with(people, extras, place)


def _with(name: str, extras: list[str], place: int) -> str:
    if not extras:
        return name
    return f"{name}（{'、'.join(extras)}）" if not place else f"{name} ({', '.join(extras)})"
