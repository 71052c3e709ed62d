"""HL7 v2 ADT messages of a Chinese hospital become events (profile: README.md beside this file).

Pure: a message and who sends it go in, events or a fault come out. What it takes from which field
stands in the functions below, each of one event.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from producers.cells import icd
from producers.handover import Ready
from producers.sources import clinical
from producers.sources.clinical import MISSING, FaultError, Mapped, Sender
from producers.sources.hl7_header import MOTHERS, PERSON, Envelope, Numbers, read_numbers
from producers.sources.hl7_message import Message, Segment
from schemas.refusals import Code

MOTHER = frozenset({"MTH", "52"})
"""NK1-3: HL7 table 0063, GB/T 4761."""
NEWBORN = "N"
FETAL_DEATH = "P95"
WEIGHT, PARITY = "8339-4", "11977-6"
GESTATION = frozenset({"11884-4", "11885-1", "11887-5", "18185-9"})
"""LOINC codes of OBX-3."""


class Visit:
    """One message on its way to events."""

    def __init__(self, message: Message, sender: Sender) -> None:
        self.envelope = Envelope(message, EVENTS)
        self.message = message
        self.sender = sender
        self.patient = message.segment("PID")
        self.visit = message.segment("PV1")
        self.extra = message.segment("ZCN")
        if not message.has("PID"):
            raise FaultError(MISSING, "PID", "The segment PID is missing.", "缺少 PID 段。")
        self.numbers = read_numbers(message, self.patient, 3)
        if not self.numbers.citizen and self.patient.raw(19):
            self.numbers = replace(self.numbers, citizen=self.patient.text(19))

    @property
    def is_newborn(self) -> bool:
        """Born in this hospital (PV1-4), or a person registered with certificate and mother."""
        if self.message.has("PV1"):
            return self.visit.text(4) == NEWBORN
        return bool(self.numbers.birth_certificate) and self._mother_segment() is not None

    def _pseudonym(self, kind: str, number: str, place: str) -> str:
        return clinical.pseudonym(kind, number, place, self.sender.pseudonyms)

    def _of(self, numbers: Numbers, place: str, kinds: tuple[str, ...]) -> str:
        for kind in kinds:
            number = getattr(numbers, kind)
            if number:
                return self._pseudonym(kind, number, place)
        raise FaultError(
            MISSING,
            place,
            "No number from which a pseudonym can be made: type NI (citizen), BCT (birth "
            "certificate) or PPN (passport).",
            "缺少可生成假名的证件号码（NI、BCT 或 PPN）。",
        )

    def person(self) -> str:
        """The patient's pseudonym; a newborn's is that of the birth certificate."""
        kinds: tuple[str, ...] = PERSON
        if self.is_newborn and self.numbers.birth_certificate:
            kinds = ("birth_certificate", *PERSON)
        return self._of(self.numbers, self.patient.place(3), kinds)

    def common(self, kind: str, record_id: str, person: str) -> dict[str, Any]:
        """The fields of every event."""
        return {
            "kind": kind,
            "record_id": record_id,
            "revision": clinical.revision_of(self.envelope.written),
            "source": self.sender.source,
            "recorded_at": clinical.moment(self.envelope.recorded),
            "household": self._household(),
            "person": person,
        }

    def _household(self) -> str | None:
        number = self.numbers.household
        if not number:
            return None
        return self._pseudonym("household", number, self.patient.place(3))

    def residence(self) -> tuple[str, str]:
        """District codes of where the patient lives (H) and is registered (L, 户口)."""
        by_type: dict[str, str] = {}
        for repetition in self.patient.repetitions(11):
            kind = self.message.piece(repetition, 7).upper() or "H"
            by_type.setdefault(kind, self.message.piece(repetition, 9))
        place = self.patient.place(11, 9)
        lives_in = clinical.area(by_type.get("H") or by_type.get("C") or "", f"{place} (H)")
        return lives_in, clinical.area(by_type.get("L", ""), f"{place} (L)")

    def born_on(self) -> str | None:
        """Day of birth of the patient."""
        born = self.patient.moment(7)
        return None if born is None else clinical.local(born).isoformat()

    def sex(self) -> str:
        """The patient's sex."""
        return clinical.sex(self.patient.text(8), self.patient.place(8))

    def facility(self) -> tuple[str, str]:
        """Hospital and its district: PV1-39, or the sending facility."""
        field = self.visit.text(39)
        if field:
            return clinical.facility(field, self.visit.place(39), self.sender)
        head = self.message.segment("MSH")
        return clinical.facility(head.text(4), head.place(4), self.sender)

    def stay(self) -> str:
        """Record id of the stay: hospital, 病案号 and 住院次数; or hospital and visit number."""
        hospital, _ = self.facility()
        if self.extra.text(1):
            case = clinical.act_number(
                self.numbers.case, f"{self.patient.place(3)} (MR)", self.sender.pseudonyms
            )
            count = clinical.whole(self.extra.text(1), self.extra.place(1), least=1)
            return f"{hospital}/{case}/{count}"
        visit = clinical.act_number(
            self.visit.text(19), self.visit.place(19), self.sender.pseudonyms
        )
        return f"{hospital}/{visit}"

    def diagnoses(self) -> list[str]:
        """Codes of the final diagnoses, main first (DG1-15, then DG1-1)."""
        found = []
        for segment in self.message.segments("DG1"):
            if segment.text(6) in ("", "F") and segment.text(21) != "D":
                rank = segment.text(15) or "99"
                found.append((clinical.whole(rank, segment.place(15)), icd(segment.text(3))))
        return [code for _, code in sorted(found, key=lambda one: one[0])]

    def discharge(self) -> dict[str, Any]:
        """The stay that ended."""
        hospital, hospital_district = self.facility()
        lives_in, registered_in = self.residence()
        diagnoses = self.diagnoses()
        if not diagnoses:
            raise FaultError(
                MISSING, "DG1-3", "No final diagnosis (DG1-6 F).", "缺少出院诊断（DG1-6 = F）。"
            )
        scheme = self._scheme()
        return {
            **self.common("discharge", self.stay(), self.person()),
            "admitted_on": clinical.local(self.visit.needed(44)).isoformat(),
            "discharged_on": clinical.local(self.visit.needed(45)).isoformat(),
            "facility": hospital,
            "facility_district": hospital_district,
            "district": lives_in,
            "residency": clinical.residency(lives_in, registered_in, patient=True),
            "outcome": clinical.coded("outcome", self.visit.text(36), self.visit.place(36)),
            "diagnoses": diagnoses,
            "scheme": scheme,
            "total_fen": clinical.fen(self.visit.text(47), self.visit.place(47)),
            "in_policy_fen": self._paid(2, scheme),
            "fund_fen": self._paid(3, scheme),
            "sex": self.sex(),
            "born_on": self.born_on(),
        }

    def _scheme(self) -> str:
        insurance = self.message.segment("IN1")
        code = insurance.text(15)
        if not self.message.has("IN1"):
            return "none"
        if not code:
            raise FaultError(
                MISSING, insurance.place(15), "The way of payment is missing.", "缺少医疗付费方式。"
            )
        return clinical.coded("payment", code, insurance.place(15))

    def _paid(self, field: int, scheme: str) -> int:
        text = self.extra.text(field)
        return 0 if not text and scheme == "none" else clinical.fen(text, self.extra.place(field))

    def _mother_segment(self) -> Segment | None:
        kin = self.message.segments("NK1")
        return next((one for one in kin if one.text(3).upper() in MOTHER), None)

    def birth_certificate(self) -> str:
        """Number of the birth certificate, which is the birth's record id."""
        place = f"{self.patient.place(3)} (BCT)"
        return clinical.act_number(self.numbers.birth_certificate, place, self.sender.pseudonyms)

    def birth(self) -> dict[str, Any]:
        """The child that the message is about."""
        record_id = self.birth_certificate()
        child = self._pseudonym(
            "birth_certificate", self.numbers.birth_certificate, self.patient.place(3)
        )
        mother = self._mother_segment()
        born = self.patient.needed(7)
        lives_in, registered_in = self.residence()
        diagnoses = self.diagnoses()
        order = self.patient.text(25)
        return {
            **self.common("birth", record_id, child),
            "born_on": clinical.local(born).isoformat(),
            "district": lives_in,
            "residency": clinical.residency(lives_in, registered_in),
            "sex": self.sex(),
            "live": not any(code.startswith(FETAL_DEATH) for code in diagnoses),
            "birth_order": clinical.whole(order, self.patient.place(25), least=1) if order else 1,
            "mother": self._mother(mother),
            "mother_born_on": self._mother_born_on(mother),
            **self._measured(),
            "defects": [code for code in diagnoses if code.startswith("Q")],
        }

    def _mother(self, segment: Segment | None) -> str:
        kinds = MOTHERS
        if segment is not None and segment.raw(33):
            return self._of(read_numbers(self.message, segment, 33), segment.place(33), kinds)
        return self._of(read_numbers(self.message, self.patient, 21), "NK1-33 (MTH)", kinds)

    def _mother_born_on(self, segment: Segment | None) -> str | None:
        born = segment.moment(16) if segment is not None else None
        return None if born is None else clinical.local(born).isoformat()

    def _measured(self) -> dict[str, int]:
        """Weight, weeks and parity of the observations."""
        found: dict[str, int] = {}
        for segment in self.message.segments("OBX"):
            code, value, place = segment.text(3), segment.text(5), segment.place(5)
            if not value:
                continue
            if code == WEIGHT:
                found["weight_g"] = grams(value, segment.text(6), place)
            elif code == PARITY:
                found["parity"] = clinical.whole(value, place)
            elif code in GESTATION:
                found["gestation_weeks"] = clinical.weeks(value.partition(".")[0], place)
        return found

    def death(self, certificate: str) -> dict[str, Any]:
        """The patient's death."""
        lives_in, registered_in = self.residence()
        return {
            **self.common("death", certificate, self.person()),
            "died_on": clinical.local(self.patient.needed(29)).isoformat(),
            "district": lives_in,
            "residency": clinical.residency(lives_in, registered_in),
            "sex": self.sex(),
            "born_on": self.born_on(),
            "cause": icd(self.message.segment("PDA").text(1)) or None,
            "maternal": self.extra.text(4) == "Y",
        }

    def withdrawn(self, kind: str, record_id: str, person: str) -> dict[str, Any]:
        """The withdrawal of a report."""
        return {**self.common(kind, record_id, person), "void": True}


