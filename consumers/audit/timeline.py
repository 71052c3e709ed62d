"""One person's life as a migrant, walked day by day.

The walk keeps the state of the contract's paragraph on migrants, applies what
happens on a day in the order given there, and writes down how the day ended.
Days on which nothing can change are passed over in one step (a registration may
run to 2299); `every_day=True` visits each of them, which a test uses to show that
passing over changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from consumers.audit.facts import CITY, Fact

OUTSIDE = "outside"
RESIDENT_DAYS = 183
PAUSE_DAYS = 30


@dataclass(frozen=True)
class DayEnd:
    """The state at the end of one day; each place is None where the state does not hold.

    Attributes:
        known: District where the person is present as a migrant.
        managed: The same district when a registration there is in force.
        resident: The same district when the person counts as resident.
        held: Record ids of the registrations still held, lapsed ones included.
    """

    known: str | None = None
    managed: str | None = None
    resident: str | None = None
    held: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Timeline:
    """What a walk leaves behind.

    Attributes:
        days: Day and state at its end, ascending; a state holds until the next entry.
        findings: Code and fact of what was noticed on the way.
    """

    days: list[tuple[date, DayEnd]]
    findings: list[tuple[str, Fact]]

    def end_of(self, day: date) -> DayEnd:
        """State at the end of `day`."""
        state = DayEnd()
        for since, later in self.days:
            if since > day:
                break
            state = later
        return state


def walk(facts: Iterable[Fact], death: date | None, *, every_day: bool = False) -> Timeline:
    """Walk through all counted facts of one person.

    Args:
        facts: Facts of one person that count, in any order.
        death: Day of the counted death, None while alive.
        every_day: Stop on each single day instead of passing over quiet ones.
    """
    by_day: dict[date, list[Fact]] = {}
    for fact in facts:
        # Discharges count until 30 days after the death, but nobody is present by then.
        if death is None or fact.day <= death:
            by_day.setdefault(fact.day, []).append(fact)
    walker = _Walker(death)
    days: list[tuple[date, DayEnd]] = []
    day = min(by_day, default=None)
    while day is not None:
        days.append((day, walker.live(day, by_day.get(day, []))))
        coming = [other for other in by_day if other > day] + walker.turning_points(day)
        if not coming:
            break
        following = day + timedelta(days=1) if every_day else min(coming)
        walker.pass_quiet_days((following - day).days - 1)
        day = following
    return Timeline(days, walker.findings)


@dataclass(frozen=True)
class _Registration:
    record_id: str
    effective_on: date
    valid_until: date


class _Walker:
    """The state between two days and what each kind of fact does to it."""

    def __init__(self, death: date | None) -> None:
        self.death = death
        self.present_at: str | None = None
        # Where the person is registered under hukou; OUTSIDE for a child of the city's hukou
        # born to a mother who lives elsewhere; None when not under hukou.
        self.hukou_at: str | None = None
        # False while the present spell rests on discharges alone; they begin with `first_seen`.
        self.confirmed = False
        self.first_seen: Fact | None = None
        self.last_evidence = date.min
        # By rule "registration still held (not cancelled, of the present district)"
        self.held: list[_Registration] = []
        self.days_counted = 0
        self.days_absent = 0
        self.findings: list[tuple[str, Fact]] = []

    def live(self, day: date, facts: list[Fact]) -> DayEnd:
        """Apply one day's facts and return the state at its end."""
        # By rule "within a day: moves (...), permits (`cancel` first, then by record_id),
        # discharges, death, silence". A birth comes before all of them: nothing can precede it.
        for fact in _of_kind("birth", facts):
            self._birth(fact)
        self._moves(_of_kind("move", facts))
        permits = _of_kind("permit", facts)
        for fact in sorted(permits, key=lambda permit: permit.content["action"] != "cancel"):
            self._permit(fact)
        for fact in _of_kind("discharge", facts):
            self._discharge(fact)
        # By rule "Ends. Death."
        if day == self.death:
            self._leave()
        if self.present_at is not None and day >= self._silent_from():
            self._leave()
        self._count_day()
        return self._day_end(day)

    def turning_points(self, day: date) -> list[date]:
        """Later days on which the state may change although no fact falls on them."""
        if self.present_at is None:
            return []
        lapses = [registration.valid_until + timedelta(days=1) for registration in self.held]
        points = [self._silent_from(), *lapses]
        if self.confirmed and self.days_counted < RESIDENT_DAYS:
            points.append(day + timedelta(days=RESIDENT_DAYS - self.days_counted))
        return [point for point in points if point > day]

    def pass_quiet_days(self, days: int) -> None:
        """Let `days` days go by that end like the last one."""
        if self.present_at is not None and self.confirmed:
            self.days_counted += days
        else:
            self.days_absent += days

    def _birth(self, fact: Fact) -> None:
        # By rule "From a counted live hukou birth, wherever the residence, ... the person is no
        # migrant"
        if fact.residency == "hukou" and fact.content["live"]:
            self._leave()
            self.hukou_at = _inside_or_outside(fact.place("district"))

    def _moves(self, moves: list[Fact]) -> None:
        # By rule "moves (next is the one that starts where the person is: present as migrant, else
        # under hukou, else outside the city, which is one place; of several, or when none does, the
        # smallest record_id)"
        waiting = list(moves)
        while waiting:
            here = self.present_at or self.hukou_at or OUTSIDE
            starting_here = [
                move for move in waiting if _inside_or_outside(move.place("from_district")) == here
            ]
            following = (starting_here or waiting)[0]
            waiting.remove(following)
            self._move(following)

    def _move(self, fact: Fact) -> None:
        from_place = _inside_or_outside(fact.place("from_district"))
        to_place = _inside_or_outside(fact.place("to_district"))
        into_city = to_place != OUTSIDE
        out_of_city = to_place == OUTSIDE and from_place != OUTSIDE
        if fact.residency == "hukou":
            # By rule "... or a `hukou` move to a city district until a `hukou` move out of the
            # city, the person is no migrant"
            if into_city:
                self._leave()
                self.hukou_at = to_place
            elif out_of_city:
                # By rule "a move out of the city ends presence"
                self._leave()
                self.hukou_at = None
            return
        # By rule "... and nothing is evidence"
        if self.hukou_at is not None:
            return
        if into_city:
            # By rule "A `migrant` move into or within the city puts the person at `to_district`"
            self._put(to_place, fact.day)
        elif out_of_city:
            # By rule "`unknown_departure` (a migrant leaving while not present)"
            if self.present_at is None:
                self.findings.append(("unknown_departure", fact))
            # By rule "a move out of the city ends presence"
            self._leave()

    def _permit(self, fact: Fact) -> None:
        if self.hukou_at is not None:
            return
        district = fact.place("district")
        if fact.content["action"] == "cancel":
            # By rule "`cancel` ends those of its district"
            if district == self.present_at:
                self.held = []
            return
        # By rule "`permit_without_arrival` (a permit that placed the person)"
        if self.present_at != district:
            self.findings.append(("permit_without_arrival", fact))
        # By rule "`register`/`issue`/`endorse` puts the person at its district from
        # `effective_on`."
        self._put(district, fact.day)
        valid_until = fact.date_in("valid_until")
        if valid_until is not None:
            self.held.append(_Registration(fact.record_id, fact.day, valid_until))

    def _discharge(self, fact: Fact) -> None:
        # By rule "A `migrant` discharge (outcome 5 apart) puts the person at `district` from
        # `discharged_on` if not present; if present it only prolongs, the place stays. One with a
        # residence outside the city is no evidence."
        district = fact.place("district")
        evidence = fact.residency == "migrant" and fact.content["outcome"] != "5"
        if not evidence or district not in CITY or self.hukou_at is not None:
            return
        if self.present_at is None:
            self.present_at = district
            self.first_seen = fact
        self.last_evidence = fact.day

    def _put(self, district: str, day: date) -> None:
        # By rule "leaving the district ends them for good"
        if self.present_at != district:
            self.held = []
        self.present_at = district
        self.confirmed = True
        self.last_evidence = day

    def _leave(self) -> None:
        # By rule "`seen_only_by_hospital` (each spell resting on discharges alone, at its first)"
        if self.present_at is not None and not self.confirmed and self.first_seen is not None:
            self.findings.append(("seen_only_by_hospital", self.first_seen))
        self.present_at = None
        self.confirmed = False
        self.first_seen = None
        self.held = []

    def _silent_from(self) -> date:
        # By rule "presence that rests on discharges alone 183 days after the last one"
        if not self.confirmed:
            return self.last_evidence + timedelta(days=183)
        # By rule "365 days after the last evidence, or 183 days after the greatest `valid_until` of
        # a registration still held (...), whichever is later"
        ends = [registration.valid_until + timedelta(days=183) for registration in self.held]
        return max([self.last_evidence + timedelta(days=365), *ends])

    def _count_day(self) -> None:
        # By rule "a day present by discharge alone, or under hukou, is a day of absence here"
        if self.present_at is None or not self.confirmed:
            self.days_absent += 1
            return
        # By rule "absences of at most 30 days pause the count, longer ones restart it"
        if self.days_absent > PAUSE_DAYS:
            self.days_counted = 0
        self.days_absent = 0
        self.days_counted += 1

    def _day_end(self, day: date) -> DayEnd:
        here = self.present_at
        # By rule "`migrants_managed`: present and a registration at that same district in force:
        # from `effective_on` through `valid_until`; any one suffices"
        in_force = any(
            registration.effective_on <= day <= registration.valid_until
            for registration in self.held
        )
        # By rule "`migrants_resident`: from the 183rd day present"
        settled = self.confirmed and self.days_counted >= RESIDENT_DAYS
        return DayEnd(
            known=here,
            managed=here if in_force else None,
            resident=here if settled else None,
            held=frozenset(registration.record_id for registration in self.held),
        )


def _of_kind(kind: str, facts: list[Fact]) -> list[Fact]:
    return sorted((fact for fact in facts if fact.kind == kind), key=lambda fact: fact.record_id)


def _inside_or_outside(code: str) -> str:
    # By rule "outside the city, which is one place"
    return code if code in CITY else OUTSIDE
