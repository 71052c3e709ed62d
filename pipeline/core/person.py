"""One current row about a person: what the population base register says of them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.core.body import BORN_ON, DAY, HOUSEHOLD, PLACE, RESIDENCY, Body, Fact
from pipeline.core.kinds.move import TARGET
from pipeline.core.kinds.permit import POINTS
from pipeline.core.presence import Presence, Span, Stay
from pipeline.core.tally import Tally
from schemas.clock import LAST_DAY
from schemas.districts import INSIDE


class Person(NamedTuple):
    """The row; days are day numbers, ``until`` days are the first day no longer so.

    The first three are as the newest report says them. ``district`` and ``residency`` are where
    the person is held to live now, empty when nothing says so or when it is outside the city.
    """

    born_on: int | None
    household: str
    points: int | None
    alive: bool
    died_on: int | None
    sex: str
    district: str
    residency: str
    known_from: int | None
    known_until: int | None
    managed_from: int | None
    managed_until: int | None
    resident_from: int | None
    resident_until: int | None
    registered_until: int | None
    last_evidence: int | None


_Bound = int | None
_Spells = tuple[_Bound, _Bound, _Bound, _Bound, _Bound, _Bound, _Bound]
_NO_SPELLS: _Spells = (None, None, None, None, None, None, None)


def like(other: Person, kind: str, body: Body) -> Person:
    """The row of a person's only report, which differs from another's in what is not counted."""
    points = body[POINTS] if kind == "permit" else None
    said = (body[BORN_ON], body[HOUSEHOLD] or "", points)
    return Person._make((*said, *other[len(said) :]))


def person(known: Tally) -> Person:
    """The row of the person whose facts these are."""
    by_day = known.facts
    if len(by_day) > 1:
        by_day = sorted(by_day, key=lambda fact: (fact.body[DAY], fact.record_id), reverse=True)
    born_on, household, points = known.born_on, None, None
    for fact in by_day:  # the newest word on each
        body = fact.body
        if born_on is None:
            born_on = body[BORN_ON]
        if household is None:
            household = body[HOUSEHOLD]
        if points is None and fact.kind == "permit":
            points = body[POINTS]
    line = known.presence
    district, residency = _home(line, by_day)
    return Person(
        born_on,
        household or "",
        points,
        known.death is None,
        known.death.body[DAY] if known.death else None,
        known.sex,
        district,
        residency,
        *(_spells(line) if line else _NO_SPELLS),
        line.last_evidence if line else None,
    )


def _spells(line: Presence) -> _Spells:
    """Known, managed and resident, each from and until; and the last day of a registration."""
    registered_until = None
    for _, _, valid_until, _, held_until in line.registrations:
        held = min(valid_until, held_until - 1)
        if registered_until is None or held > registered_until:
            registered_until = held
    return (*_known(line.stays), *_last(line.managed), *_last(line.resident), registered_until)


def _in_calendar(day: int) -> int:
    return min(day, LAST_DAY)


def _known(stays: Iterable[Stay]) -> tuple[int | None, int | None]:
    """The last presence as a whole, whatever districts it led through."""
    start = end = None
    for since, until, *_ in stays:
        start = since if end is None or since > end else start
        end = until
    return start, None if end is None else _in_calendar(end)


def _last(spans: Sequence[Span]) -> tuple[int | None, int | None]:
    return (spans[-1][0], _in_calendar(spans[-1][1])) if spans else (None, None)


def _home(line: Presence | None, by_day: list[Fact]) -> tuple[str, str]:
    if line is not None and line.hukou is not None:
        return line.hukou, "hukou"
    if line is not None and line.stays:
        return line.stays[-1][2], "migrant"
    for fact in by_day:
        place = fact.body[TARGET] if fact.kind == "move" else fact.body[PLACE]
        if fact.kind == "move" or fact.body[RESIDENCY] != "visitor":
            return (place, fact.body[RESIDENCY]) if place in INSIDE else ("", "")
    return "", ""
