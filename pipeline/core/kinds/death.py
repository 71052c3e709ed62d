"""Deaths by age, infants' and mothers' deaths, and the register's lost entries."""

from pipeline.core.body import SECTOR_BANDS, Body, Document, Fact, day, district
from pipeline.core.calendars import DAYS, completed_years, death_band, year_of
from pipeline.core.kinds.rule import Rule
from pipeline.core.tally import Tally

LATE = 45
NEONATAL_DAYS = 27


def body(document: Document) -> Body:
    """Day, usual residence, the deceased; then whether the death is maternal."""
    return (
        DAYS[document["died_on"]],
        district(document["district"]),
        document["residency"],
        document.get("household"),
        day(document, "born_on"),
        document["sex"],
        document["maternal"],
    )


def count(tally: Tally, fact: Fact) -> None:
    """Cells of the counted death; a missing birth day is that of the counted birth."""
    died_on, place, residency, _, own_born_on, sex, maternal = fact.body
    born_on = tally.born_on if own_born_on is None else own_born_on
    year = "unknown" if born_on is None else str(year_of(born_on))
    if born_on is not None and born_on > died_on:
        born_on = None  # two sources' dates that do not go together say nothing about an age
    add = tally.add
    add("deaths", place, died_on, residency, sex, death_band(born_on, died_on))
    add("deaths_by_report", place, died_on, residency, sex, SECTOR_BANDS[fact.sectors])
    if born_on is not None:
        age = completed_years(born_on, died_on)
        if died_on - born_on <= NEONATAL_DAYS:
            add("neonatal_deaths", place, died_on, residency, sex)
        if age < 1:
            add("infant_deaths", place, died_on, residency, sex)
        if age < 5:
            add("under5_deaths", place, died_on, residency, sex)
    if maternal:
        add("maternal_deaths", place, died_on, residency, sex)
    if fact.first_known - died_on > LATE:
        add("deaths_late", place, died_on, residency, sex)
    if residency == "hukou":
        add("population", place, died_on, "hukou", tally.sex, year, -1)
    if _is_infant(own_born_on, died_on) and all(other.kind != "birth" for other in tally.facts):
        tally.find("death_without_birth", fact)


def _is_infant(born_on: int | None, died_on: int) -> bool:
    return born_on is not None and died_on - born_on >= 0 and completed_years(born_on, died_on) < 1


RULE = Rule(body, count, once=True)
