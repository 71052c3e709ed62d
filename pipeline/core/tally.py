"""Where the counts of one person are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.core.body import DAY, PLACE, RESIDENCY, Fact
from schemas.clock import LAST_DAY
from schemas.districts import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.core.presence import Presence, Span, Stay

Cell = tuple[str, str, int, str, str, str]
"""(measure, district, day, residency, sex, band)"""


def added(*counts: Iterable[tuple[Cell, int]]) -> dict[Cell, int]:
    """Counts added up by cell; zero values may be among them."""
    cells: dict[Cell, int] = {}
    get = cells.get
    for each in counts:
        for cell, value in each:
            cells[cell] = get(cell, 0) + value
    return cells


class Finding(NamedTuple):
    """Something about one person's facts that somebody should look at; no day = no fact stands."""

    code: str
    kind: str
    record_id: str
    source: str
    day: int | None
    district: str


class Tally:
    """All that one person's facts come to, as known by some day.

    Attributes:
        facts: every standing fact, counted or not.
        counts: what they count; a cell may be there several times, zero ones too.
        death: the counted death.
        born_on: day of the counted birth.
        sex: the person's, for the stock cells.
        presence: the person's timeline as a migrant, where there is evidence of one.
    """

    __slots__ = ("born_on", "counts", "death", "facts", "findings", "presence", "sex")

    def __init__(self, facts: list[Fact]) -> None:
        self.facts = facts
        self.counts: list[tuple[Cell, int]] = []
        self.findings: list[Finding] = []
        self.death: Fact | None = None
        self.born_on: int | None = None
        self.sex = "9"
        self.presence: Presence | None = None

    def add(
        self,
        measure: str,
        district: str,
        day: int,
        residency: str,
        sex: str,
        band: str = "",
        value: int = 1,
    ) -> None:
        """Count, inside the city and inside the calendar."""
        if district in INSIDE and day <= LAST_DAY:
            self.counts.append(((measure, district, day, residency, sex, band), value))

    def stock(self, measure: str, spans: Iterable[Stay | Span]) -> None:
        """Count a migrant in on the first day of each span, and out on the day behind its last."""
        count, sex = self.counts.append, self.sex
        for span in spans:
            start, end, district = span[0], span[1], span[2]
            if start <= LAST_DAY:
                count(((measure, district, start, "migrant", sex, ""), 1))
            if end <= LAST_DAY:
                count(((measure, district, end, "migrant", sex, ""), -1))

    @property
    def cells(self) -> dict[Cell, int]:
        """The counts added up by cell; zero values may be among them."""
        return added(self.counts)

    def find(self, code: str, fact: Fact, *, source: str = "", later: int = 0) -> None:
        """Raise a finding about a fact, and its cell ``later`` days after the act."""
        body = fact.body
        day, district = body[DAY] + later, body[PLACE]
        self.findings.append(Finding(code, fact.kind, fact.record_id, source, day, district))
        self.add("findings", district, day, body[RESIDENCY], fact.sex, code)
