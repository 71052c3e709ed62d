"""From reports to facts: which report stands, whose content holds, what is a conflict."""

import hashlib
import json
from itertools import permutations

import pytest

from pipeline.core.body import HEALTH, PLACE, POLICE, SEX
from pipeline.core.calendars import DAYS
from pipeline.core.facts import facts
from pipeline.core.kinds.birth import RULE
from pipeline.core.reports import BODY, DIGEST, DIGEST_BYTES, Report, canonical
from schemas.events import KINDS
from schemas.sources import LEADING_SECTOR
from tests.contract.support import SMALLEST, SOURCES
from tests.unit.core_events import bands, codes, figures, standing, tally, told

HOSPITAL = "health.hospitals"
POLICE_SOURCE = "police.household"


def in_conflict(*reports: Report) -> bool:
    """Whether the reports conflict; the same in every order."""
    seen = {bool(facts(order, SOURCES)[1]) for order in permutations(reports)}
    (conflict,) = seen
    return conflict


def test_newest_revision_stands_in_any_order() -> None:
    reports = [told("birth", revision=r, district=f"32050{d}") for r, d in ((1, 5), (3, 6), (2, 7))]
    for order in permutations(reports):
        (fact,) = standing(*order)
        assert fact.body[PLACE] == "320506"


def test_voided_report_does_not_stand() -> None:
    first, void = told("birth"), told("birth", revision=2, void=True)
    assert standing(first, void) == standing(void) == []
    (back,) = standing(first, void, told("birth", revision=3))
    assert back.body[PLACE] == "320508"


def test_void_of_equal_revision_wins_and_is_no_conflict() -> None:
    first, void = told("birth"), told("birth", void=True)
    assert standing(first, void) == []
    assert not in_conflict(first, void)


def test_two_different_reports_conflict_until_a_newer_revision() -> None:
    one, other = told("birth", district="320505"), told("birth", district="320506")
    assert in_conflict(one, other)
    (fact,) = standing(one, other)
    assert fact.body[PLACE] == max((one, other), key=lambda r: r[DIGEST])[BODY][PLACE]
    assert not in_conflict(one, other, told("birth", revision=2))


def test_two_different_voids_conflict() -> None:
    one = told("birth", void=True)
    other = told("birth", void=True, recorded_at="2016-03-02T10:00:00+08:00")
    assert in_conflict(one, other)
    found = tally(one, other)
    assert codes(found) == ["conflicting_revision"]
    assert found.findings[0].day is None
    assert not found.cells


def test_void_beside_two_different_reports_leaves_the_conflict() -> None:
    one, other = told("birth", district="320505"), told("birth", district="320506")
    assert in_conflict(one, other, told("birth", void=True))
    assert standing(one, other, told("birth", void=True)) == []


def test_conflict_is_of_one_source() -> None:
    assert not in_conflict(told("birth"), told("birth", source=HOSPITAL, district="320505"))


def test_conflict_is_counted_once_at_the_fact() -> None:
    found = tally(told("birth", sex="1"), told("birth", sex="2"))
    assert codes(found) == ["conflicting_revision"]
    assert bands(found, "findings") == {"conflicting_revision": 1}
    assert figures(found, "births") == {("births", "320508", "2016-03-01"): 1}


@pytest.mark.parametrize(
    ("kind", "sector"),
    [
        *(("birth", "health"), ("death", "health"), ("discharge", "health")),
        *(("move", "police"), ("permit", "police")),
    ],
)
def test_leading_sector_is_heard_first(kind: str, sector: str) -> None:
    assert LEADING_SECTOR[kind] == KINDS[kind].leading_sector == sector
    health = told(kind, source=HOSPITAL, sex="1")
    police = told(kind, source=POLICE_SOURCE, sex="2")
    (fact,) = standing(police, health)
    assert fact.body[SEX] == ("1" if sector == "health" else "2")
    assert fact.sectors == HEALTH | POLICE


def test_then_the_smaller_priority_then_the_name() -> None:
    reports = [told("birth", source=f"health.{name}", sex=sex) for name, sex in ("a1", "b2")]
    ranked = {"health.a": 2, "health.b": 1}
    assert facts(reports, ranked)[0][0].body[SEX] == "2"
    assert facts(reports, dict.fromkeys(ranked, 1))[0][0].body[SEX] == "1"


def test_source_that_left_the_registry_is_heard_last_of_its_sector() -> None:
    reports = [told("birth", source=f"health.{name}", sex=sex) for name, sex in ("a1", "b2")]
    assert facts(reports, {"health.b": 999})[0][0].body[SEX] == "2"
    police = told("birth", source=POLICE_SOURCE, sex="9")
    assert facts([police, reports[0]], {POLICE_SOURCE: 1})[0][0].body[SEX] == "1"


def test_left_out_fields_come_from_the_next_source() -> None:
    first = told("birth", gestation_weeks=30, weight_g=None)
    second = told("birth", source=HOSPITAL, weight_g=1500, gestation_weeks=20, defects=["Q21"])
    (fact,) = standing(first, second)
    assert fact.body[-2:] == (30, 1500)
    assert fact.body[7] is False  # a default is said, not left out


def test_first_known_is_of_any_report_that_is_no_void() -> None:
    early_void = told("birth", "2016-03-02", source=HOSPITAL, void=True, revision=9)
    superseded = told("birth", "2016-03-04", sex="9")
    stands = told("birth", "2016-05-20", revision=2)
    (fact,) = standing(stands, early_void, superseded)
    assert fact.first_known == DAYS["2016-03-04"]


def test_canonical_json() -> None:
    sent = {**SMALLEST["birth"], "parity": None, "void": None}
    document, spelled = canonical(json.dumps(sent, indent=1).encode())
    assert document["birth_order"] == 1
    assert document["defects"] == []
    assert document["void"] is False
    expected = {**SMALLEST["birth"], "live": True, "birth_order": 1, "defects": [], "void": False}
    assert (
        spelled
        == json.dumps(expected, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    )
    digest = hashlib.sha256(spelled).digest()
    assert told("birth", parity=None)[DIGEST] == digest[:DIGEST_BYTES]
    assert told("birth", void=False, live=True)[DIGEST] == told("birth")[DIGEST]


def test_a_void_keeps_no_body() -> None:
    assert told("birth", void=True)[BODY] is None
    assert told("birth")[BODY] == RULE.body(canonical(json.dumps(SMALLEST["birth"]).encode())[0])
