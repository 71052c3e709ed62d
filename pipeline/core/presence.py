"""A migrant's timeline: where present, since when, until when, and under which registrations.

State is taken at the end of each day; within a day come moves, permits (cancellations first),
discharges, death, silence (CONTRACT section 2, Migrants). Every end is computed at once, the
ones that lie in the future included, so nothing here ever needs a timer.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.core.body import DAY, PLACE, RESIDENCY, Fact
from pipeline.core.kinds.move import ORIGIN, TARGET
from pipeline.core.kinds.permit import ACTION, VALID_UNTIL
from schemas.districts import INSIDE

OUTSIDE = ""
"""Outside the city, which is one place."""

SILENT_AFTER = 365
SILENT_AFTER_REGISTRATION = 183
SILENT_AFTER_DISCHARGE = 183
RESIDENT_FROM = 183
PAUSE = 30
NEVER = 1 << 40
"""Later than any day."""


Stay = tuple[int, int, str, bool]
"""Present at the end of each day from the first day until before the second, at a district;
whether there is other evidence than discharges."""

Span = tuple[int, int, str]
"""Days from the first until before the second, at a district."""

Registration = tuple[Fact, int, int, str, int]
"""A permit that gave a registration: from a day, valid until a day, at a district, and the day
from which it was no longer held (cancelled, or the district was left)."""


class Presence(NamedTuple):
    """Everything the timeline yields; findings as (code, fact).

    Attributes:
        stays: where present, piece by piece; a move within the city begins another.
        managed: with a registration in force at the district, joined where they touch.
        resident: from the 183rd day present, absences of 30 days at most apart.
        registrations: every one that was ever held.
        hukou: the district of the household registration now, if it is in this city.
        last_evidence: the last day that showed the person here as a migrant.
    """

    stays: Sequence[Stay]
    managed: Sequence[Span]
    resident: Sequence[Span]
    registrations: Sequence[Registration]
    findings: Sequence[tuple[str, Fact]]
    hukou: str | None
    last_evidence: int | None


def _managed(registrations: Sequence[Registration]) -> list[Span]:
    spans = [
        (start, min(valid_until + 1, held_until), district)
        for _, start, valid_until, district, held_until in registrations
        if start < held_until
    ]
    return _union(spans) if len(spans) > 1 else spans


def _union(spans: list[Span]) -> list[Span]:
    spans.sort()
    joined = [spans[0]]
    for span in spans[1:]:
        start, end, district = joined[-1]
        if span[0] <= end and span[2] == district:
            joined[-1] = (start, max(end, span[1]), district)
        else:
            joined.append(span)
    return joined


def _resident(stays: Sequence[Stay]) -> list[Span]:
    spans: list[Span] = []
    days, last = 0, -NEVER
    for start, end, district, firm in stays:
        if not firm:
            continue
        if start - last > PAUSE:
            days = 0
        since = start if days >= RESIDENT_FROM else start + RESIDENT_FROM - 1 - days
        if since < end:
            spans.append((since, end, district))
        days += end - start
        last = end
    return spans


class _Timeline:
    """The walk through one person's days. One use, then thrown away."""

    __slots__ = (
        *("evidence", "findings", "firm", "first_discharge", "held", "hukou", "place"),
        *("registered", "registrations", "standing", "stays"),
    )

    def __init__(self) -> None:
        self.place: str | None = None
        self.firm = False
        self.hukou: str | None = None
        self.evidence = 0
        self.first_discharge: Fact | None = None
        self.held: list[Fact] = []
        self.registered = -NEVER
        self.stays: list[Stay] = []
        self.registrations: list[Registration] = []
        self.findings: list[tuple[str, Fact]] = []
        self.standing: tuple[str, bool, int] | None = None

    def deadline(self) -> int:
        """First day at whose end silence has ended the presence."""
        if not self.firm:
            return self.evidence + SILENT_AFTER_DISCHARGE
        silent, lapsed = self.evidence + SILENT_AFTER, self.registered + SILENT_AFTER_REGISTRATION
        return silent if silent > lapsed else lapsed  # noqa: FURB136 - a third of the time of max()

    def release(self, day: int) -> None:
        """The registrations held end: cancelled, or their district was left."""
        if self.held:
            for permit in self.held:
                body = permit.body
                held = (permit, body[DAY], body[VALID_UNTIL], body[PLACE], day)
                self.registrations.append(held)
            self.held.clear()
            self.registered = -NEVER

    def leave(self, day: int) -> None:
        """Presence ends."""
        self.release(day)
        if self.first_discharge is not None:
            self.findings.append(("seen_only_by_hospital", self.first_discharge))
            self.first_discharge = None
        self.place = None
        self.firm = False

    def settle(self, district: str, day: int) -> None:
        """Evidence other than a discharge puts the person at a district."""
        if self.place != district:
            self.release(day)
            self.place = district
        self.firm = True
        self.first_discharge = None
        self.evidence = day

    def take_birth(self, birth: Fact, day: int) -> None:
        """A child born with the household registration is no migrant from that day on."""
        self.leave(day)
        self.hukou = birth.body[PLACE] if birth.body[PLACE] in INSIDE else OUTSIDE

    def take_moves(self, moves: list[Fact], day: int) -> None:
        """The next move is the one that starts where the person is, else the smallest."""
        moves.sort(key=_by_record)
        while len(moves) > 1:
            here = self.place or self.hukou or OUTSIDE
            starts = (
                at
                for at, move in enumerate(moves)
                if (move.body[ORIGIN] if move.body[ORIGIN] in INSIDE else OUTSIDE) == here
            )
            self.take_move(moves.pop(next(starts, 0)), day)
        self.take_move(moves.pop(), day)

    def take_move(self, move: Fact, day: int) -> None:
        """One move, wherever the person is."""
        origin, target = move.body[ORIGIN], move.body[TARGET]
        leaves = origin in INSIDE and target not in INSIDE
        if move.body[RESIDENCY] == "hukou":
            if target in INSIDE:
                self.leave(day)
                self.hukou = target
            elif leaves:
                self.leave(day)
                self.hukou = None
        elif self.hukou is None:
            if target in INSIDE:
                self.settle(target, day)
            elif leaves and self.place is None:
                self.findings.append(("unknown_departure", move))
            elif leaves:
                self.leave(day)

    def take_permit(self, permit: Fact, day: int) -> None:
        """A registration, or the end of those of a district."""
        district, action = permit.body[PLACE], permit.body[ACTION]
        if self.hukou is not None:
            return
        if action == "cancel":
            if district == self.place:
                self.release(day)
            return
        if self.place != district:
            self.findings.append(("permit_without_arrival", permit))
        self.settle(district, day)
        self.held.append(permit)
        self.registered = max(self.registered, permit.body[VALID_UNTIL])

    def take_discharge(self, discharge: Fact, day: int) -> None:
        """Seen by a hospital."""
        district = discharge.body[PLACE]
        if self.hukou is not None or district not in INSIDE:
            return
        if self.place is None:
            self.place = district
            self.first_discharge = discharge
        self.evidence = day

    def close(self, day: int) -> None:
        """The state at the end of a day, kept when it differs from the day before."""
        before = self.standing
        if before is not None:
            place, firm, since = before
            if place == self.place and firm == self.firm:
                return
            if since < day:
                self.stays.append((since, day, place, firm))
        self.standing = None if self.place is None else (self.place, self.firm, day)

    def fall_silent(self, before: int) -> None:
        """Ends a presence whose deadline lies before a day, on its own day."""
        if self.place is not None:
            deadline = self.deadline()
            if deadline < before:
                self.leave(deadline)
                self.close(deadline)

    def end_day(self, day: int, died_on: int | None) -> None:
        """Death, then silence; evidence on the very day was in time, a cancellation may not be."""
        if self.place is not None and (day == died_on or self.deadline() <= day):
            self.leave(day)
        self.close(day)


