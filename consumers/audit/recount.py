"""Recount everything from the accepted events, by an independent path.

The plainest possible reading of the contract's section on meaning, written to be
checked against it sentence by sentence and to be compared, cell by cell, with what
the production ledger counts. It shares no code with the ledger, uses the standard
library only, and is slow on purpose.

The figures known by a day are the definition (`figures`); the cells of a vintage are
the difference of two of them (`recount`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from consumers.audit.facts import Accepted, Fact
from consumers.audit.people import Figure, Finding, Outcome, outcome_of_person
from consumers.audit.vocabulary import is_delivery

__all__ = ["Accepted", "Cell", "Figure", "Finding", "Recount", "figures", "findings", "recount"]

Cell: TypeAlias = tuple[str, str, date, date, str, str, str]
"""(measure, district, day, known_on, residency, sex, band)"""


@dataclass(frozen=True)
class Recount:
    """All cells of all vintages, and the findings that stand in the end.

    Attributes:
        cells: Value of each cell that is not zero.
        findings: How often each finding stands (twice when two sources contradict themselves).
    """

    cells: dict[Cell, int]
    findings: Counter[Finding]


def recount(accepted: Iterable[Accepted], priorities: Mapping[str, int]) -> Recount:
    """Count the cells of every vintage and the standing findings.

    Args:
        accepted: Accepted events in any order, with any number of repeats.
        priorities: Source name to its priority number in the registry.
    """
    accepted = list(accepted)
    cells: Counter[Cell] = Counter()
    for reports in _by_person(accepted).values():
        # By rule "The cells of `known_on` k are what the reports known by the end of k give, less
        # what those known by the end of k−1 give": nothing changes between two days of arrival, and
        # one person's cells do not depend on another's.
        before: Counter[Figure] = Counter()
        for known_on in sorted({report.known_on for report in reports}):
            after = outcome_of_person(_known_by(reports, known_on), priorities).figures
            for figure in before.keys() | after.keys():
                measure, district, day, residency, sex, band = figure
                cell = (measure, district, day, known_on, residency, sex, band)
                cells[cell] += after[figure] - before[figure]
            before = after
    standing = {cell: value for cell, value in cells.items() if value != 0}
    return Recount(standing, findings(accepted, priorities))


def figures(
    accepted: Iterable[Accepted], priorities: Mapping[str, int], until: date
) -> dict[Figure, int]:
    """The figures that the reports known by the end of `until` give, zeros left out.

    Args:
        accepted: Accepted events in any order, with any number of repeats.
        priorities: Source name to its priority number in the registry.
        until: Last day of arrival that is looked at.
    """
    total: Counter[Figure] = Counter()
    for outcome in _outcomes(accepted, priorities, until):
        for figure, value in outcome.figures.items():
            total[figure] += value
    return {figure: value for figure, value in total.items() if value != 0}


def findings(
    accepted: Iterable[Accepted], priorities: Mapping[str, int], until: date = date.max
) -> Counter[Finding]:
    """The findings that stand by the end of `until`, those that join two persons included.

    Args:
        accepted: Accepted events in any order, with any number of repeats.
        priorities: Source name to its priority number in the registry.
        until: Last day of arrival that is looked at; without it, all.
    """
    outcomes = _outcomes(accepted, priorities, until)
    total: Counter[Finding] = Counter()
    for outcome in outcomes:
        total.update(outcome.findings)
    facts = [fact for outcome in outcomes for fact in outcome.facts]
    total.update(_same_record_two_persons(facts))
    total.update(_delivery_without_birth(facts))
    return total


def _outcomes(
    accepted: Iterable[Accepted], priorities: Mapping[str, int], until: date
) -> list[Outcome]:
    known = _known_by(accepted, until)
    return [outcome_of_person(reports, priorities) for reports in _by_person(known).values()]


def _known_by(accepted: Iterable[Accepted], until: date) -> list[Accepted]:
    return [report for report in accepted if report.known_on <= until]


def _by_person(accepted: Iterable[Accepted]) -> dict[str, list[Accepted]]:
    persons: dict[str, list[Accepted]] = {}
    for report in accepted:
        persons.setdefault(str(report.event["person"]), []).append(report)
    return persons


def _same_record_two_persons(facts: list[Fact]) -> list[Finding]:
    # By rule "`same_record_two_persons` (both count until mended; one finding each)"
    persons = Counter((fact.kind, fact.record_id) for fact in facts)
    return [
        ("same_record_two_persons", fact.person, fact.kind, fact.record_id, fact.day)
        for fact in facts
        if persons[(fact.kind, fact.record_id)] > 1
    ]


def _delivery_without_birth(facts: list[Fact]) -> list[Finding]:
    # By rule "`delivery_without_birth` (no birth or stillbirth of that mother from admission − 30
    # to discharge + 30; dated discharge + 30)"
    month = timedelta(days=30)
    births: dict[str, list[date]] = {}
    for fact in facts:
        if fact.kind == "birth":
            births.setdefault(str(fact.content["mother"]), []).append(fact.day)
    found: list[Finding] = []
    for fact in facts:
        if fact.kind != "discharge" or not is_delivery(fact.content["diagnoses"]):
            continue
        first = date.fromisoformat(fact.content["admitted_on"]) - month
        last = fact.day + month
        if not any(first <= day <= last for day in births.get(fact.person, [])):
            code = "delivery_without_birth"
            found.append((code, fact.person, fact.kind, fact.record_id, last))
    return found
