"""The simulated city as a stream of messages in the order in which they become known."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from hashlib import blake2b

from producers.items import Dated
from producers.simulate.desk import Desk, Report, iso
from producers.simulate.families import Families
from producers.simulate.figures import (
    ARRIVALS_BY_MONTH,
    BIRTHS_BY_MONTH,
    BIRTHS_BY_WEEKDAY,
    DEATHS_BY_MONTH,
    OFFICE_BY_WEEKDAY,
    OUTSIDE,
    Figures,
    Mix,
    suzhou,
)
from producers.simulate.hospital import Ward
from producers.simulate.migrants import HUKOU_A_YEAR, MEAN_STAY_DAYS, Life, Migrants
from schemas.clock import FIRST_DAY, day_date, day_number

_YEAR = 365.25
EARLIEST = date(2000, 1, 1)
LATEST = date(2199, 12, 31)
"""A city lives between these days: permits and birth dates stay within the contract's."""


@dataclass(frozen=True)
class City:
    """Everything about a city follows from these three: the same ones, the same messages.

    Attributes:
        seed: which of the cities of this size.
        scale: share of Suzhou's numbers; 0.002 is some 77 events a day, and 28,000 on the first.
        start: first day; the migrants who live there already are told in its first three weeks.
    """

    seed: int = 1
    scale: float = 0.002
    start: date = field(default=date(2016, 1, 1))

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1:
            raise ValueError(f"scale is {self.scale}: a share of Suzhou above 0 and up to 1")
        if not EARLIEST <= self.start <= LATEST:
            raise ValueError(f"start is {self.start}: a day from {EARLIEST} to {LATEST}")

    @property
    def tag(self) -> str:
        """Part of all record ids and pseudonyms, so that no two cities share any."""
        name = f"{self.seed}/{self.scale!r}/{self.start.isoformat()}"
        return blake2b(name.encode(), digest_size=5).hexdigest()

    def days(self, first: date, last: date) -> Iterator[Dated]:
        """Messages that become known from the first through the last day, in order.

        Days before ``first`` are lived through silently (about 1 s for 40,000 events), so any two
        runs of the same city agree on every day.
        """
        life = _CityLife(self, suzhou())
        begin = day_number(first)
        for number in range(day_number(self.start), day_number(last) + 1):
            arrived = life.live(number)
            if number >= begin:
                yield from arrived


class _CityLife:
    def __init__(self, city: City, figures: Figures) -> None:
        self._figures, self._scale = figures, city.scale
        self._start = day_number(city.start)
        self._desk = Desk(city.seed, city.tag)
        self._hukou = Mix(figures.hukou)
        # Deliveries and deaths come with stays of their own.
        yearly = figures.yearly
        self._stays = yearly["discharges"] - yearly["births_hukou"] - 0.35 * yearly["deaths_hukou"]
        self._ward = Ward(self._desk, self._hukou, self._stays * city.scale)
        self._families = Families(self._desk, self._ward, self._hukou)
        self._migrant_count = sum(figures.migrants.values())
        self._migrants = Migrants(
            self._desk,
            self._ward,
            self._families,
            Mix(figures.migrants),
            yearly["births_migrant"] / self._migrant_count,
        )
        self._agenda: dict[int, list[Life]] = defaultdict(list)

    def live(self, day: int) -> list[Dated]:
        """One day; days are lived in order, each once."""
        if day == self._start:
            for _ in range(round(self._migrant_count * self._scale)):
                self._go_on(self._migrants.settled(day), day)
        month, weekday = _month_and_weekday(day)
        births, office = BIRTHS_BY_WEEKDAY[weekday], OFFICE_BY_WEEKDAY[weekday]
        yearly = self._figures.yearly
        for _ in range(self._how_many(yearly["births_hukou"], births * BIRTHS_BY_MONTH[month])):
            self._families.hukou_birth(day)
        for _ in range(self._how_many(yearly["deaths_hukou"], DEATHS_BY_MONTH[month])):
            self._families.hukou_death(day)
        for _ in range(self._how_many(self._stays, office)):
            self._ward.anybody(day)
        self._hukou_moves(day, office)
        newcomers = self._migrant_count / MEAN_STAY_DAYS * _YEAR
        for _ in range(self._how_many(newcomers, ARRIVALS_BY_MONTH[month])):
            self._go_on(self._migrants.newcomer(day), day)
        for life in self._agenda.pop(day, ()):
            self._go_on(life, day)
        return self._desk.arrived(day)

    def _how_many(self, yearly: float, shape: float) -> int:
        return self._desk.poisson(yearly * self._scale / _YEAR * shape)

    def _go_on(self, life: Life, day: int) -> None:
        """On with one life until it sleeps past today."""
        for following in life:
            if following > day:
                self._agenda[following].append(life)
                return

    def _hukou_moves(self, day: int, office: float) -> None:
        yearly, chance = self._figures.yearly, self._desk.chance
        naturalized = self._migrant_count * HUKOU_A_YEAR
        for _ in range(self._how_many(yearly["moves_in_hukou"] - naturalized, office)):
            self._hukou_move(day, OUTSIDE.pick(chance), self._hukou.pick(chance))
        for _ in range(self._how_many(yearly["moves_out_hukou"], office)):
            self._hukou_move(day, self._hukou.pick(chance), OUTSIDE.pick(chance))
        for _ in range(self._how_many(yearly["moves_within_hukou"], office)):
            self._hukou_move(day, self._hukou.pick(chance), self._hukou.pick(chance))

    def _hukou_move(self, day: int, origin: str, target: str) -> None:
        desk = self._desk
        born = day - int(desk.chance.triangular(0, 80, 28) * _YEAR)
        sex = "1" if desk.chance.random() < 0.49 else "2"
        told = (
            f'"moved_on":"{iso(day)}","from_district":"{origin}","to_district":"{target}",'
            f'"residency":"hukou","sex":"{sex}","born_on":"{{}}"'
        )
        mistaken = max(born - 3652, day_number(FIRST_DAY))
        desk.send(
            Report(
                "move",
                "police.household",
                desk.number("M"),
                desk.somebody(),
                told.format(iso(born)),
                day + desk.delay(60),
                told.format(iso(mistaken)),
            )
        )


@lru_cache(maxsize=64)
def _month_and_weekday(day: int) -> tuple[int, int]:
    """Month from 0 = January, weekday from 0 = Monday."""
    calendar_day = day_date(day)
    return calendar_day.month - 1, calendar_day.weekday()
