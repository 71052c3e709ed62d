"""Nasty but acceptable sets of events, drawn from any source of choices.

Every event would pass intake (schema, districts, dates), yet few persons, few record
numbers, few days and few districts meet in all ways that the rules on meaning speak of:
corrections, voids before and after their report, equal revisions of other content, two
sectors on one fact, chains of moves on one day, days just inside and just outside each
limit, news that arrives long after the act or out of order.

`random_city` draws from `random.Random`; `tests.laws.strategies` lets hypothesis draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from consumers.audit.recount import Accepted

T = TypeVar("T")
Event = dict[str, Any]

SOURCES = {
    "health.birth-certificates": 1,
    "health.hospital-one": 2,
    "health.hospital-two": 2,
    "police.household": 1,
    "police.permits": 1,
    "police.central": 3,
}
KINDS = ("move", "permit", "discharge", "move", "permit", "discharge", "move", "birth", "death")
ACT_FIELD = {
    "birth": "born_on",
    "death": "died_on",
    "move": "moved_on",
    "permit": "effective_on",
    "discharge": "discharged_on",
}
BASE_FIELDS = ("kind", "record_id", "revision", "source", "recorded_at", "household", "person")

# One palette serves one small world: a few districts under all their names.
PALETTES = (
    ("320505", "320506"),
    ("320505", "320506", "320508", "320502", "320504"),
    ("320571", "320576", "320509", "320584"),
    ("320585", "320583", "320505", "320503"),
)
OUTSIDE = ("340100", "310115", "110105")
# Month ends, a leap day, the turn of a year, old codes' last day, summer time, the first year.
ANCHORS = tuple(
    date.fromisoformat(day)
    for day in (
        *("2016-03-01", "2016-02-29", "2015-12-31", "2017-03-31", "2016-01-31"),
        *("2012-08-31", "1987-06-30", "1900-01-02", "2019-08-30"),
    )
)
# Days on both sides of every limit of the rules, small steps more often.
GAPS = (
    *(0, 0, 0, 0, 1, 1, 2, 3, 4, 27, 28, 29, 30, 31, 32, 45, 46),
    *(59, 152, 153, 181, 182, 183, 184, 213, 214, 364, 365, 366, 367, 395, 548),
)
LAGS = (0, 0, 0, -1, 1, 2, 29, 30, 31, 44, 45, 46, 120, 183, 400)
VALIDITIES = (0, 1, 2, 27, 30, 31, 60, 181, 182, 183, 184, 364, 364, 365)
# What likely follows an act, and when: after a life event, after an arrival (in time is within
# three days, a pause is at most thirty), around a lapse (the month before, thirty days after).
FOLLOWERS = {
    "birth": ("death", "birth", "move", "discharge", "permit"),
    "death": ("discharge", "move", "permit", "death", "birth"),
    "move": ("permit", "permit", "move", "discharge", "death"),
    "permit": ("permit", "permit", "move", "discharge", "death"),
    "discharge": ("discharge", "permit", "move", "death", "birth"),
}
LIFE_GAPS = (0, 1, -1, 27, 28, 30, 31, -30, -31, 182, 183, 184, 364, 365, 366)
ARRIVAL_GAPS = (0, 1, 3, 4, 0, 2, 30, 31, 32, 183, 365, 366)
LAPSE_GAPS = (0, 1, -27, -29, -30, -31, -32, 2, 30, 31, 32, -1, 182, 183, 184)
LAST_VALID = date(2299, 12, 30)
FIRST_DAY = date(1900, 1, 1)

DIAGNOSES = (
    ["I10"],
    ["I10.x00x002", "E11.9"],
    ["O80.001", "Z37.000"],
    ["I10", "Z37.0"],
    ["O84"],
    ["C349"],
    ["D49"],
    ["T98.3", "O85"],
    ["U07.1"],
)


class Dice(Protocol):
    """Where choices come from."""

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; earlier ones are simpler."""
        ...


