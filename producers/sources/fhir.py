"""FHIR R4 resources become events (profile: README.md beside this file).

Pure: resources and who sends them go in, events or a fault come out. A resource is understood
together with those it refers to, in one Bundle or contained: the listener keeps no patients.
"""

from datetime import date, datetime
from typing import Any

from producers.cells import icd
from producers.sources import clinical
from producers.sources.clinical import MISSING, FaultError, Mapped, Sender
from producers.sources.fhir_models import (
    Condition,
    Coverage,
    Encounter,
    Observation,
    Organization,
    Patient,
    RelatedPerson,
)
from producers.sources.fhir_pool import Numbers, Pool
from producers.sources.fhir_values import (
    born_on,
    counted,
    day,
    extension,
    grams,
    money,
    outcome,
    residence,
    sex,
)
from producers.sources.hl7 import FETAL_DEATH, GESTATION, PARITY, WEIGHT
from producers.sources.hl7_header import MOTHERS, PERSON

CAUSE = "79378-6"
"""LOINC: cause of death."""
STAYS = frozenset({"IMP", "ACUTE", "NONAC"})
"""Classes of encounters that are hospital stays."""
WITHDRAWN = frozenset({"cancelled", "entered-in-error"})
MOTHER = frozenset({"MTH", "52"})


