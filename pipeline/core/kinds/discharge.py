"""Hospital stays: chapters, bed days, deliveries, deaths, money."""

from pipeline.core.body import DAY, RESIDENCY, Body, Document, Fact, day, district
from pipeline.core.calendars import DAYS
from pipeline.core.kinds.rule import Rule
from pipeline.core.tally import Tally
from schemas.icd10 import chapter, is_delivery

GRACE = 30
"""A stay may be closed in the books so many days after the day of death."""
DEATH_WITHIN = 30
OUTCOME = 6
DIED = "5"


def body(document: Document) -> Body:
    """Day, usual residence, the patient; then outcome, admission, chapter, delivery, money."""
    diagnoses = document["diagnoses"]
    return (
        DAYS[document["discharged_on"]],
        district(document["district"]),
        document["residency"],
        document.get("household"),
        day(document, "born_on"),
        document.get("sex"),
        document["outcome"],
        DAYS[document["admitted_on"]],
        chapter(diagnoses[0]),
        any(map(is_delivery, diagnoses)),
        document["scheme"],
        document["in_policy_fen"],
        document["fund_fen"],
    )


def count(tally: Tally, fact: Fact) -> None:
    """Cells of one counted stay."""
    left_on, place, residency, *_ = fact.body
    outcome, admitted_on, main_chapter, delivery, scheme, in_policy_fen, fund_fen = fact.body[6:]
    sex, add = fact.sex, tally.add
    add("discharges", place, left_on, residency, sex, main_chapter)
    add("bed_days", place, left_on, residency, sex, "", max(left_on - admitted_on, 1))
    if delivery:
        add("deliveries", place, left_on, residency, sex)
    add("in_policy_fen", place, left_on, residency, sex, scheme, in_policy_fen)
    add("fund_fen", place, left_on, residency, sex, scheme, fund_fen)
    if outcome == DIED:
        add("hospital_deaths", place, left_on, residency, sex)
        death = tally.death
        if death is None or abs(death.body[DAY] - left_on) > DEATH_WITHIN:
            tally.find("hospital_death_without_death", fact, later=DEATH_WITHIN)


def is_evidence(fact: Fact) -> bool:
    """Whether the stay shows a migrant alive at a residence."""
    return bool(fact.body[RESIDENCY] == "migrant" and fact.body[OUTCOME] != DIED)


RULE = Rule(body, count, grace=GRACE, evidence=is_evidence)
