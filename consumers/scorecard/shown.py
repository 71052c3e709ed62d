"""A scorecard in words: what tables and pages print of each row."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from consumers.scorecard.read import Row, Scorecard
from consumers.scorecard.words import (
    BINDS,
    CONTRADICTION,
    COURSES,
    DIRECTIONS,
    OUTCOMES,
    RULES,
    STATUSES,
    TARGET_NOTES,
    WHYS,
    Language,
    aim,
    base,
    say,
    start,
    unit,
    window,
    word,
)
from pipeline.catalogue.model import Fact
from pipeline.catalogue.targets import TARGETS
from pipeline.core.rates import half_up
from pipeline.core.scorecard import most_births

PLACES = {"persons": 0}
"""Decimals shown of a unit, where they are not two."""
_MINUS = "\u2212"


@dataclass(frozen=True)
class Line:
    """One row as it is printed."""

    key: str
    name: str
    about: str
    start: str
    target: str
    present: str
    interval: str
    status: str
    trend: str
    direction: str
    outcome: str
    verdict: str
    why: str
    course: str
    outlook: str
    needed: str
    note: str


def number(value: Fraction | float | None, places: int, *, signed: bool = False) -> str:
    """A value for display, rounded half up, with thousands apart."""
    if value is None:
        return "–"
    whole, dot, rest = (half_up(Fraction(value), places) or "").partition(".")
    digits = f"{abs(int(whole)):,}{dot}{rest}"
    sign = _MINUS if value < 0 and digits.strip("0.,") else "+" if signed else ""
    return sign + digits


def places(row: Row) -> int:
    """Decimals of a row's values."""
    return PLACES.get(row.entry.unit, 2)


def lines(card: Scorecard, language: Language) -> list[Line]:
    """Every row in words."""
    return [_line(row, language) for row in card.rows]


def _line(row: Row, language: Language) -> Line:
    decimals, ahead = places(row), row.outlook
    shown = unit(row.entry.unit, language)
    interval = ""
    if row.reading.low is not None and row.reading.high is not None:
        ends = (number(end, decimals) for end in (row.reading.low, row.reading.high))
        interval = f"{next(ends)} – {next(ends)}"
    complete = row.completeness
    status = "" if row.reading.value is None else say(STATUSES[row.status], language)
    if complete is not None:
        status += f" · {word('completeness', language)} {number(100 * complete, 1)}\u00a0%"
    trend = word("no_trend", language)
    direction = ""
    if row.slope is not None:
        direction = say(DIRECTIONS[row.slope.direction], language)
        trend = number(row.slope.a_year, decimals, signed=True)
    outlook = ""
    if ahead.projected is not None:
        outlook = f"{word('projected', language)} {number(ahead.projected, decimals)}"
        if ahead.high != ahead.low:
            outlook += f" ({number(ahead.low, decimals)} – {number(ahead.high, decimals)})"
    needed = ""
    if ahead.needed is not None:
        needed = word("nothing_needed", language)
        if ahead.needed:
            change = number(ahead.needed, decimals, signed=True)
            needed = f"{word('needed', language)} {change}"
    names = (row.entry.name_zh, row.entry.name_en)
    about = [base(row.target.base, language), window(row.target.window, language), shown]
    if isinstance(row.entry.numerator, Fact):
        about = about[1:]
    note = TARGET_NOTES.get(row.target.indicator)
    return Line(
        key=row.target.indicator,
        name=say(names, language),
        about=" · ".join(about),
        start=start(row.target),
        target=aim(row.target, language),
        present=number(row.reading.value, decimals),
        interval=interval,
        status=status,
        trend=trend,
        direction=direction,
        outcome=row.verdict.outcome,
        verdict=say(OUTCOMES[row.verdict.outcome], language),
        why=say(WHYS[row.verdict.why], language),
        course=say(COURSES[ahead.course], language),
        outlook=outlook,
        needed=needed,
        note=say(note, language) if note else "",
    )


def contradiction(card: Scorecard, language: Language) -> str:
    """What the limits of births and of natural growth mean together; empty without a death rate."""
    if card.death_rate is None:
        return ""
    limits = {target.indicator: target.high for target in TARGETS}
    births, growth = limits["birth_rate"], limits["natural_growth_rate"]
    assert births is not None  # noqa: S101 - both are limits of the plan
    assert growth is not None  # noqa: S101
    most = most_births(growth, card.death_rate)
    return say(CONTRADICTION, language).format(
        death=number(card.death_rate, 2),
        births=number(most, 2),
        binds=say(BINDS[most >= births], language),
    )


def notes(card: Scorecard, language: Language) -> list[str]:
    """What has to be read beside the table."""
    found = [contradiction(card, language), *(say(rule, language) for rule in RULES)]
    return [note for note in found if note]


def heading(card: Scorecard, language: Language) -> str:
    """The days that the scorecard is of."""
    day = f"{word('as_of', language)} {card.as_of}"
    if card.known_on is None:
        return f"{day} · {word('all_known', language)}"
    return f"{day} · {word('known_on', language)} {card.known_on}"


def counts(card: Scorecard, language: Language) -> list[tuple[str, str, int]]:
    """Outcome, its name, and how many rows have it."""
    outcomes = [row.verdict.outcome for row in card.rows]
    return [(key, say(name, language), outcomes.count(key)) for key, name in OUTCOMES.items()]
