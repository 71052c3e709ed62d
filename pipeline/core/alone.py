"""What a report comes to while it is the only one of its person.

Most persons are known by one report, and of the reports of a day many differ in nothing that is
counted: what such a report comes to is remembered.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.core.body import Body, Fact
from pipeline.core.kinds import RULES
from pipeline.core.person import Person, like, person
from pipeline.core.project import project, project_facts
from pipeline.core.reports import BODY, KIND, RECORD_ID, Report
from pipeline.core.tally import Cell, Finding, Tally

_REMEMBERED = 16_384


class Alone(NamedTuple):
    """One report's counts, its findings and its person's row."""

    counts: Sequence[tuple[Cell, int]]
    findings: Sequence[Finding]
    person: Person


def alone(report: Report) -> Alone:
    """Everything that one report alone comes to; the same as its projection."""
    kind, body = report[KIND], report[BODY]
    counted = None if body is None else RULES[kind].counted(body)
    if body is None or counted is None:
        tally = project((report,), {})
        return Alone(tally.counts, tally.findings, person(tally))
    counts, findings, known = _remembered(kind, counted)
    if findings:
        record_id = report[RECORD_ID]
        findings = [
            Finding(code, kind, record_id, source, day, district)
            for code, _, _, source, day, district in findings
        ]
    return Alone(counts, findings, like(known, kind, body))


def outcome(reports: Sequence[Report], priorities: Mapping[str, int]) -> Tally | Alone:
    """What all reports of a person come to."""
    return alone(reports[0]) if len(reports) == 1 else project(reports, priorities)


def person_of(outcome: Tally | Alone) -> Person:
    """The person's row."""
    return outcome.person if isinstance(outcome, Alone) else person(outcome)


@lru_cache(_REMEMBERED)
def _remembered(kind: str, body: Body) -> Alone:
    tally = project_facts([Fact(kind, "", body, 0, 0)])
    return Alone(tally.counts, tally.findings, person(tally))
