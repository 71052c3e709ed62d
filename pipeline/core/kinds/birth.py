"""Births: live births, stillbirths, perinates, and the register's new entries."""

from pipeline.core.body import RESIDENCY, SECTOR_BANDS, Body, Document, Fact, day, district
from pipeline.core.calendars import DAYS, mother_band, year_of
from pipeline.core.kinds.rule import Rule
from pipeline.core.tally import Tally

LATE = 30
"""A birth first known more than so many days after is late (出生医学证明管理)."""
PERINATE_WEEKS = 28
LOW_WEIGHT_G = 2500
LIVE = 6


def body(document: Document) -> Body:
    """Day, mother's residence, the child; then live, defects, mother's birth, weeks, weight."""
    born_on = DAYS[document["born_on"]]
    return (
        born_on,
        district(document["district"]),
        document["residency"],
        document.get("household"),
        born_on,
        document["sex"],
        document["live"],
        bool(document["defects"]),
        day(document, "mother_born_on"),
        document.get("gestation_weeks"),
        document.get("weight_g"),
    )


def count(tally: Tally, fact: Fact) -> None:
    """Cells of one counted birth."""
    born_on, place, residency, _, _, sex, live, defects, mother_born, weeks, weight = fact.body
    add = tally.add
    perinate = weeks is None or weeks >= PERINATE_WEEKS
    if live:
        add("births", place, born_on, residency, sex, mother_band(mother_born, born_on))
        add("births_by_report", place, born_on, residency, sex, SECTOR_BANDS[fact.sectors])
        if weight is not None:
            add("births_weighed", place, born_on, residency, sex)
            if weight < LOW_WEIGHT_G:
                add("low_weight_births", place, born_on, residency, sex)
        if fact.first_known - born_on > LATE:
            add("births_late", place, born_on, residency, sex)
        if residency == "hukou":
            add("population", place, born_on, "hukou", tally.sex, str(year_of(born_on)))
    elif perinate:
        add("stillbirths", place, born_on, residency, sex)
    if perinate:
        add("perinates", place, born_on, residency, sex)
        if defects:
            add("perinates_with_defect", place, born_on, residency, sex)


def is_registered(fact: Fact) -> bool:
    """Whether the child has this city's household registration from birth."""
    return bool(fact.body[LIVE]) and fact.body[RESIDENCY] == "hukou"


RULE = Rule(body, count, once=True, evidence=is_registered)
