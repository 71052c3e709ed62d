"""Every example of `schemas/examples`, three ways: reading, check, and the JSON Schema."""

import json

import orjson
import pytest

from schemas.events import DEFAULTS, KINDS, Event
from schemas.reading import check, read
from schemas.refusals import Code, Refusal
from tests.contract.support import ALL, EXAMPLES, SCHEMAS, SOURCES, Example

READ_REFUSES = (Code.TOO_LARGE, Code.NOT_JSON, Code.PLAIN_IDENTITY, Code.SCHEMA)


@pytest.mark.parametrize("example", ALL, ids=str)
def test_example_is_read_and_checked_as_it_says(example: Example) -> None:
    event = read(example.text.encode())
    if example.refused in READ_REFUSES:
        assert isinstance(event, Refusal)
        assert event.code == example.refused
        return
    assert not isinstance(event, Refusal), event
    refusal = check(event, KINDS[example.kind].topic, example.known_on, SOURCES)
    assert (refusal.code if refusal else "") == example.refused


@pytest.mark.parametrize(
    "example", [e for e in ALL if e.refused not in (Code.NOT_JSON, Code.PLAIN_IDENTITY)], ids=str
)
def test_json_schema_agrees_with_the_models(example: Example) -> None:
    valid = SCHEMAS[example.kind].is_valid(json.loads(example.text))
    assert valid == (example.refused != Code.SCHEMA)


@pytest.mark.parametrize("example", [e for e in ALL if not e.refused], ids=str)
def test_accepted_event_holds_what_was_sent(example: Example) -> None:
    event = read(example.text.encode())
    assert not isinstance(event, Refusal)
    held = event.model_dump(mode="json", exclude_none=True)
    sent = {n: v for n, v in orjson.loads(example.text).items() if v is not None}
    for name in {*held, *sent} - {"recorded_at"}:
        default = DEFAULTS[example.kind].get(name)
        assert held.get(name, default) == sent.get(name, default), name


@pytest.mark.parametrize("kind", KINDS)
def test_examples_reach_every_field_rule(kind: str) -> None:
    """Each field is in some valid event; some refused event differs in each own field alone."""
    mine = [example for example in ALL if example.kind == kind]
    fields = set(KINDS[kind].model_fields)
    shown = {name for e in mine if not e.refused for name in json.loads(e.text)}
    assert shown == fields
    smallest = json.loads(mine[0].text)
    broken: set[str] = set()
    for example in mine:
        if example.refused in (Code.SCHEMA, Code.UNKNOWN_DISTRICT, Code.IMPOSSIBLE_DATE):
            differing = _differing(smallest, json.loads(example.text))
            if len(differing) == 1:
                broken |= differing
    assert fields - set(Event.model_fields) <= broken | {"kind"}


def _differing(one: dict[str, object], other: object) -> set[str]:
    if not isinstance(other, dict):
        return set()
    return {name for name in {*one, *other} if one.get(name, ...) != other.get(name, ...)}


def test_there_is_a_file_for_every_kind_and_no_other() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(KINDS)
