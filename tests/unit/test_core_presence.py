"""A migrant's timeline: where present, how long, under which registrations."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

import pytest

from pipeline.core.body import Fact
from pipeline.core.calendars import DAYS
from pipeline.core.presence import OUTSIDE, Presence, presence
from schemas.clock import day_date
from tests.unit.core_events import codes, fact, figures, tally, told

A, B, OUT = "320505", "320506", "340100"
Spell = tuple[str, str, str]


def move(day: str, origin: str, target: str, record_id: str = "M", **changes: Any) -> Fact:
    ends = {"from_district": origin, "to_district": target}
    return fact("move", moved_on=day, record_id=record_id + day, **ends, **changes)


def permit(day: str, until: str | None, place: str = A, action: str = "register") -> Fact:
    changes = {"effective_on": day, "valid_until": until, "district": place, "action": action}
    return fact("permit", record_id=f"{action}-{day}", **changes)


def stay(day: str, place: str = A, **changes: Any) -> Fact:
    return fact(
        "discharge", record_id=day, admitted_on=day, discharged_on=day, district=place, **changes
    )


def line(*evidence: Fact, died_on: str | None = None) -> Presence:
    found = presence(evidence, DAYS[died_on] if died_on else None)
    assert found is not None
    return found


def spells(spans: Iterable[Sequence[Any]]) -> list[Spell]:
    return [
        (day_date(start).isoformat(), day_date(end).isoformat(), district)
        for start, end, district, *_ in spans
    ]


def known(of: Presence) -> list[Spell]:
    return spells(of.stays)


def managed(of: Presence) -> list[Spell]:
    return spells(of.managed)


def resident(of: Presence) -> list[Spell]:
    return spells(of.resident)


def found(of: Presence) -> list[str]:
    return [code for code, _ in of.findings]


def test_no_evidence_no_timeline() -> None:
    assert presence([], None) is None
    assert presence([move("2016-01-02", OUT, A)], DAYS["2016-01-01"]) is None


def test_silence_after_a_year() -> None:
    assert known(line(move("2015-01-01", OUT, A))) == [("2015-01-01", "2016-01-01", A)]
    prolonged = line(move("2015-01-01", OUT, A), stay("2016-01-01"))
    assert known(prolonged) == [("2015-01-01", "2016-12-31", A)]
    ended = line(move("2015-01-01", OUT, A), stay("2016-01-02"))
    assert known(ended)[0] == ("2015-01-01", "2016-01-01", A)


def test_silence_after_a_registration() -> None:
    with_permit = line(permit("2015-01-01", "2015-12-31"))
    assert known(with_permit) == [("2015-01-01", "2016-07-01", A)]
    assert managed(with_permit) == [("2015-01-01", "2016-01-01", A)]


def test_presence_by_hospital_alone_ends_after_183_days() -> None:
    seen = line(stay("2015-01-01"))
    assert known(seen) == [("2015-01-01", "2015-07-03", A)]
    assert found(seen) == ["seen_only_by_hospital"]
    assert resident(seen) == []
    elsewhere = line(stay("2015-01-01"), stay("2015-03-01", B))
    assert known(elsewhere) == [("2015-01-01", "2015-08-31", A)]


def test_spell_by_hospital_that_begins_and_ends_on_one_day_is_still_found() -> None:
    seen = line(stay("2016-03-01"), died_on="2016-03-01")
    assert known(seen) == []
    assert found(seen) == ["seen_only_by_hospital"]


def test_spell_by_hospital_that_a_permit_confirms_that_day_is_none() -> None:
    assert "seen_only_by_hospital" not in found(
        line(stay("2016-03-01"), permit("2016-03-01", "2016-06-01"))
    )


def test_stay_that_is_no_evidence() -> None:
    outside = line(move("2015-01-01", OUT, A), stay("2015-12-01", OUT))
    assert known(outside) == [("2015-01-01", "2016-01-01", A)]
    assert figures(tally(told("discharge", outcome="5")), "migrants_known") == {}
    assert figures(tally(told("discharge", residency="visitor")), "migrants_known") == {}


def test_only_inside_to_outside_is_leaving() -> None:
    here = move("2015-01-01", OUT, A)
    gone = line(here, move("2015-06-01", A, OUT))
    assert known(gone) == [("2015-01-01", "2015-06-01", A)]
    past = line(here, move("2015-06-01", OUT, "310115"))
    assert known(past) == [("2015-01-01", "2016-01-01", A)]
    from_elsewhere = line(here, move("2015-06-01", B, OUT))
    assert known(from_elsewhere) == known(gone)


def test_outside_to_outside_is_no_evidence() -> None:
    past = line(move("2015-06-01", OUT, "310115"))
    assert known(past) == found(past) == []


def test_departure_of_nobody_present() -> None:
    assert found(line(move("2015-06-01", A, OUT))) == ["unknown_departure"]
    moved = tally(told("move", from_district=A, to_district=OUT))
    assert figures(moved, "departures") == {("departures", A, "2016-03-01"): 1}
    assert not figures(moved, "migrants_known")


def test_hukou_move_out_ends_a_migrant_s_presence_too() -> None:
    gone = line(move("2015-01-01", OUT, A), move("2015-06-01", A, OUT, residency="hukou"))
    assert known(gone) == [("2015-01-01", "2015-06-01", A)]
    assert gone.hukou is None


def test_nothing_is_a_departure_to_find_under_hukou() -> None:
    under = line(
        move("2015-01-01", OUT, A, residency="hukou"),
        move("2015-06-01", A, OUT),
        permit("2015-07-01", "2016-01-01"),
        stay("2015-08-01"),
    )
    assert known(under) == found(under) == managed(under) == []
    assert under.hukou == A
    again = line(
        move("2015-01-01", OUT, A, residency="hukou"),
        move("2015-06-01", A, OUT, residency="hukou"),
        move("2015-07-01", OUT, B),
    )
    assert known(again) == [("2015-07-01", "2016-06-30", B)]


def test_hukou_begins_with_a_live_birth_wherever_the_residence() -> None:
    born = fact("birth", born_on="2015-01-01", district="110105")
    under = line(born, move("2015-06-01", OUT, A))
    assert known(under) == []
    assert under.hukou == OUTSIDE


def test_leaving_and_returning_within_one_day_ends_registrations() -> None:
    back = line(
        permit("2015-01-01", "2015-12-31"),
        move("2015-06-01", A, OUT, "1"),
        move("2015-06-01", OUT, A, "2"),
    )
    assert known(back) == [("2015-01-01", "2016-05-31", A)]
    assert managed(back) == [("2015-01-01", "2015-06-01", A)]
    assert resident(back) == [("2015-07-02", "2016-05-31", A)]


def test_moves_of_one_day_follow_each_other() -> None:
    chain = (move("2015-06-01", A, B, "1"), move("2015-06-01", OUT, A, "2"))
    for order in permutations(chain):
        assert known(line(*order)) == [("2015-06-01", "2016-05-31", B)]


def test_move_to_another_district_is_unmanaged_until_registered_there() -> None:
    moved = line(
        permit("2015-01-01", "2015-12-31"),
        move("2015-03-01", A, B),
        permit("2015-04-01", "2015-04-30", B),
        move("2015-05-01", B, A),
    )
    assert managed(moved) == [("2015-01-01", "2015-03-01", A), ("2015-04-01", "2015-05-01", B)]
    assert found(moved) == ["permit_without_arrival"]


def test_cancellation_comes_first_of_a_day_and_ends_its_district_s() -> None:
    again = line(
        permit("2015-01-01", "2015-12-31"),
        permit("2015-03-01", "2015-06-30"),
        permit("2015-03-01", None, action="cancel"),
    )
    assert managed(again) == [("2015-01-01", "2015-07-01", A)]
    elsewhere = line(
        permit("2015-01-01", "2015-12-31"), permit("2015-03-01", None, B, action="cancel")
    )
    assert managed(elsewhere) == [("2015-01-01", "2016-01-01", A)]


def test_cancellation_can_make_silence_due_that_very_day() -> None:
    held = permit("2015-01-01", "2016-06-30")
    cancelled = line(held, permit("2016-05-01", None, action="cancel"))
    assert known(cancelled) == [("2015-01-01", "2016-05-01", A)]
    in_time = line(held, permit("2016-05-01", None, action="cancel"), stay("2016-05-01"))
    assert known(in_time) == [("2015-01-01", "2017-05-01", A)]


def test_lapse_is_not_healed_by_a_late_endorsement() -> None:
    late = line(
        permit("2015-01-01", "2015-06-30", action="issue"),
        permit("2015-07-20", "2016-07-19", action="endorse"),
    )
    assert managed(late) == [("2015-01-01", "2015-07-01", A), ("2015-07-20", "2016-07-20", A)]


def test_death_ends_everything() -> None:
    dead = line(permit("2015-01-01", "2015-12-31"), died_on="2015-06-01")
    assert known(dead) == managed(dead) == [("2015-01-01", "2015-06-01", A)]


def test_resident_from_the_183rd_day() -> None:
    assert resident(line(permit("2015-01-01", "2015-12-31"))) == [("2015-07-02", "2016-07-01", A)]
    short = line(move("2015-01-01", OUT, A), move("2015-07-02", A, OUT))
    assert resident(short) == []


@pytest.mark.parametrize(
    ("back", "first"), [("2015-03-31", "2015-08-01"), ("2015-04-01", "2015-09-30")]
)
def test_absence_of_30_days_pauses_and_of_31_restarts(back: str, first: str) -> None:
    away = line(move("2015-01-01", OUT, A), move("2015-03-01", A, OUT), move(back, OUT, A, "N"))
    assert resident(away)[0][0] == first


def test_day_by_discharge_alone_is_a_day_of_absence_even_when_confirmed() -> None:
    confirmed = line(stay("2015-01-01"), permit("2015-02-01", "2015-12-31"))
    assert known(confirmed) == [("2015-01-01", "2015-02-01", A), ("2015-02-01", "2016-07-01", A)]
    assert resident(confirmed) == [("2015-08-02", "2016-07-01", A)]
    assert "seen_only_by_hospital" not in found(confirmed)


@pytest.mark.parametrize(("registered", "counted"), [("2016-03-04", 1), ("2016-03-05", 0)])
def test_registered_in_time(registered: str, counted: int) -> None:
    known_ = tally(told("move", to_district=A), told("permit", district=A, effective_on=registered))
    figure = ("arrivals_registered_in_time", A, "2016-03-01")
    assert figures(known_, "arrivals_registered_in_time").get(figure, 0) == counted


@pytest.mark.parametrize(
    ("endorsed", "due", "in_time"),
    [
        *(("2016-02-28", 0, 0), ("2016-02-29", 1, 1), ("2016-03-31", 1, 1)),
        *(("2016-04-30", 1, 1), ("2016-05-01", 1, 0)),
    ],
)
def test_endorsement_of_a_permit_that_lapses_on_31_march(
    endorsed: str, due: int, in_time: int
) -> None:
    first = told("permit", action="issue", effective_on="2015-03-31", valid_until="2016-03-30")
    second = told(
        "permit",
        "2016-05-10",
        record_id="E",
        action="endorse",
        effective_on=endorsed,
        valid_until="2020-01-01",
        recorded_at="2016-05-05T00:00:00+08:00",
    )
    seen = tally(first, second)
    lapse = "320583", "2016-03-31"
    assert figures(seen, "endorsements_due").get(("endorsements_due", *lapse), 0) == due
    assert figures(seen, "endorsed_in_time").get(("endorsed_in_time", *lapse), 0) == in_time


def test_registration_alone_owes_no_endorsement() -> None:
    assert not figures(tally(told("permit")), "endorsements_due")


def test_findings_of_the_timeline_are_counted() -> None:
    assert codes(tally(told("permit"))) == ["permit_without_arrival"]