class Reporter:
    """Makes events of the resources of one pool."""

    def __init__(self, pool: Pool, sender: Sender, today: date) -> None:
        self._pool = pool
        self._sender = sender
        self._today = today

    def report(self, resource: Any) -> Mapped:
        """What one resource reports or withdraws.

        Raises:
            FaultError: the content gives no event.
        """
        documents, notes = self._documents(resource)
        return Mapped(
            [clinical.ready(document, self._today) for document in documents],
            [f"{document['kind']} {document['record_id']}" for document in documents],
            notes,
        )

    def _documents(self, resource: Any) -> tuple[list[dict[str, Any]], list[str]]:
        if isinstance(resource, Encounter):
            return self._stay(resource)
        if isinstance(resource, Patient):
            return self._person(resource)
        if isinstance(resource, Observation):
            patient = self._pool.find(Patient, resource, resource.subject)
            if patient is None:
                raise FaultError(
                    MISSING,
                    "Observation.subject",
                    "An Observation is understood together with its Patient: contained, or in one "
                    "Bundle.",
                    "观测须与患者一同发送。",
                )
            # In a Bundle the Patient's own entry reports the birth with all measurements.
            if self._pool.owner_of(patient) is resource:
                return self._person(patient)
        return [], []

    def _written(self, resource: Any) -> datetime:
        return self._pool.written or resource.written or self._pool.arrived

    def _common(self, kind: str, record_id: str, resource: Any, person: str) -> dict[str, Any]:
        written = self._written(resource)
        return {
            "kind": kind,
            "record_id": record_id,
            "revision": clinical.revision_of(written),
            "source": self._sender.source,
            "recorded_at": clinical.moment(written),
            "person": person,
        }

    def _stay(self, encounter: Encounter) -> tuple[list[dict[str, Any]], list[str]]:
        if encounter.class_.code not in STAYS:
            return [], ["Only hospital stays (class IMP) are reported. 只上报住院"]
        if encounter.status not in {*WITHDRAWN, "finished"}:
            return [], ["The stay is not finished: nothing to report yet. 尚未出院"]
        patient = self._pool.find(Patient, encounter, encounter.subject)
        if patient is None:
            raise FaultError(
                MISSING,
                "Encounter.subject",
                "The Patient is neither contained nor in the same Bundle.",
                "缺少患者资源。",
            )
        numbers = Numbers.of(patient.identifier, "Patient.identifier")
        kinds = PERSON
        person = numbers.pseudonym("Patient.identifier", self._sender, *kinds)
        hospital, district = self._facility(encounter)
        record_id = self._stay_number(encounter, hospital, numbers)
        common = self._common("discharge", record_id, encounter, person)
        common["household"] = self._household(numbers)
        if encounter.status in WITHDRAWN:
            return [{**common, "void": True}], []
        lives_in, registered_in = residence(patient)
        return [
            {
                **common,
                "admitted_on": day(encounter.period.start, "Encounter.period.start"),
                "discharged_on": day(encounter.period.end, "Encounter.period.end"),
                "facility": hospital,
                "facility_district": district,
                "district": lives_in,
                "residency": clinical.residency(lives_in, registered_in, patient=True),
                "outcome": outcome(encounter),
                "diagnoses": self._diagnoses(encounter),
                **self._paid(encounter, patient),
                "sex": sex(patient),
                "born_on": born_on(patient),
            }
        ], []

    def _facility(self, encounter: Encounter) -> tuple[str, str]:
        provider = encounter.serviceProvider
        hospital = self._pool.find(Organization, encounter, provider)
        numbers = list(hospital.identifier) if hospital is not None else []
        if provider.identifier is not None:
            numbers.append(provider.identifier)
        code = next((one.value for one in numbers if one.value), "")
        return clinical.facility(code, "Encounter.serviceProvider", self._sender)

    def _stay_number(self, encounter: Encounter, hospital: str, numbers: Numbers) -> str:
        pseudonyms = self._sender.pseudonyms
        stay = extension(encounter, "stay")
        if stay is not None:
            count = stay.valuePositiveInt or stay.valueInteger or 0
            place = "Encounter.extension(stay)"
            case = clinical.act_number(numbers.get("case"), "Patient.identifier (MR)", pseudonyms)
            return f"{hospital}/{case}/{clinical.whole(str(count), place, least=1)}"
        visit = next((one.value for one in encounter.identifier if one.value), "")
        return f"{hospital}/{clinical.act_number(visit, 'Encounter.identifier', pseudonyms)}"

    def _household(self, numbers: Numbers) -> str | None:
        if not numbers.get("household"):
            return None
        return numbers.pseudonym("Patient.identifier", self._sender, "household")

    def _diagnoses(self, encounter: Encounter) -> list[str]:
        found = []
        for number, one in enumerate(encounter.diagnosis, 1):
            if "AD" in one.use.codes:
                continue
            condition = self._pool.find(Condition, encounter, one.condition)
            if condition is None or not condition.code.codes:
                raise FaultError(
                    MISSING,
                    f"Encounter.diagnosis[{number - 1}].condition",
                    "The Condition with its ICD-10 code is neither contained nor in the Bundle.",
                    "缺少诊断资源或 ICD-10 编码。",
                )
            found.append((one.rank if one.rank is not None else 99, icd(condition.code.codes[0])))
        if not found:
            raise FaultError(
                MISSING, "Encounter.diagnosis", "No discharge diagnosis.", "缺少出院诊断。"
            )
        return [code for _, code in sorted(found, key=lambda one: one[0])]

    def _paid(self, encounter: Encounter, patient: Patient) -> dict[str, Any]:
        coverage = next(self._pool.about(Coverage, patient, "beneficiary"), None)
        scheme = "none"
        if coverage is not None:
            scheme = clinical.coded("payment", (coverage.type.codes or [""])[0], "Coverage.type")
        unpaid = 0 if scheme == "none" else None
        return {
            "scheme": scheme,
            "total_fen": money(encounter, "total"),
            "in_policy_fen": money(encounter, "in-policy", unpaid),
            "fund_fen": money(encounter, "fund", unpaid),
        }

    def _person(self, patient: Patient) -> tuple[list[dict[str, Any]], list[str]]:
        """A birth when certificate and mother are there, a death when its certificate is."""
        numbers = Numbers.of(patient.identifier, "Patient.identifier")
        documents, notes = [], []
        mother = next(
            (
                one
                for one in self._pool.about(RelatedPerson, patient, "patient")
                if any(MOTHER & set(concept.codes) for concept in one.relationship)
            ),
            None,
        )
        if numbers.get("birth_certificate") and mother is not None:
            documents.append(self._birth(patient, numbers, mother))
        certificate = numbers.get("death_certificate")
        dead = bool(patient.deceasedDateTime) or patient.deceasedBoolean
        if dead and not certificate:
            notes.append(
                "No death certificate number (identifier type DC): the death is not reported. "
                "缺少死亡证编号（DC），死亡未上报"
            )
        elif certificate and dead is not None:
            documents.append(self._death(patient, numbers, withdrawn=not dead))
        if not documents and not notes:
            notes.append("Neither a birth nor a death: nothing to report. 无出生或死亡可上报")
        return documents, notes

    def _birth(self, patient: Patient, numbers: Numbers, mother: RelatedPerson) -> dict[str, Any]:
        place = "Patient.identifier (BCT)"
        record_id = clinical.act_number(
            numbers.get("birth_certificate"), place, self._sender.pseudonyms
        )
        child = numbers.pseudonym(place, self._sender, "birth_certificate")
        codes = [
            icd(condition.code.codes[0])
            for condition in self._pool.about(Condition, patient, "subject")
            if condition.code.codes
        ]
        lives_in, registered_in = residence(patient)
        place = "RelatedPerson.identifier"
        return {
            **self._common("birth", record_id, patient, child),
            "household": self._household(numbers),
            "born_on": day(patient.birthDate, "Patient.birthDate"),
            "district": lives_in,
            "residency": clinical.residency(lives_in, registered_in),
            "sex": sex(patient),
            "live": not any(code.startswith(FETAL_DEATH) for code in codes),
            "birth_order": patient.multipleBirthInteger or 1,
            "mother": Numbers.of(mother.identifier, place).pseudonym(place, self._sender, *MOTHERS),
            "mother_born_on": day(mother.birthDate, "RelatedPerson.birthDate")
            if mother.birthDate
            else None,
            **self._measured(patient),
            "defects": [code for code in codes if code.startswith("Q")],
        }

    def _measured(self, patient: Patient) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in self._pool.about(Observation, patient, "subject"):
            codes = set(one.code.codes)
            if one.status in WITHDRAWN:
                continue
            if WEIGHT in codes and one.valueQuantity is not None:
                found["weight_g"] = grams(one.valueQuantity)
            elif PARITY in codes:
                found["parity"] = counted(one)
            elif codes & GESTATION:
                found["gestation_weeks"] = counted(one)
        return found

    def _death(self, patient: Patient, numbers: Numbers, *, withdrawn: bool) -> dict[str, Any]:
        place = "Patient.identifier (DC)"
        number = clinical.act_number(
            numbers.get("death_certificate"), place, self._sender.pseudonyms
        )
        kinds = PERSON
        person = numbers.pseudonym("Patient.identifier", self._sender, *kinds)
        common = self._common("death", number, patient, person)
        if withdrawn:
            return {**common, "void": True}
        lives_in, registered_in = residence(patient)
        maternal = extension(patient, "maternal")
        return {
            **common,
            "household": self._household(numbers),
            "died_on": day(patient.deceasedDateTime, "Patient.deceasedDateTime"),
            "district": lives_in,
            "residency": clinical.residency(lives_in, registered_in),
            "sex": sex(patient),
            "born_on": born_on(patient),
            "cause": self._cause(patient),
            "maternal": bool(maternal is not None and maternal.valueBoolean),
        }

    def _cause(self, patient: Patient) -> str | None:
        """Underlying cause: an Observation of LOINC 79378-6 with an ICD-10 code."""
        for one in self._pool.about(Observation, patient, "subject"):
            concept = one.valueCodeableConcept
            if CAUSE in one.code.codes and concept is not None and concept.codes:
                return icd(concept.codes[0])
        return None
