"""Reports and projections for unit tests of the core, written as events in and figures out."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pipeline.core.body import Fact
from pipeline.core.calendars import DAYS
from pipeline.core.facts import facts
from pipeline.core.project import project
from pipeline.core.reports import Report, report
from pipeline.core.tally import Tally
from schemas.clock import day_date
from tests.contract.support import SMALLEST, SOURCES

Figure = tuple[str, str, str]
"""(measure, district, day)"""


def told(kind: str, known_on: str = "2016-03-10", **changes: Any) -> Report:
    """The report of the smallest event of a kind with some fields changed; `...` drops one."""
    event = {k: v for k, v in {**SMALLEST[kind], **changes}.items() if v is not ...}
    return report(json.dumps(event, ensure_ascii=False).encode(), DAYS[known_on])


def standing(*reports: Report) -> list[Fact]:
    """The facts of some reports."""
    return facts(reports, SOURCES)[0]


def fact(kind: str, known_on: str = "2016-03-10", **changes: Any) -> Fact:
    """The fact that one report makes."""
    (only,) = standing(told(kind, known_on, **changes))
    return only


def tally(*reports: Report) -> Tally:
    """What some reports of one person come to."""
    return project(reports, SOURCES)


def figures(known: Tally, *measures: str) -> dict[Figure, int]:
    """Cells of some measures that are not zero, summed over residency, sex and band."""
    summed: dict[Figure, int] = {}
    for (measure, district, day, *_), value in known.cells.items():
        if measure in measures and value:
            figure = (measure, district, _spelled(day))
            summed[figure] = summed.get(figure, 0) + value
    return {figure: value for figure, value in summed.items() if value}


def bands(known: Tally, measure: str) -> dict[str, int]:
    """Cells of one measure by band."""
    return _summed(known, measure, 5)


def sexes(known: Tally, measure: str) -> dict[str, int]:
    """Cells of one measure by sex."""
    return _summed(known, measure, 4)


def _summed(known: Tally, measure: str, part: int) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for cell, value in known.cells.items():
        if cell[0] == measure:
            summed[cell[part]] += value
    return {key: value for key, value in summed.items() if value}


def codes(known: Tally) -> list[str]:
    """Codes of the findings, sorted."""
    return sorted(finding.code for finding in known.findings)


def _spelled(day: int) -> str:
    return day_date(day).isoformat()
