"""The one current row about a person."""

from typing import Any

from pipeline.core.calendars import DAYS
from pipeline.core.person import Person, person
from pipeline.core.reports import Report
from schemas.clock import LAST_DAY
from tests.unit.core_events import tally, told

HOME = "fd61a03af4f77d870fc21e05e7e80678"
OTHER_HOME = "0" * 32


def row(*reports: Report) -> Person:
    return person(tally(*reports))


def some(of: Person, **expected: Any) -> None:
    assert {name: getattr(of, name) for name in expected} == expected


def test_nobody() -> None:
    assert row() == Person(None, "", None, True, None, "9", "", "", *(None,) * 8)


def test_child_with_hukou() -> None:
    child = row(told("birth", household=HOME))
    some(child, alive=True, born_on=DAYS["2016-03-01"], sex="2", district="320508")
    some(child, residency="hukou", household=HOME, known_from=None, last_evidence=None)


def test_dead_migrant() -> None:
    gone = row(
        told("permit", effective_on="2015-03-01", valid_until="2016-02-29", points=70),
        told("death", died_on="2015-06-01", residency="migrant", born_on="1950-06-15"),
    )
    some(gone, alive=False, died_on=DAYS["2015-06-01"], born_on=DAYS["1950-06-15"], sex="1")
    some(gone, known_from=DAYS["2015-03-01"], known_until=DAYS["2015-06-01"], points=70)
    some(gone, managed_until=DAYS["2015-06-01"], resident_from=None)
    some(gone, registered_until=DAYS["2015-05-31"], last_evidence=DAYS["2015-03-01"])


def test_newest_word_holds() -> None:
    some(
        row(
            told("permit", record_id="1", effective_on="2015-01-01", points=10, household=HOME),
            told("permit", record_id="2", effective_on="2015-02-01", points=20),
            told("move", moved_on="2015-03-01", household=OTHER_HOME, born_on="1990-01-01"),
        ),
        points=20,
        household=OTHER_HOME,
        born_on=DAYS["1990-01-01"],
    )


def test_presence_through_districts_is_one() -> None:
    here = row(
        told("move", moved_on="2015-01-01", to_district="320505"),
        told(
            "move",
            record_id="2",
            moved_on="2015-05-01",
            from_district="320505",
            to_district="320506",
        ),
    )
    some(here, known_from=DAYS["2015-01-01"], known_until=DAYS["2016-04-30"], district="320506")
    some(here, residency="migrant", resident_from=DAYS["2015-07-02"], managed_from=None)


def test_ends_beyond_the_calendar_are_its_end() -> None:
    far = row(told("permit", valid_until="2299-12-30"))
    some(far, known_until=LAST_DAY, managed_until=LAST_DAY, registered_until=LAST_DAY - 1)


def test_visitor_lives_nowhere_here() -> None:
    some(row(told("discharge", residency="visitor")), district="", residency="")
    some(row(told("death", district="110105")), district="", residency="", alive=False)


def test_who_left_lives_nowhere_here() -> None:
    left = told("move", from_district="320505", to_district="340100", residency="hukou")
    some(row(left), district="", residency="")