def grams(value: str, unit: str, place: str) -> int:
    """A weight in grams, of grams or kilograms."""
    if unit.lower() == "kg":
        return clinical.fen(value, place) * 10
    if unit.lower() not in ("g", ""):
        raise FaultError(Code.SCHEMA, place, "The weight is in g or kg.", "体重单位应为 g 或 kg。")
    return clinical.whole(value.partition(".")[0], place)


def _reported(visit: Visit, notes: list[str]) -> list[dict[str, Any]]:
    """What a message says of a person: born here, dead; nothing of an admission alone."""
    documents = []
    if visit.is_newborn:
        documents.append(visit.birth())
    dead = visit.patient.text(30).upper()
    certificate = visit.numbers.death_certificate
    if dead == "Y" and not certificate:
        notes.append(
            "PID-3 has no death certificate number (type DC): the death is not reported. "
            "PID-3 缺少死亡证编号（DC），死亡未上报"
        )
    elif certificate and dead in ("Y", "N"):
        place = f"{visit.patient.place(3)} (DC)"
        number = clinical.act_number(certificate, place, visit.sender.pseudonyms)
        withdrawn = dead == "N"
        documents.append(
            visit.withdrawn("death", number, visit.person()) if withdrawn else visit.death(number)
        )
    return documents


