"""Acts on residence registrations; what they mean for presence is the timeline's."""

from pipeline.core.body import HOUSEHOLD, SEX, Body, Document, Fact, day, district
from pipeline.core.calendars import DAYS
from pipeline.core.kinds.rule import Rule
from pipeline.core.tally import Tally

ACTION, VALID_UNTIL, POINTS = 6, 7, 8
RENEWALS = ("issue", "endorse")


def body(document: Document) -> Body:
    """Day, district, always a migrant's; then the action, last day in force, points."""
    return (
        DAYS[document["effective_on"]],
        district(document["district"]),
        "migrant",
        document.get("household"),
        day(document, "born_on"),
        document.get("sex"),
        document["action"],
        day(document, "valid_until"),
        document.get("points"),
    )


def count(tally: Tally, fact: Fact) -> None:
    """The act itself, by action."""
    effective_on, place, residency, *_ = fact.body
    tally.add("permits", place, effective_on, residency, fact.sex, fact.body[ACTION])


def counted(body: Body) -> Body:
    """Without household, birth day and points."""
    return (*body[:HOUSEHOLD], None, None, *body[SEX:POINTS], None)


RULE = Rule(body, count, evidence=lambda _: True, counted=counted)
