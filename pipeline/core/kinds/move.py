"""Moves between districts and across the city's border."""

from pipeline.core.body import HOUSEHOLD, RESIDENCY, SEX, Body, Document, Fact, day, district
from pipeline.core.calendars import DAYS, year_of
from pipeline.core.kinds.rule import Rule
from pipeline.core.tally import Tally
from schemas.districts import INSIDE

ORIGIN, TARGET = 6, 7


def body(document: Document) -> Body:
    """Day, the district it belongs to (target if inside, else origin), the mover; both ends."""
    origin = district(document["from_district"])
    target = district(document["to_district"])
    return (
        DAYS[document["moved_on"]],
        target if target in INSIDE else origin,
        document["residency"],
        document.get("household"),
        day(document, "born_on"),
        document.get("sex"),
        origin,
        target,
    )


def count(tally: Tally, fact: Fact) -> None:
    """Cells of one counted move; inside one district there are none."""
    moved_on, _, residency, _, born_on, _, origin, target = fact.body
    if origin == target:
        return
    sex, add = fact.sex, tally.add
    add("arrivals", target, moved_on, residency, sex, _other_end(origin))
    add("departures", origin, moved_on, residency, sex, _other_end(target))
    if residency == "hukou":
        born_on = tally.born_on if born_on is None else born_on
        year = "unknown" if born_on is None else str(year_of(born_on))
        add("population", target, moved_on, "hukou", tally.sex, year)
        add("population", origin, moved_on, "hukou", tally.sex, year, -1)


def _other_end(code: str) -> str:
    return "within" if code in INSIDE else "outside"


def counted(body: Body) -> Body | None:
    """Of a migrant: without household, birth day, and which place outside the city it was."""
    if body[RESIDENCY] == "hukou":
        return None
    origin, target = body[ORIGIN], body[TARGET]
    ends = (origin if origin in INSIDE else "", target if target in INSIDE else "")
    return (*body[:HOUSEHOLD], None, None, body[SEX], *ends)


RULE = Rule(body, count, evidence=lambda _: True, counted=counted)
