"""The ledger's one rule: what new reports of a person change is a difference of projections.

The cells of ``known_on`` k are what the reports known by the end of k give, less what those
known by the end of k−1 give. The usual report is newer than all known of its person: one
difference. One that arrives out of the order of knowledge changes that person's later
differences too; both are the same computation here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.core.project import NOTHING, project
from pipeline.core.reports import DIGEST, KNOWN_ON, Report
from pipeline.core.tally import Cell, Tally

Posted = tuple[Cell, int]
"""A cell and the day since which its value is known."""


class Posting(NamedTuple):
    """What some arrivals change for one person.

    Attributes:
        entry: the person's reports, each once, with its earliest day of knowledge.
        changed: for each arrival whether the entry changed by it; a repeat changes nothing.
        cells: differences, none of them zero.
        before: the projection of all reports before the arrivals.
        after: the projection of all reports with them.
    """

    entry: Sequence[Report]
    changed: Sequence[bool]
    cells: dict[Posted, int]
    before: Tally
    after: Tally


def post(
    entry: Sequence[Report], arrivals: Iterable[Report], priorities: Mapping[str, int]
) -> Posting:
    """Apply arrivals to their person's entry.

    The newest revision of each source stands, so repeats and late arrivals change nothing, and a
    correction yields the difference between what was counted and what should have been.

    Args:
        entry: the reports already known of the person, each once; empty for a new person.
        arrivals: reports of the same person in any order, repeats included.
        priorities: of the registered sources.
    """
    grown = list(entry)
    places = {report[DIGEST]: place for place, report in enumerate(grown)}
    changed: list[bool] = []
    earliest: int | None = None
    for report in arrivals:
        known_on = report[KNOWN_ON]
        place = places.setdefault(report[DIGEST], len(grown))
        if place == len(grown):
            grown.append(report)
        elif known_on < grown[place][KNOWN_ON]:
            grown[place] = report
        else:
            changed.append(False)
            continue
        changed.append(True)
        if earliest is None or known_on < earliest:
            earliest = known_on
    if earliest is None:
        now = project(entry, priorities)
        return Posting(entry, changed, {}, now, now)
    cells: dict[Posted, int] = {}
    base = _known_before(entry, earliest, priorities)
    before = _post_vintages(cells, entry, base, earliest, priorities, -1)
    after = _post_vintages(cells, grown, base, earliest, priorities, 1)
    return Posting(grown, changed, {c: v for c, v in cells.items() if v}, before, after)


def _known_before(reports: Sequence[Report], day: int, priorities: Mapping[str, int]) -> Tally:
    known = [report for report in reports if report[KNOWN_ON] < day]
    return project(known, priorities) if known else NOTHING


def _post_vintages(
    cells: dict[Posted, int],
    reports: Sequence[Report],
    base: Tally,
    earliest: int,
    priorities: Mapping[str, int],
    sign: int,
) -> Tally:
    """Add the differences of every day of knowledge from ``earliest`` on; the last projection."""
    for known_on in sorted({r[KNOWN_ON] for r in reports if r[KNOWN_ON] >= earliest}):
        then = project([r for r in reports if r[KNOWN_ON] <= known_on], priorities)
        for cell, value in then.cells.items():
            value -= base.cells.get(cell, 0)
            if value:
                posted = (cell, known_on)
                cells[posted] = cells.get(posted, 0) + sign * value
        for cell, value in base.cells.items():
            if cell not in then.cells and value:
                posted = (cell, known_on)
                cells[posted] = cells.get(posted, 0) - sign * value
        base = then
    return base
