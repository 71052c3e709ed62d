"""From counts back to the acts that make them: which fact adds what to which cell.

:func:`pipeline.core.project.project` says what a person's reports come to; here the same rules say
it fact by fact. What a migrant's presence counts (stocks) is nobody's single act: there the facts
behind a state are named instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.body import DAY, Fact
from pipeline.core.kinds import RULES
from pipeline.core.kinds.move import TARGET
from pipeline.core.project import endorsements, registered_in_time
from pipeline.core.reports import KIND, RANK, RECORD_ID, SOURCE, VOID, Report
from pipeline.core.tally import Cell, Tally

STATES = {
    "migrants_known": "stays",
    "migrants_managed": "managed",
    "migrants_resident": "resident",
}
"""Stock measures of migrants, and the spans of a presence that make them."""
STANDS, SUPERSEDED, WITHDRAWN = "stands", "superseded", "withdrawn"
_UNCOUNTED = frozenset({"second_birth", "second_death", "after_death"})


class Share(NamedTuple):
    """What one fact adds to one cell."""

    fact: Fact
    cell: Cell
    value: int


def counted(tally: Tally) -> list[Fact]:
    """The facts that count: not a second birth or death, nothing after the death."""
    left_out = {(f.kind, f.record_id) for f in tally.findings if f.code in _UNCOUNTED}
    return [fact for fact in tally.facts if (fact.kind, fact.record_id) not in left_out]


def shares(tally: Tally) -> list[Share]:
    """What each fact of a person adds; all cells but the states of a presence and findings."""
    facts = counted(tally)
    found = []
    for fact in facts:
        alone = _alone(tally)
        RULES[fact.kind].count(alone, fact)
        found += _told(fact, alone)
    line = tally.presence
    if line is None or not line.managed:
        return found
    evidence = [fact for fact in facts if RULES[fact.kind].evidence(fact)]
    for fact in evidence:
        if fact.kind == "move" and registered_in_time(fact, line.managed):
            alone = _alone(tally)
            place, day = fact.body[TARGET], fact.body[DAY]
            alone.add("arrivals_registered_in_time", place, day, "migrant", fact.sex)
            found += _told(fact, alone)
    for permit, place, lapse, in_time in endorsements(line.registrations, evidence):
        alone = _alone(tally)
        alone.add("endorsements_due", place, lapse, "migrant", permit.sex)
        if in_time:
            alone.add("endorsed_in_time", place, lapse, "migrant", permit.sex)
        found += _told(permit, alone)
    return found


def _alone(tally: Tally) -> Tally:
    """An empty tally of the same person."""
    alone = Tally(tally.facts)
    alone.death, alone.born_on, alone.sex = tally.death, tally.born_on, tally.sex
    return alone


def _told(fact: Fact, alone: Tally) -> list[Share]:
    return [
        Share(fact, cell, value)
        for cell, value in alone.cells.items()
        if value and cell[0] != "findings"
    ]


def behind(tally: Tally, measure: str, first: int, last: int) -> list[Fact]:
    """The facts behind a state of a presence on some days, newest first.

    Of management the permits whose registration was in force; else what was heard of the person
    since the presence began.

    Args:
        tally: of one person.
        measure: one of :data:`STATES`.
        first: first of the days.
        last: last of them.
    """
    line = tally.presence
    if line is None:
        return []
    if measure == "migrants_managed":
        facts = [
            permit
            for permit, start, valid_until, _, held_until in line.registrations
            if start <= last and first < min(valid_until + 1, held_until)
        ]
    else:
        began = _spell(line.stays, first, last)
        facts = [
            fact
            for fact in counted(tally)
            if RULES[fact.kind].evidence(fact) and began <= fact.body[DAY] <= last
        ]
    return sorted(facts, key=lambda fact: (fact.body[DAY], fact.record_id), reverse=True)


def _spell(stays: Sequence[tuple[int, int, str, bool]], first: int, last: int) -> int:
    """Since when somebody has been present who is present on some of the days."""
    began, until = last + 1, None
    start = began
    for since, end, *_ in stays:
        start = start if until is not None and since <= until else since
        until = end
        if since <= last and end > first:
            began = min(began, start)
    return began


def standing(reports: Sequence[Report]) -> list[str]:
    """How each of one person's reports stands among those of its act and source."""
    newest: dict[tuple[str, str, str], Report] = {}
    for report in reports:
        act = report[KIND], report[RECORD_ID], report[SOURCE]
        newest[act] = max(newest.get(act, report), report, key=RANK)
    return [
        SUPERSEDED
        if report is not newest[report[KIND], report[RECORD_ID], report[SOURCE]]
        else WITHDRAWN
        if report[VOID]
        else STANDS
        for report in reports
    ]
