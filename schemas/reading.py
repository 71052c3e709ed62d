"""From the bytes of one message to an event, or to the first reason why it is none.

The same two steps serve the pipeline's intake and a publisher's check before sending:
:func:`read` looks at the message alone, :func:`check` at where and when it arrived.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas import identity
from schemas.clock import FIRST_DAY, LAST_VALID, local_date
from schemas.districts import COUNTED_AS, NOWHERE, is_known
from schemas.events import EVENT, KINDS, VOID, Event
from schemas.refusals import Code, Refusal
from schemas.topics import MAX_EVENT_BYTES

_ONE_DAY = timedelta(days=1)
_LONGEST_PLACE = 80
_OF_NO_KIND = f"kind: Input should be one of {', '.join(KINDS)}"
"""In place of pydantic's words, which quote what was sent."""
_NOT_AFTER_THE_ACT = ("born_on", "mother_born_on", "admitted_on")


def read(raw: bytes | None, key: bytes | None = None) -> Event | Refusal:
    """Decode and validate one message.

    Args:
        raw: the message's value; ``None`` is a message without one.
        key: the message's key, looked at for plain identity numbers only.
    """
    if raw is None:
        return Refusal(Code.NOT_JSON, "The message is empty.")
    if len(raw) > MAX_EVENT_BYTES:
        return Refusal(Code.TOO_LARGE, f"The message has {len(raw)} bytes.")
    suspect = identity.suspect(raw)
    try:
        event = EVENT.validate_json(raw)
    except ValidationError:
        return _explain(raw, key)
    if suspect and identity.found_in(raw):
        return _plain_identity()
    if key != event.person.encode() and identity.in_key(key):  # a pseudonym is none
        return _plain_identity()
    return event


def _plain_identity() -> Refusal:
    return Refusal(Code.PLAIN_IDENTITY, "The message holds a plain identity number.")


def _explain(raw: bytes, key: bytes | None) -> Event | Refusal:
    """Read again what did not fit at first sight: nulls, withdrawals, and the reason."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Refusal(Code.NOT_JSON, "The message is no JSON in UTF-8.")
    if identity.in_key(key) or identity.found_in(raw):
        return _plain_identity()
    if not isinstance(document, dict):
        return Refusal(Code.SCHEMA, "The message is no JSON object.")
    present = {name: value for name, value in document.items() if value is not None}
    adapter: TypeAdapter[Event] = VOID if present.get("void") is True else EVENT
    try:
        return adapter.validate_json(orjson.dumps(present))
    except orjson.JSONEncodeError:
        return Refusal(Code.SCHEMA, "The message is nested too deeply for an event.")
    except ValidationError as second:
        return Refusal(Code.SCHEMA, _describe(second))


def _describe(error: ValidationError) -> str:
    """The fields that do not fit, without what they held."""
    faults = [
        f"{_place(fault['loc'])}: {fault['msg']}"
        if fault["type"] != "union_tag_invalid"
        else _OF_NO_KIND
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return identity.mask("; ".join(faults[:8])) + "."


def _place(steps: Sequence[int | str]) -> str:
    """Path of a field; an unknown one may have any name, of which the beginning is enough.

    A long run of digits in it may be a number of somebody, though letters stand beside it.
    """
    path = identity.mask_runs(".".join(map(str, steps[1:])) or "event")
    return path if len(path) <= _LONGEST_PLACE else f"{path[:_LONGEST_PLACE]}…"


def check(event: Event, topic: str, known_on: date, sources: Mapping[str, int]) -> Refusal | None:
    """What is wrong with a valid event where and when it arrived; ``None`` when nothing is.

    Args:
        event: as :func:`read` gave it.
        topic: where it was sent.
        known_on: the local day of the message's timestamp.
        sources: the registered sources with their priorities.
    """
    if event.topic != topic:
        return Refusal(Code.WRONG_TOPIC, f"A {event.title[1]} belongs to {event.topic}.")
    if event.source not in sources:
        return Refusal(Code.UNKNOWN_SOURCE, "The source is not in the registry.")
    return _check_districts(event) or _check_dates(event, known_on)


def _check_districts(event: Event) -> Refusal | None:
    fields = event.__dict__
    for name in event.districts:
        code = fields[name]
        if code is None or code in COUNTED_AS:
            continue
        if fields["kind"] == "permit":
            return Refusal(Code.UNKNOWN_DISTRICT, f"{name} is no district of the city.")
        if not is_known(code) and not (fields["kind"] == "move" and code == NOWHERE):
            return Refusal(Code.UNKNOWN_DISTRICT, f"{name} is no known district.")
    return None


def _check_dates(event: Event, known_on: date) -> Refusal | None:
    fields = event.__dict__
    latest = known_on + _ONE_DAY
    acted: date | None = fields[event.acted]
    recorded = local_date(event.recorded_at)
    fault: str | None = None
    if acted and FIRST_DAY <= acted <= recorded <= latest:
        fault = _fault_of_other_dates(fields, event.acted, acted)
    elif (acted or recorded) < FIRST_DAY:
        fault = f"{event.acted if acted else 'recorded_at'} is before 1900."
    elif acted and acted > latest:
        fault = f"{event.acted} is later than the day after the message's arrival."
    elif acted and recorded < acted:
        fault = f"recorded_at is before {event.acted}."
    elif recorded > latest:
        fault = "recorded_at is later than the day after the message's arrival."
    else:
        fault = _fault_of_other_dates(fields, event.acted, acted)
    return Refusal(Code.IMPOSSIBLE_DATE, fault) if fault else None


def _fault_of_other_dates(fields: dict[str, Any], act: str, acted: date | None) -> str | None:
    for name in _NOT_AFTER_THE_ACT:
        day = fields.get(name)
        if day is None or name == act:
            continue
        if day < FIRST_DAY:
            return f"{name} is before 1900."
        if acted and day > acted:
            return f"{name} is after {act}."
    valid_until = fields.get("valid_until")
    if valid_until is not None and not (acted or FIRST_DAY) <= valid_until <= LAST_VALID:
        return "valid_until is not between effective_on and 2299-12-30."
    return None


def defaults_filled(document: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The document with defaults filled and nulls left out: what the canonical JSON spells."""
    if None in document.values():
        document = {name: value for name, value in document.items() if value is not None}
    return {**defaults, **document}
