"""Migrants of the simulated city: they come, register, move on, have children, leave or go silent.

One life is a generator that sleeps until the next day on which something happens to it.
"""

from collections.abc import Iterator

from producers.simulate.desk import Desk, Report, iso
from producers.simulate.families import Families
from producers.simulate.figures import OUTSIDE, Mix
from producers.simulate.hospital import Patient, Ward

_HOUSEHOLD = "police.household"
_PERMITS = "police.permits"

MEAN_STAY_DAYS = 3 * 365.25
_YEAR = 365.25
HUKOU_A_YEAR = 0.004
"""Share who get the household registration of the city in a year."""
_MOVE, _ILL, _DEATH = 0.08, 0.05, 0.0008
_FERTILE = (18, 44)
_FERTILE_SHARE = 0.29
"""Women of these ages among migrants, as sexes and ages are drawn here."""
_NEVER_REGISTERS = 0.12
_LEAVES_TOLD = 0.55

Life = Iterator[int]
"""Yields the day number on which to go on."""


class Migrants:
    """Tells migrants' lives to the offices."""

    def __init__(
        self,
        desk: Desk,
        ward: Ward,
        families: Families,
        districts: Mix[str],
        births_a_head: float,
    ) -> None:
        self._desk = desk
        self._ward = ward
        self._families = families
        self._districts = districts
        self._births = births_a_head / _FERTILE_SHARE

    def newcomer(self, day: int) -> Life:
        """Somebody who arrives today."""
        return _Migrant(self, self._desk, day, self._districts).life(day, told=day)

    def settled(self, day: int) -> Life:
        """Somebody who was here before the simulation begins; told in its first three weeks."""
        chance = self._desk.chance
        came = day - int(chance.expovariate(1 / MEAN_STAY_DAYS)) - 1
        migrant = _Migrant(self, self._desk, day, self._districts)
        return migrant.life(max(came, migrant.born), told=day + chance.randint(0, 20))

    def rates(self, sex: str, age: float) -> dict[str, float]:
        """What happens to a migrant how often in a year."""
        fertile = sex == "2" and _FERTILE[0] <= age <= _FERTILE[1]
        return {
            "move": _MOVE,
            "ill": _ILL,
            "hukou": HUKOU_A_YEAR,
            "death": _DEATH,
            "birth": self._births if fertile else 0.0,
        }

    def ill(self, day: int, patient: Patient) -> None:
        """A stay in hospital that ends today."""
        self._ward.illness(day, patient)

    def dies(self, day: int, patient: Patient) -> None:
        """A migrant's death."""
        self._families.death(day, patient)

    def gives_birth(self, day: int, patient: Patient) -> None:
        """A migrant's delivery."""
        self._families.delivery(day, patient)


