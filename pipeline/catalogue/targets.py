"""The plan's targets, 2015 → 2020 (苏府办〔2017〕33号).

What counts as met is the comparator's: ``<=`` and ``>=`` are limits, ``~=`` is about, ``within``
a range to move towards, ``watch`` has no target.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.vocabulary import CatalogueError, known

COMPARATORS = {
    "<=": ("不高于", "at most"),
    ">=": ("不低于", "at least"),
    "~=": ("约", "about"),
    "within": ("趋于", "towards the range"),
    "watch": ("关注", "watched, no target"),
}


@dataclass(frozen=True)
class Target:
    """One figure of the plan, in the unit of its indicator.

    Attributes:
        indicator: key of the catalogue.
        base: which base the plan means.
        baseline: figure of 2015 as printed, with its sign; empty when the plan gives none.
        comparator: how the figure is meant.
        low: the target, or the lower end of its range.
        high: the target, or the upper end.
        note: what has to be known beside it.
    """

    indicator: str
    base: str
    baseline: str
    comparator: str
    low: Fraction | None = None
    high: Fraction | None = None
    note: str = ""

    def __post_init__(self) -> None:
        known("indicator", self.indicator, INDICATORS, "target")
        known("base", self.base, INDICATORS[self.indicator].bases, f"target {self.indicator}")
        known("comparator", self.comparator, COMPARATORS, f"target {self.indicator}")
        if (self.comparator == "watch") != (self.low is None and self.high is None):
            raise CatalogueError(f"target {self.indicator}: {self.comparator} and figures disagree")

    @property
    def window(self) -> str:
        """The window the plan's figure is about: the year, or the day."""
        windows = INDICATORS[self.indicator].windows
        return "year" if "year" in windows else windows[0]


def _target(
    indicator: str, base: str, baseline: str, comparator: str, figure: str = "", note: str = ""
) -> Target:
    low, _, high = figure.partition("–")
    least, most = (Fraction(low), Fraction(high or low)) if figure else (None, None)
    return Target(indicator, base, baseline, comparator, least, most, note)


TARGETS = (
    _target("birth_rate", "resident", "<=10", "<=", "14"),
    _target(
        "natural_growth_rate", "resident", "<=4", "<=", "4",
        "cannot bind together with birth_rate: at a death rate of 6.88 it means births <= 10.88",
    ),
    _target("total_fertility_rate", "hukou", "<=1.1", "~=", "1.6"),
    _target("resident_population", "resident", "10616000", "~=", "11000000"),
    _target(
        "maternal_mortality_ratio", "", "", "<=", "5",
        "3.3 expected deaths a year at 65,846 births",
    ),
    _target("infant_mortality", "", "", "<=", "4"),
    _target("birth_defect_rate", "", "5.55", "<=", "5"),
    _target("sex_ratio_at_birth", "", "", "within", "103–107", "趋于正常"),
    _target("pre_pregnancy_check_rate", "", "", ">=", "90"),
    _target("urban_share", "resident", "74.9", "~=", "80"),
    _target("migrant_management_rate", "", ">99", ">=", "99"),
    _target("physicians_per_1000", "", "", ">=", "2.5"),
    _target("beds_per_1000", "", "", ">=", "6"),
    _target("elder_beds_per_1000", "", "", ">=", "50"),
    _target("surveyed_unemployment", "", "", "~=", "5"),
    _target("skilled_worker_share", "", "", ">=", "33"),
    _target("human_capital_investment", "", "", ">=", "15"),
    _target("reimbursement_employee", "", "", ">=", "90"),
    _target("reimbursement_resident", "", "", ">=", "75"),
    _target("insurance_subsidy_share", "", "", ">=", "80"),
    _target("social_insurance_coverage", "", ">=99", ">=", "99"),
    _target(
        "share_60_plus", "hukou", "15.44", "watch",
        note="15.44 is of residents; ages of migrants are not known, ours is of the registered",
    ),
)  # fmt: skip
