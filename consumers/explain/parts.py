"""What an explanation consists of: the reading, its terms, and whether they add up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from consumers.explain.records import Contributions
from pipeline.catalogue.indicators import INDICATORS
from pipeline.catalogue.model import Indicator
from pipeline.core.rates import Reading

Role = str
"""``numerator``, ``less``, ``denominator``, ``left_over``."""


class CellLine(NamedTuple):
    """One cell of a term, with the day on which it became known and what it adds."""

    measure: str
    district: str
    day: date
    known_on: date
    residency: str
    sex: str
    band: str
    value: int
    amount: Fraction


class Base(NamedTuple):
    """The people of a baseline that a term begins with, and how often they count."""

    as_of: date
    known_on: date
    people: int
    amount: Fraction


class Imported(NamedTuple):
    """A reference fact."""

    indicator: str
    district: str
    as_of: date
    known_on: date
    value: Fraction
    unit: str
    source: str


@dataclass(frozen=True)
class Part:
    """One term of a reading.

    Attributes:
        role: what it is in the formula.
        measures: what it counts; empty of what is not counted.
        amount: what all of it comes to, before it is divided by ``over``.
        over: over how many days, or ends, it was summed.
        bases: the baselines in it.
        cells: the newest cells, and how many more there are.
        cells_more: cells not shown.
        facts: the reference facts in it.
        records: who adds what; None where records were not asked for.
    """

    role: Role
    measures: tuple[str, ...]
    amount: Fraction
    over: int = 1
    bases: tuple[Base, ...] = ()
    cells: tuple[CellLine, ...] = ()
    cells_more: int = 0
    facts: tuple[Imported, ...] = ()
    records: Contributions | None = None


@dataclass(frozen=True)
class Explanation:
    """A reading and what it is made of.

    Attributes:
        reading: as it is evaluated everywhere.
        parts: its terms, in the order of the formula; last what is left over, if anything.
        detail: numbers beside them that the value needs (ages, sectors): code and amount.
    """

    reading: Reading
    parts: tuple[Part, ...]
    detail: tuple[tuple[str, Fraction], ...] = ()

    @property
    def entry(self) -> Indicator:
        """The definition."""
        return INDICATORS[self.reading.indicator]

    def sum_of(self, *roles: Role) -> Fraction:
        """What the parts of some roles come to together."""
        return sum((p.amount / p.over for p in self.parts if p.role in roles), Fraction(0))

    @property
    def adds_up(self) -> bool:
        """Whether the parts come to the reading's numerator and denominator."""
        reading = self.reading
        if reading.numerator is None:
            return True
        top = self.sum_of("numerator") - self.sum_of("less")
        return (top, self.sum_of("denominator")) == (reading.numerator, reading.denominator)
