"""FHIR Bundles as a hospital's system builds them, made with fhir.resources (R4B)."""

from __future__ import annotations

from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.coverage import Coverage
from fhir.resources.R4B.encounter import Encounter
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.relatedperson import RelatedPerson

from tests.sources.adt import MOTHER, PATIENT

EXT = "urn:popflow:fhir:"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
WRITTEN = "2026-03-06T10:00:00+08:00"
Json = dict[str, Any]


def identifier(code: str, value: str) -> Json:
    return {"type": {"coding": [{"system": V2, "code": code}]}, "value": value}


def patient(number: str = PATIENT, **more: Any) -> Json:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [identifier("NI", number), identifier("MR", "BA00123")],
        "gender": "male",
        "birthDate": "1950-06-15",
        "address": [{"use": "home", "district": "320508"}],
        "extension": [{"url": f"{EXT}hukou-district", "valueCode": "320602"}],
        **more,
    }


def condition(number: int, code: str) -> Json:
    return {
        "resourceType": "Condition",
        "id": f"c{number}",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]},
    }


def encounter(**more: Any) -> Json:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "meta": {"lastUpdated": WRITTEN},
        "identifier": [{"system": "urn:h7:visit", "value": "ZY20260001"}],
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "IMP",
        },
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-03-01T09:00:00+08:00", "end": "2026-03-05T10:00:00+08:00"},
        "diagnosis": [
            {"condition": {"reference": "Condition/c1"}, "rank": 1},
            {"condition": {"reference": "Condition/c2"}, "rank": 2},
        ],
        "hospitalization": {"dischargeDisposition": {"coding": [{"code": "home"}]}},
        "serviceProvider": {"identifier": {"value": "H7"}},
        "extension": [
            {"url": f"{EXT}stay", "valuePositiveInt": 1},
            {"url": f"{EXT}total", "valueMoney": {"value": 8123.00, "currency": "CNY"}},
            {"url": f"{EXT}in-policy", "valueMoney": {"value": 7000.0, "currency": "CNY"}},
            {"url": f"{EXT}fund", "valueMoney": {"value": 4900.5, "currency": "CNY"}},
        ],
        **more,
    }


def coverage() -> Json:
    return {
        "resourceType": "Coverage",
        "id": "v1",
        "status": "active",
        "type": {"coding": [{"code": "01"}]},
        "beneficiary": {"reference": "Patient/p1"},
        "payor": [{"display": "苏州市医保"}],
    }


def stay(**more: Any) -> list[Json]:
    """The resources of one discharge."""
    return [
        patient(**more.pop("patient", {})),
        condition(1, "J18.900"),
        condition(2, "I10.x00x002"),
        coverage(),
        encounter(**more),
    ]


def newborn(certificate: str = "B3205080001") -> list[Json]:
    """The resources of one birth."""
    child = {
        "resourceType": "Patient",
        "id": "n1",
        "meta": {"lastUpdated": "2026-03-02T08:30:00+08:00"},
        "identifier": [identifier("BCT", certificate)],
        "gender": "female",
        "birthDate": "2026-03-01",
        "multipleBirthInteger": 2,
        "address": [{"use": "home", "district": "320583"}],
        "extension": [{"url": f"{EXT}hukou-district", "valueCode": "320583"}],
    }
    mother = {
        "resourceType": "RelatedPerson",
        "id": "m1",
        "patient": {"reference": "Patient/n1"},
        "relationship": [{"coding": [{"code": "MTH"}]}],
        "identifier": [identifier("NI", MOTHER)],
        "birthDate": "1995-02-28",
    }
    weight = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8339-4"}]},
        "subject": {"reference": "Patient/n1"},
        "valueQuantity": {"value": 2.43, "unit": "kg", "code": "kg"},
    }
    weeks = {
        **weight,
        "id": "o2",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11884-4"}]},
        "valueQuantity": {"value": 36, "unit": "wk"},
    }
    return [child, mother, weight, weeks]


def bundle(resources: list[Json], kind: str = "transaction", **request: str) -> Json:
    """A Bundle; every resource goes through fhir.resources first."""
    models = {
        "Patient": Patient,
        "Condition": Condition,
        "Encounter": Encounter,
        "Coverage": Coverage,
        "Observation": Observation,
        "RelatedPerson": RelatedPerson,
    }
    entries = []
    for one in resources:
        model: Any = models[one["resourceType"]]
        name = one["resourceType"]
        entries.append(
            {
                "fullUrl": f"urn:uuid:{one['id']}",
                "resource": model.model_validate(one),
                "request": {"method": "POST", "url": name, **request},
            }
        )
    made: Any = Bundle
    written = made.model_validate({"resourceType": "Bundle", "type": kind, "entry": entries})
    import json

    found: Json = json.loads(written.model_dump_json())
    return found
