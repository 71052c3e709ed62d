"""A report that is its person's only one: what is remembered of it is what it comes to."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.audit.recount import Accepted
from pipeline.core.alone import Alone, alone, outcome, person_of
from pipeline.core.calendars import DAYS
from pipeline.core.person import person
from pipeline.core.project import project
from pipeline.core.reports import Report, report
from tests.contract.support import SMALLEST, SOURCES
from tests.laws.strategies import accepted_sets
from tests.unit.core_events import told

HOME = "fd61a03af4f77d870fc21e05e7e80678"
UNCOUNTED: dict[str, list[dict[str, Any]]] = {
    "permit": [
        {},
        {"record_id": "another", "household": HOME},
        {"born_on": "1990-01-01", "points": 70},
        {"source": "police.grid", "recorded_at": "2016-03-09T08:00:00+08:00"},
    ],
    "move": [
        {"residency": "migrant", "from_district": "340100"},
        {"residency": "migrant", "from_district": "000000", "born_on": "1990-01-01"},
        {"residency": "migrant", "from_district": "110105", "household": HOME},
    ],
}


def projected(only: Report) -> Alone:
    tally = project((only,), SOURCES)
    return Alone(tally.counts, tally.findings, person(tally))


@given(accepted_sets())
def test_it_is_its_projection(events: list[Accepted]) -> None:
    for event in events:
        raw = json.dumps(event.event, default=str).encode()
        only = report(raw, DAYS[event.known_on.isoformat()])
        assert alone(only) == projected(only)


@given(st.sampled_from(sorted(UNCOUNTED)), st.data())
def test_reports_that_differ_in_nothing_counted(kind: str, data: st.DataObject) -> None:
    """They share what is remembered, and keep what is their own."""
    for changes in data.draw(st.permutations(UNCOUNTED[kind])):
        only = told(kind, **changes)
        assert alone(only) == projected(only)
    one, other = (alone(told(kind, **changes)) for changes in UNCOUNTED[kind][:2])
    assert one.counts is other.counts


def test_each_field_that_counts_is_told_apart() -> None:
    differing: dict[str, list[dict[str, Any]]] = {
        "permit": [
            {"effective_on": "2016-03-02"},
            {"district": "320505"},
            {"sex": "2"},
            {"action": "issue"},
            {"valid_until": "2018-01-01"},
        ],
        "move": [
            {"moved_on": "2016-03-02"},
            {"sex": "2"},
            {"from_district": "320505"},
            {"to_district": "320585"},
            {"to_district": "340100", "from_district": "320505"},
            {"residency": "hukou", "born_on": "1990-01-01"},
            {"residency": "hukou", "born_on": "1991-01-01"},
        ],
    }
    for kind, several in differing.items():
        for changes in ({}, *several):
            only = told(kind, **changes)
            assert alone(only) == projected(only), (kind, changes)


def test_a_withdrawal_alone_comes_to_nothing() -> None:
    fields = ("kind", "record_id", "source", "person", "recorded_at", "revision")
    event = {name: SMALLEST["permit"][name] for name in fields} | {"void": True}
    gone = alone(report(json.dumps(event).encode(), DAYS["2016-03-10"]))
    assert not gone.counts
    assert not gone.findings


def test_the_row_is_that_of_all_reports() -> None:
    reports = [told("move", record_id="1", residency="migrant"), told("permit", record_id="2")]
    assert person_of(outcome(reports, SOURCES)) == person(project(reports, SOURCES))
    assert person_of(outcome(reports[:1], SOURCES)) == projected(reports[0]).person
