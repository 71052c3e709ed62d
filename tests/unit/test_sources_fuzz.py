"""Damaged inputs of each format: no crash, no hang, nothing accepted that a strict reading refuses.

The second reading is the published JSON Schema, with intake's own check of dates and districts,
and python-stdnum for identity numbers.
"""

from __future__ import annotations

import functools
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from stdnum.cn import ric

import schemas
from producers.handover import Ready
from producers.sources.gateway import explained, split, take
from producers.sources.gateway_http import HttpError
from schemas.events import Event
from schemas.reading import check, read
from tests.sources import adt, resources
from tests.sources.deaths import death
from tests.sources.edge import ON
from tests.sources.mutation import NUMBERS, damaged_bytes, damaged_fields, damaged_json
from tests.unit.test_sources_fhir import outcome as fhir_outcome
from tests.unit.test_sources_hl7 import answered

GENERATED = Path(schemas.__file__).parent / "generated"
MESSAGES = (
    adt.discharge(),
    adt.newborn(),
    adt.discharge("M3", "A13"),
    adt.discharge("M4", "A08", pid={29: "20260305", 30: "Y"}),
)
_DIGITS = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_PUT_IN = re.compile(rf"(?<![0-9])({'|'.join(number.strip() for number in NUMBERS)})(?![0-9])")


@functools.cache
def bundles() -> tuple[dict[str, Any], ...]:
    return (
        resources.bundle(resources.stay()),
        resources.bundle(resources.newborn()),
        resources.bundle([resources.patient(deceasedDateTime="2026-03-05")], "batch"),
    )


@functools.cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads((GENERATED / f"{kind}.schema.json").read_text("utf-8"))
    )


def second_reading(ready: Ready) -> None:
    """What was accepted is an event by the published schema too, and names nobody."""
    document = json.loads(ready.value)
    present = {name: value for name, value in document.items() if value is not None}
    kind = present["kind"]
    if present.get("void") is not True or "district" in present:
        validator(kind).validate(present)
    event = read(ready.value, ready.key)
    assert isinstance(event, Event)
    assert event.topic == ready.topic
    assert check(event, ready.topic, ON, {"health.h7": 1}) is None
    for found in _DIGITS.findall(ready.value.decode()):
        assert not ric.is_valid(found)


def hidden(text: str) -> None:
    """None of the numbers that were put in is in what is said; with more digits it is another."""
    assert not _PUT_IN.search(text)


def try_hl7(chance: random.Random) -> str:
    text = chance.choice(MESSAGES)
    raw = damaged_fields(text, chance).encode("utf-8", "surrogatepass")
    if chance.random() < 0.4:
        raw = damaged_bytes(raw, chance)
    code, mapped, complaint, said = answered(raw)
    hidden(said.decode("utf-8", "replace"))
    assert b"MSA|%s" % code.encode() in said
    for ready in mapped.events if mapped else ():
        second_reading(ready)
    if mapped is None:
        assert complaint is not None
        assert complaint.english
        assert complaint.chinese
    return f"hl7 {code}"


def try_fhir(chance: random.Random) -> str:
    raw = damaged_json(chance.choice(bundles()), chance)
    if chance.random() < 0.2:
        raw = damaged_bytes(raw, chance)
    found = fhir_outcome(raw)
    hidden(json.dumps(found, ensure_ascii=False))
    for event in found.get("events", ()):
        value = json.dumps(event).encode()
        second_reading(Ready(f"population.{event['kind']}s.v1", b"", value))
    assert "events" in found or found["refused"]
    return "fhir AA" if "events" in found else "fhir refused"


def try_gateway(chance: random.Random) -> str:
    many = chance.random() < 0.5
    events = [death(record_id=f"D-{n}") for n in range(3)] if many else death()
    raw = damaged_json(events, chance)
    if chance.random() < 0.5:
        raw = damaged_bytes(raw, chance)
    outcomes, said = set(), {}
    try:
        items = split(raw, lines=chance.random() < 0.2)
    except HttpError as error:
        said = {"detail": error.detail}
        items = []
    for item in items:
        taken = take(item, "health.h7", ON)
        if taken.ready is not None:
            second_reading(taken.ready)
            outcomes.add("AA")
        else:
            said = explained(taken.refusal)
            outcomes.add("refused")
        assert all(said.values())
        hidden(json.dumps(said, ensure_ascii=False))
    if not items:
        assert said["detail"]
    return f"gateway {'AA' if 'AA' in outcomes else 'refused'}"


TRIES: tuple[Callable[[random.Random], str], ...] = (try_hl7, try_fhir, try_gateway)


def _tried(number: int, seed: int) -> Iterator[str]:
    for place in range(number):
        one = f"{seed}/{place}"
        try:
            yield TRIES[place % len(TRIES)](random.Random(one))
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"input {one} broke {TRIES[place % 3].__name__}") from error


def _check(counted: Counter[str], number: int) -> None:
    assert counted.total() == number
    for source in ("hl7", "fhir", "gateway"):
        share = counted[f"{source} AA"] / (number / 3)
        assert 0.02 < share < 0.98, f"{source}: the damage is of the wrong size ({share:.0%})"


def test_damaged_inputs() -> None:
    _check(Counter(_tried(1_998, 1)), 1_998)


@pytest.mark.long
def test_a_hundred_thousand_damaged_inputs() -> None:
    _check(Counter(_tried(100_002, 2)), 100_002)
