"""Hospital stays of the simulated city: deliveries, deaths in wards, and everybody else's."""

from typing import NamedTuple

from producers.simulate.desk import Desk, Report, iso
from producers.simulate.figures import DELIVERIES, DIAGNOSES, FUND_SHARES, OUTSIDE, SCHEMES, Mix

_SOURCE = "health.hospitals"
_VISITORS = 0.06
_PEOPLE_A_STAY = 3
"""Registered people for each stay a year: who is ill once is ill again."""


class Patient(NamedTuple):
    """Somebody with what offices ask for; ``born`` is a day number."""

    person: str
    sex: str
    born: int
    district: str
    residency: str


class Ward:
    """Tells hospital stays to the health commission."""

    def __init__(self, desk: Desk, hukou: Mix[str], stays_a_year: float) -> None:
        self._desk = desk
        self._hukou = hukou
        self._people = max(int(stays_a_year * _PEOPLE_A_STAY), 1)

    def delivery(self, day: int, mother: Patient) -> None:
        """A mother's stay around the day of the delivery."""
        chance = self._desk.chance
        main = DELIVERIES.pick(chance)
        diagnoses = f'"{main}","Z37.000"'
        admitted = day - (chance.random() < 0.4)
        self._stay(admitted, day + chance.randint(2, 6), mother, diagnoses, "1", 700_000)

    def death(self, day: int, dead: Patient, cause: str) -> None:
        """A last stay, ending on the day of death."""
        admitted = max(day - int(self._desk.chance.expovariate(1 / 9)), dead.born)
        self._stay(admitted, day, dead, f'"{cause}"', "5", 2_500_000)

    def illness(self, discharged: int, patient: Patient) -> None:
        """An ordinary stay."""
        chance = self._desk.chance
        admitted = max(discharged - 1 - int(chance.expovariate(1 / 7)), patient.born)
        outcome = chance.choices("1239", cum_weights=(55, 92, 97, 100))[0]
        diagnoses = f'"{DIAGNOSES.pick(chance)}"'
        if chance.random() < 0.4:
            diagnoses += f',"{DIAGNOSES.pick(chance)}"'
        self._stay(admitted, discharged, patient, diagnoses, outcome, 900_000)

    def anybody(self, discharged: int) -> None:
        """An ordinary stay of somebody registered here, or of a visitor."""
        chance = self._desk.chance
        number = int(chance.random() * self._people)
        person = self._desk.somebody(f"patient-{number}")
        # The same number is the same person, with the same sex and day of birth.
        sex = "1" if int(person[:4], 16) < 32_000 else "2"
        born = -20_000 + int(person[4:12], 16) % 30_000
        visitor = int(person[12:16], 16) < _VISITORS * 65_536
        if visitor:
            home, residency = OUTSIDE.pick(chance), "visitor"
            home = "341200" if home == "000000" else home
        else:
            home, residency = self._hukou.pick(chance), "hukou"
        self.illness(discharged, Patient(person, sex, born, home, residency))

    def _stay(
        self, admitted: int, discharged: int, who: Patient, diagnoses: str, outcome: str, usual: int
    ) -> None:
        desk, chance = self._desk, self._desk.chance
        scheme = SCHEMES.pick(chance)
        total = int(usual * chance.lognormvariate(0, 0.6))
        in_policy = int(total * chance.uniform(0.7, 0.95))
        fund = int(in_policy * FUND_SHARES[scheme] * chance.uniform(0.92, 1.05))
        outside = who.residency == "visitor" or chance.random() < 0.15
        place = self._hukou.pick(chance) if outside else who.district
        body = (
            f'"admitted_on":"{iso(admitted)}","discharged_on":"{iso(discharged)}",'
            f'"facility":"H{place}{chance.randint(1, 9)}","facility_district":"{place}",'
            f'"district":"{who.district}","residency":"{who.residency}","outcome":"{outcome}",'
            f'"diagnoses":[{{}}],"scheme":"{scheme}","total_fen":{total},'
            f'"in_policy_fen":{in_policy},"fund_fen":{fund},"sex":"{who.sex}",'
            f'"born_on":"{iso(who.born)}"'
        )
        wrong = body.replace("{}", '"R69.x00"')
        body = body.replace("{}", diagnoses)
        record = desk.number("H")
        arrives = discharged + 1 + desk.delay(40)
        desk.send(Report("discharge", _SOURCE, record, who.person, body, arrives, wrong))