class RandomDice:
    """Choices of a seeded `random.Random`."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return self.rng.choice(options)


def random_city(seed: int, persons: int, events: int, *, far_future: bool = True) -> list[Accepted]:
    """Exactly `events` accepted events of `persons` persons, in random order.

    Args:
        seed: The same seed gives the same events.
        persons: Persons that may occur; up to four share one small world.
        events: How many events, repeats included.
        far_future: Whether permits may run to 2299.
    """
    rng = Random(seed)
    worlds = [
        World(RandomDice(rng), range(first, min(first + 4, persons)), far_future=far_future)
        for first in range(0, persons, 4)
    ]
    accepted = [rng.choice(worlds).next_accepted() for _ in range(events)]
    rng.shuffle(accepted)
    return accepted


class World:
    """A few persons whose events collide as often as they may."""

    def __init__(self, dice: Dice, persons: Sequence[int], *, far_future: bool = True) -> None:
        self.dice = dice
        self.far_future = far_future
        self.persons = [f"{person + 1:032x}" for person in persons]
        self.mothers = [f"{0xA0000 + person:032x}" for person in persons] + self.persons
        self.records = [f"{persons[0]}/{letter}" for letter in "dbacfegh"]
        self.inside = dice.pick(PALETTES)
        self.days = [dice.pick(ANCHORS)]
        self.accepted: list[Accepted] = []
        self.whereabouts: dict[str, str] = {}

    def next_accepted(self) -> Accepted:
        """One more accepted event, often about a record that is known already."""
        ways = [self._fresh]
        if self.accepted:
            ways += [self._fresh] * 4 + [self._follow_up] * 5 + [self._changed] * 3
            ways += [self._void, self._void, self._repeat, self._other_source, self._chained]
        accepted = self.dice.pick(ways)()
        self.accepted.append(accepted)
        return accepted

    def _fresh(self) -> Accepted:
        kind = self.dice.pick(KINDS)
        return self._accept(
            {
                "kind": kind,
                "record_id": self.dice.pick(self.records),
                "revision": self.dice.pick((1, 1, 2)),
                "source": self._source(kind),
                "person": self.dice.pick(self.persons),
            },
            self._day(),
        )

    def _repeat(self) -> Accepted:
        earlier = self.dice.pick(self.accepted)
        event = earlier.event
        recorded_on = date.fromisoformat(str(event["recorded_at"])[:10])
        act = date.fromisoformat(event.get(ACT_FIELD[event["kind"]]) or recorded_on.isoformat())
        return Accepted(dict(event), self._known_on(max(act, recorded_on)))

    def _changed(self) -> Accepted:
        """Other content under the same revision, under the next one, or for another person."""
        base = self._base_of(self.dice.pick(self.accepted).event)
        field = self.dice.pick(("content", "revision", "person"))
        if field == "revision":
            base["revision"] = min(3, base["revision"] + 1)
        elif field == "person":
            base["person"] = self.dice.pick(self.persons)
        return self._accept(base, self._day())

    def _other_source(self) -> Accepted:
        earlier = self.dice.pick(self.accepted)
        base = self._base_of(earlier.event)
        base["source"] = self._source(base["kind"])
        day = earlier.event.get(ACT_FIELD[base["kind"]])
        return self._accept(base, date.fromisoformat(day) if day else self._day())

    def _follow_up(self) -> Accepted:
        """An act of the same person at a telling distance from an earlier one or its lapse."""
        event = self.dice.pick(self.accepted).event
        act = event.get(ACT_FIELD[event["kind"]])
        if act is None:
            return self._fresh()
        day = date.fromisoformat(act)
        kinds: tuple[str, ...] = FOLLOWERS[event["kind"]]
        gaps: tuple[int, ...] = LIFE_GAPS
        if event["kind"] == "move":
            gaps = ARRIVAL_GAPS
        valid_until = event.get("valid_until")
        if valid_until and valid_until < "2200" and self.dice.pick((True, True, False)):
            day, gaps = date.fromisoformat(valid_until), LAPSE_GAPS
            kinds = ("permit", "permit", "permit", *kinds)
        day = max(FIRST_DAY, day + timedelta(days=self.dice.pick(gaps)))
        self.days.append(day)
        kind = self.dice.pick(kinds)
        base: Event = {
            "kind": kind,
            "record_id": self.dice.pick(self.records),
            "revision": 1,
            "source": self._source(kind),
            "person": event["person"],
        }
        return self._accept(base, day, self._where_it_left(event, kind))

    def _chained(self) -> Accepted:
        """A move of the same day that starts where an earlier one ended, or the reverse."""
        moves = [accepted.event for accepted in self.accepted if "to_district" in accepted.event]
        if not moves:
            return self._fresh()
        earlier = self.dice.pick(moves)
        linked = {"from_district": earlier["to_district"]}
        if self.dice.pick((True, False)):
            linked = {"to_district": earlier["from_district"]}
        base = self._base_of(earlier)
        base["record_id"] = self.dice.pick(self.records)
        return self._accept(base, date.fromisoformat(earlier["moved_on"]), linked)

    def _where_it_left(self, event: Mapping[str, Any], kind: str) -> Event:
        """Fields that let an act of `kind` happen where `event` left the person."""
        place = event["to_district"] if event["kind"] == "move" else event["district"]
        if kind == "move":
            return {"from_district": place}
        where = {"district": place} if place in self.inside else {}
        if event["kind"] == kind == "permit" and event["action"] != "cancel":
            where["action"] = self.dice.pick(("endorse", "issue", "cancel", "endorse"))
        return where

    def _void(self) -> Accepted:
        earlier = self.dice.pick(self.accepted)
        event = dict(earlier.event)
        event["void"] = True
        event["revision"] = min(3, event["revision"] + self.dice.pick((0, 0, 1)))
        if self.dice.pick((True, False)):
            event = {field: event[field] for field in (*BASE_FIELDS, "void") if field in event}
        act = event.get(ACT_FIELD[event["kind"]])
        first = date.fromisoformat(act or str(event["recorded_at"])[:10])
        known_on = self._known_on(first)
        event["recorded_at"] = self._recorded_at(first, known_on)
        return Accepted(event, known_on)

    def _base_of(self, event: Mapping[str, Any]) -> Event:
        fields = ("kind", "record_id", "revision", "source", "person")
        return {field: event[field] for field in fields}

    def _source(self, kind: str) -> str:
        # Usually a sector that reports this kind, sometimes the other one.
        likely = "police" if kind in ("move", "permit") else "health"
        own = [source for source in SOURCES if source.startswith(likely)]
        return self.dice.pick((*own, *own, *SOURCES))

    def _day(self) -> date:
        """A day of this world, or one a telling number of days away from it."""
        day = self.dice.pick(self.days) + timedelta(days=self.dice.pick(GAPS))
        self.days.append(day)
        return day

    def _known_on(self, first: date) -> date:
        """A day of arrival on which an act of `first` passes: not earlier than the day before."""
        known_before = [
            accepted.known_on
            for accepted in self.accepted[-3:]
            if accepted.known_on >= first - timedelta(days=1)
        ]
        lagged = first + timedelta(days=self.dice.pick(LAGS))
        return self.dice.pick((lagged, *known_before))

    def _recorded_at(self, first: date, known_on: date) -> str:
        last = known_on + timedelta(days=1)
        day = self.dice.pick((min(first, last), max(first, known_on), last))
        return f"{day.isoformat()}T12:00:00+08:00"

    def _accept(
        self, base: Event, day: date, held: Mapping[str, Any] = MappingProxyType({})
    ) -> Accepted:
        known_on = self._known_on(day)
        content = getattr(self, f"_{base['kind']}")({**base, **held}, day)
        event = {**base, **content, **held, "recorded_at": self._recorded_at(day, known_on)}
        for field, values in (("household", ["f" * 32]), ("void", [False])):
            self._maybe(event, field, values)
        return Accepted(event, known_on)

    def _maybe(self, event: Event, field: str, values: Sequence[object]) -> None:
        """Leave the field out, send a null, or send one of the values."""
        choice = self.dice.pick(("left out", *values, *values, None))
        if choice != "left out":
            event[field] = choice

    def _sex_and_birth(self, event: Event, day: date) -> Event:
        if "sex" not in event:
            self._maybe(event, "sex", ("1", "2", "9", "0", "1"))
        years = self.dice.pick((0, 30, 0, 1))
        born_on = day - timedelta(days=365 * years + self.dice.pick((0, 27, 28, 1)))
        if born_on >= FIRST_DAY:
            self._maybe(event, "born_on", (born_on.isoformat(),))
        return event

    def _usual_residence(self) -> str:
        return self.dice.pick((*self.inside, *self.inside, self.dice.pick(OUTSIDE)))

    def _birth(self, _held: Mapping[str, Any], day: date) -> Event:
        event: Event = {
            "born_on": day.isoformat(),
            "district": self._usual_residence(),
            "residency": self.dice.pick(("hukou", "migrant")),
            "sex": self.dice.pick(("1", "2", "0", "9")),
            "mother": self.dice.pick(self.mothers),
        }
        mother_born_on = day - timedelta(days=self.dice.pick((9000, 3652, 3653, 20088, 21000)))
        if mother_born_on >= FIRST_DAY:
            self._maybe(event, "mother_born_on", (mother_born_on.isoformat(),))
        self._maybe(event, "live", (True, True, False))
        self._maybe(event, "gestation_weeks", (40, 27, 28))
        self._maybe(event, "weight_g", (3200, 2499, 2500))
        self._maybe(event, "defects", ([], ["Q21.1", "Q90"]))
        return event

    def _death(self, _held: Mapping[str, Any], day: date) -> Event:
        event: Event = {
            "died_on": day.isoformat(),
            "district": self._usual_residence(),
            "residency": self.dice.pick(("hukou", "migrant")),
            "sex": self.dice.pick(("1", "2", "0", "9")),
        }
        self._maybe(event, "cause", ("I21.9",))
        self._maybe(event, "maternal", (False, True))
        return self._sex_and_birth(event, day)

    def _move(self, held: Mapping[str, Any], day: date) -> Event:
        # Half the moves start where the last one drawn for the person ended.
        ends = (*self.inside, *self.inside, *OUTSIDE, "000000")
        from_district = self.dice.pick(ends)
        if self.dice.pick((True, False)):
            from_district = self.whereabouts.get(held["person"], from_district)
        to_district = self.dice.pick(ends)
        self.whereabouts[held["person"]] = to_district
        event: Event = {
            "moved_on": day.isoformat(),
            "from_district": from_district,
            "to_district": to_district,
            "residency": self.dice.pick(("migrant", "migrant", "migrant", "hukou")),
        }
        return self._sex_and_birth(event, day)

    def _permit(self, held: Mapping[str, Any], day: date) -> Event:
        actions = ("issue", "endorse", "register", "endorse", "cancel")
        action = held.get("action") or self.dice.pick(actions)
        district = self.dice.pick(self.inside)
        last_district = self.whereabouts.get(held["person"])
        if last_district in self.inside and self.dice.pick((True, False)):
            district = last_district
        event: Event = {
            "action": action,
            "effective_on": day.isoformat(),
            "district": district,
        }
        valid_until = day + timedelta(days=self.dice.pick(VALIDITIES))
        if self.far_future and self.dice.pick((False,) * 9 + (True,)):
            valid_until = LAST_VALID
        if action == "cancel":
            self._maybe(event, "valid_until", (valid_until.isoformat(),))
        else:
            event["valid_until"] = valid_until.isoformat()
        self._maybe(event, "points", (0, 400))
        return self._sex_and_birth(event, day)

    def _discharge(self, _held: Mapping[str, Any], day: date) -> Event:
        admitted_on = max(FIRST_DAY, day - timedelta(days=self.dice.pick((0, 1, 9, 30))))
        event: Event = {
            "admitted_on": admitted_on.isoformat(),
            "discharged_on": day.isoformat(),
            "facility": self.dice.pick(("H1", "第一人民医院")),
            "facility_district": self.dice.pick(self.inside),
            "district": self._usual_residence(),
            "residency": self.dice.pick(("migrant", "migrant", "migrant", "hukou", "visitor")),
            "outcome": self.dice.pick(("1", "1", "5", "4", "9")),
            "diagnoses": self.dice.pick(DIAGNOSES),
            "scheme": self.dice.pick(("employee", "none")),
            "total_fen": 1000,
            "in_policy_fen": self.dice.pick((800, 0)),
            "fund_fen": self.dice.pick((600, 0)),
        }
        return self._sex_and_birth(event, day)
