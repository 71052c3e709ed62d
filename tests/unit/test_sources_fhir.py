"""FHIR resources: the cases, and that nothing of a patient gets out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from producers.sources.clinical import FaultError
from producers.sources.fhir import Reporter
from producers.sources.fhir_capability import capability
from producers.sources.fhir_http import _parsed
from producers.sources.fhir_models import Bundle, Entry
from producers.sources.fhir_pool import Pool
from producers.sources.gateway_http import HttpError
from schemas.events import Event
from schemas.reading import check, read
from tests.sources import resources
from tests.sources.adt import PATIENT
from tests.sources.edge import ON, SENDER, cases

CASES = cases("fhir")
ARRIVED = datetime(2026, 3, 7, tzinfo=UTC)


def outcome(body: bytes) -> dict[str, Any]:
    """Events and notes, or what was refused and where."""
    try:
        bundle = _parsed(Bundle.model_validate_json, body)
        pool = Pool(ARRIVED, bundle.timestamp)
        entries = [
            _parsed(Entry.model_validate_json, json.dumps(raw).encode()) for raw in bundle.entry
        ]
        for entry in entries:
            _parsed(pool.add, entry.resource, entry.fullUrl)
        mapped = [Reporter(pool, SENDER, ON).report(entry.resource) for entry in entries]
    except HttpError as error:
        return {"refused": error.code, "status": error.status}
    except FaultError as error:
        return {"refused": str(error.reason), "place": error.place}
    events = [json.loads(ready.value) for one in mapped for ready in one.events]
    return {"events": events, "notes": sum(len(one.notes) for one in mapped)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    found = outcome(json.dumps(case["bundle"]).encode())
    assert found == {k: v for k, v in case.items() if k not in ("name", "rule", "bundle")}


def test_cases_are_many() -> None:
    assert len(CASES) > 20


def test_hl7_and_fhir_tell_the_same_stay() -> None:
    """The same record id and person whichever way the hospital speaks."""
    stays = []
    for source in ("hl7", "fhir"):
        (case,) = (one for one in cases(source) if one["name"] == "discharge")
        stays.append({**case["events"][0], "fund_fen": 0, "recorded_at": ""})
    assert stays[0] == stays[1]


@pytest.mark.parametrize(
    "spelled",
    ["urn:uuid:{id}", "{type}/{id}/_history/3", "https://h7.example/fhir/{type}/{id}"],
)
def test_references_in_all_their_spellings(spelled: str) -> None:
    sent = resources.bundle(resources.stay())
    text = json.dumps(sent)
    for kind, name in (("Patient", "p1"), ("Condition", "c1"), ("Condition", "c2")):
        new = spelled.format(type=kind, id=name)
        text = text.replace(f'"reference": "{kind}/{name}"', f'"reference": "{new}"')
    assert text != json.dumps(sent)
    assert outcome(text.encode()) == outcome(json.dumps(sent).encode())


def test_capability_statement_is_fhir() -> None:
    made: Any = CapabilityStatement
    statement = made.model_validate(capability(ARRIVED))
    assert {one.type for one in statement.rest[0].resource} == {
        "Encounter",
        "Patient",
        "Observation",
    }


def _texts(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        return [found for key, value in node.items() for found in _texts(value, (*path, key))]
    if isinstance(node, list):
        return [found for n, value in enumerate(node) for found in _texts(value, (*path, n))]
    return [path] if isinstance(node, str) else []


def test_no_identity_number_in_any_field_gets_out() -> None:
    accepted = tried = 0
    for made in (resources.stay(), resources.newborn()):
        bundle = resources.bundle(made)
        for path in _texts(bundle):
            for canary in (PATIENT, f"ID{PATIENT}", "320502500615001"):
                changed = json.loads(json.dumps(bundle))
                node = changed
                for step in path[:-1]:
                    node = node[step]
                node[path[-1]] = canary
                tried += 1
                found = outcome(json.dumps(changed).encode())
                assert canary[-15:] not in json.dumps(found), path
                for event in found.get("events", ()):
                    accepted += 1
                    raw = json.dumps(event).encode()
                    again = read(raw)
                    assert isinstance(again, Event)
                    assert check(again, again.topic, ON, {"health.h7": 1}) is None
    assert accepted > 100
    assert tried > 200
