"""Births and deaths of the simulated city, with all who report them."""

from producers.simulate.desk import Desk, Report, iso
from producers.simulate.figures import (
    CAUSES,
    DEATH_AGES,
    DEFECTS,
    INFANT_CAUSES,
    SEX_RATIO,
    Mix,
)
from producers.simulate.hospital import Patient, Ward

_CERTIFICATES = "health.birth-certificates"
_DEATH_CERTIFICATES = "health.death-certificates"
_HOUSEHOLD = "police.household"

_TWINS = 0.015
_STILL = 0.004
_INFANT_DEATHS = 0.003
_MATERNAL_DEATHS = 8e-5
_DEFECTIVE = 0.012
_IN_HOSPITAL = 0.995
_DIES_IN_HOSPITAL = 0.35
_SEX_NOT_STATED = 0.0004


class Families:
    """Tells births and deaths to the offices."""

    def __init__(self, desk: Desk, ward: Ward, hukou: Mix[str]) -> None:
        self._desk = desk
        self._ward = ward
        self._hukou = hukou

    def hukou_birth(self, day: int) -> None:
        """A delivery of a woman registered here."""
        chance = self._desk.chance
        mother = Patient(
            self._desk.somebody(),
            "2",
            day - int(chance.triangular(19, 44, 28) * 365.25),
            self._hukou.pick(chance),
            "hukou",
        )
        self.delivery(day, mother)

    def delivery(self, day: int, mother: Patient) -> None:
        """One delivery with its child or children, and the mother's stay in hospital."""
        chance = self._desk.chance
        twins = chance.random() < _TWINS
        for order in (1, 2) if twins else (1,):
            self._child(day, mother, order, twins=twins)
        if chance.random() < _IN_HOSPITAL:
            self._ward.delivery(day, mother)
        if chance.random() < _MATERNAL_DEATHS:
            self.death(day + chance.randint(1, 40), mother, maternal=True)

    def hukou_death(self, day: int) -> None:
        """A death of somebody registered here, of whom nothing was known before."""
        chance = self._desk.chance
        youngest, oldest = DEATH_AGES.pick(chance)
        born = day - int((youngest + chance.random() * (oldest - youngest)) * 365.25)
        sex = "1" if chance.random() < 0.55 else "2"
        somebody = Patient(self._desk.somebody(), sex, born, self._hukou.pick(chance), "hukou")
        self.death(day, somebody)

    def death(
        self, day: int, dead: Patient, *, cause: str | None = None, maternal: bool = False
    ) -> None:
        """A death, told by a certificate, the household register, or both; perhaps in a ward."""
        desk, chance = self._desk, self._desk.chance
        cause = cause or ("O72.1" if maternal else CAUSES.pick(chance))
        certificate = chance.random() < 0.97
        cancelled = not certificate or (dead.residency == "hukou" and chance.random() < 0.93)
        shared = (
            f'"died_on":"{iso(day)}","district":"{{}}","residency":"{dead.residency}",'
            f'"sex":"{dead.sex}","born_on":"{iso(dead.born)}"'
        )
        here, elsewhere = shared.format(dead.district), shared.format(self._hukou.pick(chance))
        told = f',"cause":"{cause}"' + (',"maternal":true' if maternal else "")
        record = desk.number("DC")
        if certificate:
            desk.send(
                Report(
                    "death",
                    _DEATH_CERTIFICATES,
                    record,
                    dead.person,
                    here + told,
                    day + desk.delay(60),
                    elsewhere + told,
                )
            )
        if cancelled:
            desk.send(
                Report(
                    "death",
                    _HOUSEHOLD,
                    record,
                    dead.person,
                    here + self._household(),
                    day + 1 + desk.delay(),
                    elsewhere,
                )
            )
        if chance.random() < _DIES_IN_HOSPITAL:
            self._ward.death(day, dead, cause)

    def _child(self, day: int, mother: Patient, order: int, *, twins: bool) -> None:
        desk, chance = self._desk, self._desk.chance
        child = desk.somebody()
        boy = chance.random() < SEX_RATIO / (1 + SEX_RATIO)
        sex = "9" if chance.random() < _SEX_NOT_STATED else "1" if boy else "2"
        live = chance.random() >= _STILL
        weeks = min(max(round(chance.gauss(36.2 if twins else 39.1, 1.7)), 24), 42)
        if not live:
            weeks = max(weeks, 28)
        weight = max(round(chance.gauss(3330 - (39 - min(weeks, 39)) * 170, 400)), 500)
        shared = (
            f'"born_on":"{iso(day)}","district":"{mother.district}",'
            f'"residency":"{mother.residency}","sex":"{{}}","birth_order":{order},'
            f'"mother":"{mother.person}","mother_born_on":"{iso(mother.born)}"'
        )
        told = f',"gestation_weeks":{weeks},"weight_g":{weight},"parity":{chance.randint(0, 2)}'
        if not live:
            told += ',"live":false'
        if chance.random() < _DEFECTIVE:
            told += f',"defects":["{DEFECTS.pick(chance)}"]'
        body, wrong = shared.format(sex), shared.format("2" if boy else "1")
        record = desk.number("BC")
        desk.send(
            Report(
                "birth",
                _CERTIFICATES,
                record,
                child,
                body + told,
                day + desk.delay(),
                wrong + told,
            )
        )
        if not live:
            return
        if mother.residency == "hukou" and chance.random() < 0.9:
            later = day + 3 + desk.delay() * 2
            at_police = body + self._household()
            desk.send(Report("birth", _HOUSEHOLD, record, child, at_police, later, wrong))
        if chance.random() < _INFANT_DEATHS:
            age = (
                int(chance.expovariate(1 / 5)) if chance.random() < 0.6 else chance.randint(28, 364)
            )
            newborn = Patient(child, sex, day, mother.district, mother.residency)
            self.death(day + age, newborn, cause=INFANT_CAUSES.pick(chance))

    def _household(self) -> str:
        return f',"household":"{self._desk.somebody()}"'
