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
from pipeline.catalogue.formulas import Words, formula
from pipeline.catalogue.model import Fact, Stock
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

SEXES: Mapping[str, Words] = {
    "0": ("未知性别", "unknown sex"),
    "1": ("男", "male"),
    "2": ("女", "female"),
    "9": ("未说明性别", "sex not stated"),
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
