"""Which facts of a person count, the person's sex, and the findings about them."""

from pipeline.core.project import NOTHING
from tests.unit.core_events import bands, codes, figures, sexes, tally, told

POLICE = "police.household"


def test_nothing_known_counts_nothing() -> None:
    assert tally().cells == NOTHING.cells == {}


def test_second_comes_before_after_death() -> None:
    """A second birth after the death is a second birth only."""
    found = tally(
        told("birth", record_id="B1", born_on="2016-01-01"),
        told("birth", record_id="B2", born_on="2016-03-01"),
        told("death", died_on="2016-02-01", sex="2"),
    )
    assert codes(found) == ["second_birth"]
    assert figures(found, "births") == {("births", "320508", "2016-01-01"): 1}


def test_first_birth_is_chosen_before_the_death_test() -> None:
    """The only birth lies after the death: it counts for nothing, not even for the birth day."""
    found = tally(told("birth", born_on="2016-03-01"), told("death", died_on="2016-02-29", sex="2"))
    assert codes(found) == ["after_death"]
    assert not figures(found, "births")
    assert found.born_on is None


def test_of_one_day_the_smaller_record_id_is_the_first() -> None:
    found = tally(told("birth", record_id="B2", sex="1"), told("birth", record_id="B1", sex="1"))
    assert [(f.code, f.record_id) for f in found.findings] == [("second_birth", "B2")]


def test_second_death() -> None:
    found = tally(
        told("death", record_id="D1", died_on="2016-03-01"),
        told("death", record_id="D2", died_on="2016-02-28"),
    )
    assert [(f.code, f.record_id) for f in found.findings] == [("second_death", "D1")]
    assert figures(found, "deaths") == {("deaths", "320508", "2016-02-28"): 1}


def test_stay_counts_until_thirty_days_after_the_death() -> None:
    death = told("death", died_on="2016-01-01", sex="1")
    in_time = told("discharge", discharged_on="2016-01-31", admitted_on="2015-12-30")
    late = told("discharge", discharged_on="2016-02-01", admitted_on="2015-12-30")
    assert codes(tally(death, in_time)) == []
    assert figures(tally(death, in_time), "discharges")
    assert codes(tally(death, late)) == ["after_death"]
    assert not figures(tally(death, late), "discharges")


def test_stay_that_counts_for_nothing_misses_no_death() -> None:
    late = told("discharge", outcome="5", discharged_on="2016-03-01", admitted_on="2016-02-29")
    assert codes(tally(told("death", died_on="2016-01-01"), late)) == ["after_death"]
    assert codes(tally(late)) == ["hospital_death_without_death"]


def test_hospital_death_is_met_within_thirty_days_either_side() -> None:
    stay = told("discharge", outcome="5", discharged_on="2016-02-01", admitted_on="2016-01-31")
    for died_on, met in (
        *(("2016-01-02", True), ("2016-03-02", True)),
        *(("2016-03-03", False),),
    ):
        found = codes(tally(stay, told("death", died_on=died_on)))
        assert found == ([] if met else ["hospital_death_without_death"]), died_on
    finding = tally(stay)
    assert figures(finding, "findings") == {("findings", "320583", "2016-03-02"): 1}


def test_birth_date_filled_from_another_source_after_the_death_says_no_age() -> None:
    found = tally(
        told("death", died_on="2016-03-01"),
        told("death", source=POLICE, died_on="2016-03-05", born_on="2016-03-04"),
    )
    assert bands(found, "deaths") == {"unknown": 1}
    assert not figures(found, "infant_deaths", "neonatal_deaths", "under5_deaths")
    assert "death_without_birth" not in codes(found)
    assert bands(found, "population") == {"2016": -1}


def test_missing_birth_date_is_that_of_the_counted_birth() -> None:
    birth = told("birth", born_on="2016-02-02", sex="1")
    found = tally(birth, told("death", died_on="2016-02-29"))
    assert bands(found, "deaths") == {"0": 1}
    assert figures(found, "neonatal_deaths") == {("neonatal_deaths", "320508", "2016-02-29"): 1}
    assert not figures(tally(birth, told("death", died_on="2016-03-01")), "neonatal_deaths")


def test_infant_death_without_a_birth() -> None:
    dead = told("death", died_on="2016-02-28", born_on="2015-03-01")
    assert codes(tally(dead)) == ["death_without_birth"]
    stillbirth = told("birth", live=False, born_on="2015-03-01", sex="1")
    assert codes(tally(dead, stillbirth)) == []
    assert codes(tally(told("death", died_on="2016-03-01", born_on="2015-03-01"))) == []


def test_first_known_sex_of_all_standing_facts() -> None:
    """By day, record_id, then birth, move, permit, discharge, death; 0 and 9 say nothing."""
    found = tally(
        told("birth", born_on="2016-01-01", sex="9"),
        told("death", record_id="A", died_on="2016-03-01", sex="1"),
        told("discharge", record_id="A", sex="2"),
    )
    assert found.sex == "2"
    assert [(f.code, f.kind) for f in found.findings] == [("sex_conflict", "death")]
    assert {cell[4] for cell in found.cells if cell[0] == "population"} == {"2"}


def test_fact_that_counts_for_nothing_still_says_the_sex() -> None:
    found = tally(
        told("birth", record_id="B1", born_on="2016-02-01", sex="9"),
        told("birth", record_id="B2", born_on="2016-02-02", sex="1"),
    )
    assert sexes(found, "births") == {"9": 1}
    assert sexes(found, "population") == {"1": 1}


def test_cells_beyond_the_calendar_do_not_exist() -> None:
    permit = told("permit", action="issue", valid_until="2299-12-30", effective_on="2016-03-01")
    found = tally(permit)
    lapse = ("endorsements_due", "320583", "2299-12-31")
    assert lapse in figures(found, "endorsements_due")
    managed = figures(found, "migrants_managed")
    assert managed[("migrants_managed", "320583", "2299-12-31")] == -1
    assert figures(found, "migrants_known") == {("migrants_known", "320583", "2016-03-01"): 1}


def test_sex_of_what_a_fact_counts_is_its_own() -> None:
    """Stock cells carry the person's sex, everything else the fact's."""
    found = tally(
        told("move", moved_on="2016-01-01", sex="2"),
        told("permit", action="issue", effective_on="2016-01-02", valid_until="2016-02-01"),
        told(
            "permit",
            record_id="P2",
            action="endorse",
            effective_on="2016-02-02",
            valid_until="2017-02-01",
            sex="1",
        ),
    )
    assert sexes(found, "arrivals_registered_in_time") == {"2": 1}
    assert sexes(found, "endorsements_due") == {"9": 1, "1": 1}
    assert sexes(found, "endorsed_in_time") == {"9": 1}
    assert sexes(found, "findings") == {"1": 1}
    assert {cell[4] for cell in found.cells if cell[0] == "migrants_known"} == {"2"}


def test_move_belongs_to_its_target_inside_else_to_its_origin() -> None:
    into = tally(told("move", moved_on="2016-03-01"), told("death", died_on="2016-02-01"))
    assert [(f.code, f.district) for f in into.findings] == [("after_death", "320583")]
    out = tally(told("move", from_district="320505", to_district="340100"))
    assert [(f.code, f.district) for f in out.findings] == [("unknown_departure", "320505")]