def _discharged(visit: Visit, notes: list[str]) -> list[dict[str, Any]]:
    return [visit.discharge(), *_reported(visit, notes)]


def _updated(visit: Visit, notes: list[str]) -> list[dict[str, Any]]:
    ended = bool(visit.visit.raw(45))
    return [*([visit.discharge()] if ended else []), *_reported(visit, notes)]


def _never_was(visit: Visit, _: list[str]) -> list[dict[str, Any]]:
    person = visit.person()
    documents = [visit.withdrawn("discharge", visit.stay(), person)]
    if visit.is_newborn:
        child = visit._pseudonym(  # noqa: SLF001
            "birth_certificate", visit.numbers.birth_certificate, visit.patient.place(3)
        )
        documents.append(visit.withdrawn("birth", visit.birth_certificate(), child))
    return documents


def _not_discharged(visit: Visit, _: list[str]) -> list[dict[str, Any]]:
    return [visit.withdrawn("discharge", visit.stay(), visit.person())]


EVENTS: dict[str, Callable[[Visit, list[str]], list[dict[str, Any]]]] = {
    "A01": _reported,
    "A03": _discharged,
    "A04": _reported,
    "A08": _updated,
    "A11": _never_was,
    "A13": _not_discharged,
    "A28": _reported,
    "A31": _reported,
}
"""What each trigger event reports or withdraws."""


def interpret(message: Message, sender: Sender, today: date) -> Mapped:
    """The events of one message, each checked as intake will check it; all or none.

    Args:
        message: as it was read.
        sender: whose listener this is.
        today: the local day on which the events become known.

    Raises:
        UnreadableError: not for us at all (AR).
        FaultError: the content gives no event (AE).
    """
    notes: list[str] = []
    visit = Visit(message, sender)
    documents = EVENTS[visit.envelope.event](visit, notes)
    ready: list[Ready] = [clinical.ready(document, today) for document in documents]
    records = [f"{document['kind']} {document['record_id']}" for document in documents]
    return Mapped(ready, records, notes)
