"""The independent recount against the contract's cases, and against its own definition."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.audit.facts import Fact, facts_of_person
from consumers.audit.recount import Accepted, Cell, Figure, Finding, figures, findings, recount
from consumers.audit.timeline import walk
from schemas.reading import check, read
from schemas.refusals import Refusal
from tests.cases import Case, load_cases, load_sources
from tests.laws.nasty import SOURCES, random_city
from tests.laws.strategies import accepted_sets, shuffled_with_repeats

CASES = load_cases()
PRIORITIES = load_sources()

FINDINGS = {
    "conflicting_revision",
    "second_birth",
    "second_death",
    "after_death",
    "sex_conflict",
    "death_without_birth",
    "unknown_departure",
    "permit_without_arrival",
    "seen_only_by_hospital",
    "hospital_death_without_death",
    "delivery_without_birth",
    "same_record_two_persons",
}
MEASURES = {
    *("births", "births_by_report", "births_weighed", "low_weight_births", "births_late"),
    *("stillbirths", "perinates", "perinates_with_defect"),
    *("deaths", "neonatal_deaths", "infant_deaths", "under5_deaths", "maternal_deaths"),
    *("deaths_by_report", "deaths_late", "population", "arrivals", "departures", "permits"),
    *("discharges", "bed_days", "hospital_deaths", "deliveries", "in_policy_fen", "fund_fen"),
    *("migrants_known", "migrants_managed", "migrants_resident"),
    *("arrivals_registered_in_time", "endorsements_due", "endorsed_in_time", "findings"),
}

BIRTH: dict[str, object] = {
    "kind": "birth",
    "record_id": "B1",
    "revision": 1,
    "source": "health.birth-certificates",
    "recorded_at": "2016-03-10T12:00:00+08:00",
    "person": "0" * 31 + "1",
    "born_on": "2016-03-10",
    "district": "320505",
    "residency": "hukou",
    "sex": "1",
    "mother": "0" * 31 + "2",
}


def accepted_of(case: Case) -> list[Accepted]:
    return [Accepted(message.event, message.known_on) for message in case.accepted]


def as_daily(values: dict[Figure, int], measures: frozenset[str]) -> Counter[tuple[object, ...]]:
    return Counter(
        (day.isoformat(), district, measure, residency, sex, band, value)
        for (measure, district, day, residency, sex, band), value in values.items()
        if measure in measures
    )


def as_rows(standing: Counter[Finding]) -> Counter[tuple[str, ...]]:
    return Counter(
        (code, person, kind, record_id, day.isoformat() if day else "")
        for code, person, kind, record_id, day in standing.elements()
    )


def summed(cells: dict[Cell, int], until: date) -> dict[Figure, int]:
    total: Counter[Figure] = Counter()
    for (measure, district, day, known_on, residency, sex, band), value in cells.items():
        if known_on <= until:
            total[(measure, district, day, residency, sex, band)] += value
    return {figure: value for figure, value in total.items() if value != 0}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case) -> None:
    accepted = accepted_of(case)
    counted = recount(accepted, PRIORITIES)
    assert as_daily(summed(counted.cells, date.max), case.measures) == case.daily
    assert as_rows(counted.findings) == case.findings
    for known in case.known:
        assert as_daily(figures(accepted, PRIORITIES, known.until), known.measures) == known.daily
        assert as_rows(findings(accepted, PRIORITIES, known.until)) == known.findings


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_order_and_repeats_do_not_matter(case: Case) -> None:
    accepted = accepted_of(case)
    shuffled = accepted * 2
    Random(7).shuffle(shuffled)
    assert recount(shuffled, PRIORITIES) == recount(accepted, PRIORITIES)


@settings(max_examples=60)
@given(st.data())
def test_the_set_alone_decides(drawn: st.DataObject) -> None:
    accepted = drawn.draw(accepted_sets())
    again = drawn.draw(shuffled_with_repeats(accepted))
    assert recount(again, SOURCES) == recount(accepted, SOURCES)


@pytest.mark.parametrize("seed", range(20))
def test_cells_are_differences_of_figures(seed: int) -> None:
    accepted = random_city(seed, persons=3, events=24)
    counted = recount(accepted, SOURCES)
    for until in sorted({report.known_on for report in accepted}):
        assert summed(counted.cells, until) == figures(accepted, SOURCES, until)
    assert 0 not in counted.cells.values()


def counted_facts(accepted: list[Accepted]) -> tuple[list[Fact], date | None]:
    facts, _ = facts_of_person(accepted, SOURCES)
    deaths = [fact.day for fact in facts if fact.kind == "death"]
    return facts, min(deaths, default=None)


@pytest.mark.parametrize("seed", range(60))
def test_passing_over_quiet_days_changes_nothing(seed: int) -> None:
    accepted = random_city(seed, persons=1, events=12, far_future=False)
    facts, death = counted_facts(accepted)
    leaping, stepping = walk(facts, death), walk(facts, death, every_day=True)
    assert leaping.findings == stepping.findings
    for day, state in stepping.days:
        assert leaping.end_of(day) == state


def test_nothing_lies_beyond_the_last_day_of_the_store() -> None:
    event = {
        "kind": "permit",
        "record_id": "R1",
        "revision": 1,
        "source": "police.permits",
        "recorded_at": "2016-03-01T12:00:00+08:00",
        "person": "0" * 32,
        "action": "issue",
        "effective_on": "2016-03-01",
        "district": "320505",
        "valid_until": "2299-12-30",
    }
    counted = recount([Accepted(event, date(2016, 3, 1))], PRIORITIES)
    last = max(day for _, _, day, *_ in counted.cells)
    assert last == date(2299, 12, 31)
    known = [(cell[2], value) for cell, value in counted.cells.items() if "known" in cell[0]]
    assert known == [(date(2016, 3, 1), 1)]


@pytest.mark.parametrize(
    ("mend", "expected"),
    [
        (lambda first: {**first, "void": True}, []),
        (lambda first: {**first, "sex": "2"}, [date(2016, 3, 10)]),
        (lambda first: {**first, "sex": "2", "revision": 2}, []),
        (lambda first: {**first, "weight_g": None, "live": True}, []),
    ],
    ids=["void", "other content", "newer", "the same in other words"],
)
def test_only_other_content_of_equal_revision_conflicts(
    mend: Callable[[dict[str, object]], dict[str, object]], expected: list[date]
) -> None:
    events = [Accepted(event, date(2016, 3, 12)) for event in (BIRTH, mend(BIRTH))]
    standing = recount(events, PRIORITIES).findings
    assert [day for code, *_, day in standing if code == "conflicting_revision"] == expected


@pytest.mark.parametrize("seed", range(10))
def test_intake_would_accept_nasty_events(seed: int) -> None:
    for accepted in random_city(seed, persons=5, events=300):
        event = read(json.dumps(accepted.event).encode())
        assert not isinstance(event, Refusal), event
        assert check(event, event.topic, accepted.known_on, SOURCES) is None


def test_nasty_events_reach_everything() -> None:
    reached = recount(random_city(1, persons=300, events=6000), SOURCES)
    assert {code for code, *_ in reached.findings} == FINDINGS
    assert {cell[0] for cell in reached.cells} == MEASURES


def test_a_vintage_starts_when_it_is_known() -> None:
    case = next(case for case in CASES if case.name == "correction moves everything")
    accepted = accepted_of(case)
    days = sorted({report.known_on for report in accepted})
    cells = recount(accepted, PRIORITIES).cells
    assert {cell[3] for cell in cells} == set(days)
    assert figures(accepted, PRIORITIES, days[0] - timedelta(days=1)) == {}
