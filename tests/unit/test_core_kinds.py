"""What one fact of each kind counts, by hand."""

import pytest

from pipeline.core.kinds import RULES
from schemas.events import KINDS
from tests.unit.core_events import bands, figures, tally, told

DAY = "2016-03-01"


def test_every_kind_has_a_rule() -> None:
    assert set(RULES) == set(KINDS)


def test_live_birth() -> None:
    known = tally(told("birth", mother_born_on="1988-11-30", weight_g=2499))
    for measure, band in {
        "births": "25-29",
        "births_by_report": "health",
        "births_weighed": "",
        "low_weight_births": "",
        "perinates": "",
        "population": "2016",
    }.items():
        assert bands(known, measure) == {band: 1}, measure
    assert not figures(known, "births_late", "stillbirths", "perinates_with_defect")


def test_weight_of_2500_g_is_not_low() -> None:
    assert not figures(tally(told("birth", weight_g=2500)), "low_weight_births")
    assert not figures(tally(told("birth")), "births_weighed", "low_weight_births")


@pytest.mark.parametrize(
    ("live", "weeks", "perinates", "stillbirths"),
    [
        *((True, 27, 0, 0), (True, 28, 1, 0), (True, None, 1, 0)),
        *((False, 27, 0, 0), (False, 28, 1, 1), (False, None, 1, 1)),
    ],
)
def test_perinates(live: bool, weeks: int | None, perinates: int, stillbirths: int) -> None:
    known = tally(told("birth", live=live, gestation_weeks=weeks, defects=["Q21", "Q22"]))
    place = "320508", DAY
    assert figures(known, "perinates").get(("perinates", *place), 0) == perinates
    assert (
        figures(known, "perinates_with_defect").get(("perinates_with_defect", *place), 0)
        == perinates
    )
    assert figures(known, "stillbirths").get(("stillbirths", *place), 0) == stillbirths
    assert bool(figures(known, "births", "population")) == live


@pytest.mark.parametrize(("known_on", "late"), [("2016-03-31", False), ("2016-04-01", True)])
def test_late_birth(known_on: str, late: bool) -> None:
    assert bool(figures(tally(told("birth", known_on)), "births_late")) == late


@pytest.mark.parametrize(("known_on", "late"), [("2016-04-15", False), ("2016-04-16", True)])
def test_late_death(known_on: str, late: bool) -> None:
    assert bool(figures(tally(told("death", known_on)), "deaths_late")) == late


def test_birth_outside_the_city_counts_nowhere() -> None:
    assert tally(told("birth", district="110105")).cells == {}


def test_migrant_birth_is_no_population() -> None:
    assert not figures(tally(told("birth", residency="migrant")), "population")


@pytest.mark.parametrize(
    ("born_on", "band", "infant", "neonatal", "under5"),
    [
        *(("2016-03-01", "0", 1, 1, 1), ("2016-02-03", "0", 1, 1, 1)),
        *(("2016-02-02", "0", 1, 0, 1), ("2015-03-02", "0", 1, 0, 1)),
        *(("2015-03-01", "1-4", 0, 0, 1), ("2011-03-02", "1-4", 0, 0, 1)),
        *(("2011-03-01", "5-9", 0, 0, 0), ("1926-01-01", "85+", 0, 0, 0)),
    ],
)
def test_ages_at_death(born_on: str, band: str, infant: int, neonatal: int, under5: int) -> None:
    known = tally(told("death", died_on=DAY, born_on=born_on))
    assert bands(known, "deaths") == {band: 1}
    counted = {
        "infant_deaths": infant,
        "neonatal_deaths": neonatal,
        "under5_deaths": under5,
    }
    for measure, expected in counted.items():
        assert len(figures(known, measure)) == expected, measure
    assert bands(known, "population") == {born_on[:4]: -1}


def test_maternal_death() -> None:
    assert figures(tally(told("death", maternal=True)), "maternal_deaths")
    assert not figures(tally(told("death")), "maternal_deaths")


def test_moves() -> None:
    within = tally(told("move", from_district="320505", to_district="320506", residency="hukou"))
    assert figures(within, "arrivals", "departures", "population") == {
        ("arrivals", "320506", DAY): 1,
        ("departures", "320505", DAY): 1,
        ("population", "320506", DAY): 1,
        ("population", "320505", DAY): -1,
    }
    assert bands(within, "arrivals") == bands(within, "departures") == {"within": 1}
    into = tally(told("move", from_district="000000", to_district="320506"))
    assert bands(into, "arrivals") == {"outside": 1}
    assert not figures(into, "departures", "population")
    past = tally(told("move", from_district="340100", to_district="310115", residency="hukou"))
    assert past.cells == {}
    same = tally(told("move", from_district="320502", to_district="320503"))
    assert not figures(same, "arrivals", "departures", "arrivals_registered_in_time")
    assert figures(same, "migrants_known")


def test_permit_is_always_a_migrant_s() -> None:
    known = tally(told("permit"))
    ((*_, residency, _, band),) = [cell for cell in known.cells if cell[0] == "permits"]
    assert (residency, band) == ("migrant", "register")


def test_discharge() -> None:
    known = tally(told("discharge", diagnoses=["I10.x00x002", "Z37.0"], outcome="5"))
    place = "320583", DAY
    assert figures(
        known, "bed_days", "in_policy_fen", "fund_fen", "deliveries", "hospital_deaths"
    ) == {
        ("bed_days", *place): 5,
        ("in_policy_fen", *place): 700000,
        ("fund_fen", *place): 560000,
        ("deliveries", *place): 1,
        ("hospital_deaths", *place): 1,
    }
    assert bands(known, "discharges") == {"IX": 1}
    assert bands(known, "fund_fen") == {"employee": 560000}


def test_stay_of_one_day_is_a_bed_day() -> None:
    known = tally(told("discharge", admitted_on=DAY))
    assert figures(known, "bed_days") == {("bed_days", "320583", DAY): 1}


def test_refund_is_counted_as_it_is() -> None:
    known = tally(told("discharge", fund_fen=-5, in_policy_fen=0))
    assert figures(known, "fund_fen", "in_policy_fen") == {("fund_fen", "320583", DAY): -5}