class _Migrant:
    def __init__(self, all_: Migrants, desk: Desk, day: int, districts: Mix[str]) -> None:
        chance = desk.chance
        self._all, self._desk, self._districts = all_, desk, districts
        self.person = desk.somebody()
        self.sex = "1" if chance.random() < 0.54 else "2"
        self.born = day - int(chance.triangular(0, 65, 27) * 365.25)
        self.home = districts.pick(chance)
        self.permit = desk.number("P")
        self.acts = 0
        self.issued = False
        self.held_until: int | None = None

    def life(self, came: int, told: int) -> Life:
        chance = self._desk.chance
        self._move(came, OUTSIDE.pick(chance), self.home, told)
        leaves = told + int(chance.expovariate(1 / MEAN_STAY_DAYS)) + 1
        register = self._registration(came, told) if came == told else self._settled(came, told)
        happens, what = self._next(told)
        while True:
            day = min(leaves, happens, register if register is not None else leaves)
            yield day
            if day == leaves:
                self._leave(day)
                return
            if day == register:
                register = self._renew(day)
                continue
            if self._befalls(day, what):
                return
            if what == "move" and register is None:
                register = self._registration(day, day)
            happens, what = self._next(day)

    def _registration(self, came: int, told: int) -> int | None:
        """Day of going to the office: most within three days, some later, some never."""
        chance = self._desk.chance
        draw = chance.random()
        if draw < _NEVER_REGISTERS:
            return None
        delay = chance.randint(0, 3) if draw < 0.7 else chance.randint(4, 60)
        return max(came + delay, told)

    def _settled(self, came: int, told: int) -> int | None:
        """What somebody holds who came before the simulation began; when to renew it."""
        chance = self._desk.chance
        if chance.random() < _NEVER_REGISTERS:
            return None
        long_here = told - came > 200
        effective = max(came, told - chance.randint(0, 364 if long_here else 180))
        self._act("issue" if long_here else "register", effective, self.home, told)
        later = self.held_until if long_here else effective + 183
        return max(told, (later or told) - chance.randint(0, 28))

    def _next(self, day: int) -> tuple[int, str]:
        rates = self._all.rates(self.sex, (day - self.born) / _YEAR)
        chance = self._desk.chance
        wait = chance.expovariate(sum(rates.values()) / _YEAR)
        what = chance.choices(list(rates), weights=list(rates.values()))[0]
        return day + 1 + int(wait), what

    def _befalls(self, day: int, what: str) -> bool:
        """One thing that happens; true when the life here as a migrant ends with it."""
        chance = self._desk.chance
        here = Patient(self.person, self.sex, self.born, self.home, "migrant")
        if what == "move":
            target = self._districts.pick(chance)
            self._move(day, self.home, target, day)
            if target != self.home and chance.random() < 0.8:
                self._act("register", day + chance.randint(0, 6), target, day)
            self.home = target
        elif what == "ill":
            self._all.ill(day, here)
        elif what == "birth":
            self._all.gives_birth(day, here)
        elif what == "death":
            self._all.dies(day, here)
            return True
        else:
            origin = OUTSIDE.pick(chance)
            self._move(day, origin, self.home, day, residency="hukou")
            return True
        return False

    def _renew(self, day: int) -> int | None:
        """The next act on the registration, and when to come again."""
        chance = self._desk.chance
        if self.held_until is None:
            self._act("register", day, self.home, day)
            # The permit may be asked for after half a year (Residence Permit Regulations, art. 2).
            return day + 183 + chance.randint(0, 120) if chance.random() < 0.7 else None
        self._act("endorse" if self.issued else "issue", day, self.home, day)
        draw = chance.random()
        if draw < 0.8:
            return self.held_until - chance.randint(0, 28)
        if draw < 0.9:
            return self.held_until + chance.randint(1, 30)
        return self.held_until + chance.randint(31, 300) if draw < 0.94 else None

    def _leave(self, day: int) -> None:
        chance = self._desk.chance
        draw = chance.random()
        if draw < _LEAVES_TOLD:
            self._move(day, self.home, OUTSIDE.pick(chance), day)
        if draw < 0.15 and self.held_until is not None and self.held_until > day:
            self._act("cancel", day, self.home, day)

    def _act(self, action: str, day: int, district: str, told: int) -> None:
        chance = self._desk.chance
        self.acts += 1
        body = f'"action":"{action}","effective_on":"{iso(day)}","district":"{district}"'
        if action != "cancel":
            self.held_until = day + 364
            self.issued = action != "register"
            body += f',"valid_until":"{iso(self.held_until)}"'
        body += f',"sex":"{self.sex}","born_on":"{iso(self.born)}"'
        wrong = body
        if action in ("issue", "endorse"):
            wrong += ',"points":0'
            body += f',"points":{chance.randint(0, 400)}'
        record = f"{self.permit}/{self.acts}"
        arrives = max(day, told) + int(chance.expovariate(0.8))
        self._desk.send(Report("permit", _PERMITS, record, self.person, body, arrives, wrong))

    def _move(
        self, day: int, origin: str, target: str, told: int, residency: str = "migrant"
    ) -> None:
        chance = self._desk.chance
        shared = (
            f'"moved_on":"{iso(day)}","from_district":"{origin}","to_district":"{target}",'
            f'"residency":"{residency}","born_on":"{iso(self.born)}","sex":"'
        )
        wrong = shared + ("2" if self.sex == "1" else "1") + '"'
        arrives = max(day, told) + int(chance.expovariate(0.5))
        record = self._desk.number("M")
        self._desk.send(
            Report("move", _HOUSEHOLD, record, self.person, f'{shared}{self.sex}"', arrives, wrong)
        )
