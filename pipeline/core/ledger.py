"""The ledger's one rule: what a new report of a person changes is a difference of projections.

The cells of ``known_on`` k are what the reports known by the end of k give, less what those
known by the end of k−1 give. The usual report is newer than all known of its person: one
difference. One that arrives out of the order of knowledge changes that person's later
differences too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.core.alone import Alone, outcome
from pipeline.core.project import NOTHING
from pipeline.core.reports import DIGEST, KNOWN_ON, Report
from pipeline.core.tally import Cell, Tally, added

Differences = Iterable[tuple[Cell, int]]
"""What a day of knowledge adds to cells; a cell may be there several times, zero ones too."""


class Posting(NamedTuple):
    """What one arrival changes for its person.

    Attributes:
        entry: the person's reports, each once, with its earliest day of knowledge.
        changed: whether the entry changed; a repeat changes nothing.
        cells: differences by the day of knowledge that makes them.
        after: what all reports come to with the new one.
    """

    entry: Sequence[Report]
    changed: bool
    cells: Mapping[int, Differences]
    after: Tally | Alone


def post(
    entry: Sequence[Report],
    arrival: Report,
    priorities: Mapping[str, int],
    before: Tally | Alone,
) -> Posting:
    """Apply one report to its person's entry.

    The newest revision of each source stands, so repeats and late arrivals change nothing, and a
    correction yields the difference between what was counted and what should have been.

    Args:
        entry: the reports already known of the person, each once; empty for a new person.
        arrival: a report of the same person.
        priorities: of the registered sources.
        before: what ``entry`` comes to.
    """
    digest, known_on = arrival[DIGEST], arrival[KNOWN_ON]
    kept = [report for report in entry if report[DIGEST] != digest]
    if len(kept) < len(entry):
        known = next(report for report in entry if report[DIGEST] == digest)
        if known[KNOWN_ON] <= known_on:
            return Posting(entry, changed=False, cells={}, after=before)
    newest = max((report[KNOWN_ON] for report in entry), default=known_on)
    grown = [*kept, arrival]
    after = outcome(grown, priorities)
    if known_on >= newest:
        cells: Mapping[int, Differences] = {known_on: _difference(before, after)}
    else:
        cells = _difference_of_vintages(entry, grown, known_on, priorities)
    return Posting(grown, changed=True, cells=cells, after=after)


def _difference(before: Tally | Alone, after: Tally | Alone) -> Differences:
    """What one day of knowledge adds."""
    if not before.counts:
        return after.counts
    cells = added(before.counts)
    get = cells.get
    for cell, value in after.counts:
        cells[cell] = get(cell, 0) - value
    return [(cell, -value) for cell, value in cells.items() if value]


def _difference_of_vintages(
    entry: Sequence[Report],
    grown: Sequence[Report],
    earliest: int,
    priorities: Mapping[str, int],
) -> Mapping[int, Differences]:
    """What changes on every day of knowledge from ``earliest`` on."""
    base = _known_before(entry, earliest, priorities)
    cells: dict[int, dict[Cell, int]] = defaultdict(dict)
    for sign, reports in ((-1, entry), (1, grown)):
        before = base
        for known_on in sorted({r[KNOWN_ON] for r in reports if r[KNOWN_ON] >= earliest}):
            after = outcome([r for r in reports if r[KNOWN_ON] <= known_on], priorities)
            day = cells[known_on]
            for cell, value in _difference(before, after):
                day[cell] = day.get(cell, 0) + sign * value
            before = after
    return {
        known_on: [(cell, value) for cell, value in day.items() if value]
        for known_on, day in cells.items()
    }


def _known_before(
    reports: Sequence[Report], day: int, priorities: Mapping[str, int]
) -> Tally | Alone:
    known = [report for report in reports if report[KNOWN_ON] < day]
    return outcome(known, priorities) if known else NOTHING