def presence(evidence: Iterable[Fact], died_on: int | None) -> Presence | None:
    """The timeline of one person; ``None`` without any evidence.

    Args:
        evidence: the person's counted facts that say where the person lives, in any order:
            births with household registration, moves, permits, migrants' discharges alive.
        died_on: day of the counted death; nothing after it is evidence.
    """
    days: dict[int, list[Fact]] = {}
    for fact in evidence:
        day = fact.body[DAY]
        if died_on is None or day <= died_on:
            if day in days:
                days[day].append(fact)
            else:
                days[day] = [fact]
    if not days:
        return None
    line = _Timeline()
    last_evidence: int | None = None
    for day in sorted(days) if len(days) > 1 else days:
        if line.place is not None:
            line.fall_silent(before=day)
        _take_day(line, days[day], day)
        if line.place is not None and line.evidence == day:
            last_evidence = day
        line.end_day(day, died_on)
    if died_on is not None:
        line.fall_silent(before=died_on)
        line.end_day(died_on, died_on)
    if line.place is not None:
        line.fall_silent(before=NEVER)
    return Presence(
        line.stays,
        _managed(line.registrations),
        _resident(line.stays),
        line.registrations,
        line.findings,
        line.hukou,
        last_evidence,
    )


def _by_record(fact: Fact) -> str:
    return fact.record_id


def _cancellations_first(permit: Fact) -> tuple[bool, str]:
    return permit.body[ACTION] != "cancel", permit.record_id


def _take_day(line: _Timeline, facts: Sequence[Fact], day: int) -> None:
    if len(facts) == 1:
        fact = facts[0]
        if fact.kind == "permit":
            line.take_permit(fact, day)
        elif fact.kind == "move":
            line.take_move(fact, day)
        elif fact.kind == "discharge":
            line.take_discharge(fact, day)
        else:
            line.take_birth(fact, day)
        return
    by_kind: dict[str, list[Fact]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append(fact)
    for birth in by_kind.get("birth", ()):
        line.take_birth(birth, day)
    if "move" in by_kind:
        line.take_moves(by_kind["move"], day)
    for permit in sorted(by_kind.get("permit", ()), key=_cancellations_first):
        line.take_permit(permit, day)
    for discharge in sorted(by_kind.get("discharge", ()), key=_by_record):
        line.take_discharge(discharge, day)
