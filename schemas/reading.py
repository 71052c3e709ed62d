"""From the bytes of one message to an event, or to the first reason why it is none.

The same two steps serve the pipeline's intake and a publisher's check before sending:
:func:`read` looks at the message alone, :func:`check` at where and when it arrived.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas import identity
from schemas.clock import FIRST_DAY, LAST_VALID, local_date
from schemas.districts import COUNTED_AS, NOWHERE, is_known
from schemas.events import EVENT, KINDS, VOID, VOIDS, Event
from schemas.faults import described
from schemas.refusals import Code, Refusal
from schemas.topics import MAX_EVENT_BYTES

_ONE_DAY = timedelta(days=1)
_NOT_AFTER_THE_ACT = {
    model: tuple(
        name
        for name in ("born_on", "mother_born_on", "admitted_on")
        if name in model.model_fields and name != model.acted
    )
    for model in (*KINDS.values(), *VOIDS.values())
}
_validate = EVENT.validator.validate_json


def read(raw: bytes | None, key: bytes | None = None) -> Event | Refusal:
    """Decode and validate one message.

    Args:
        raw: the message's value; ``None`` is a message without one.
        key: the message's key, looked at for plain identity numbers only.
    """
    if raw is None:
        return Refusal(Code.NOT_JSON, "消息为空。", "The message is empty.")
    if len(raw) > MAX_EVENT_BYTES:
        size = len(raw)
        return Refusal(Code.TOO_LARGE, f"消息有 {size} 字节。", f"The message has {size} bytes.")
    suspect = identity.suspect(raw)
    try:
        event: Event = _validate(raw)
    except ValidationError:
        return _explain(raw, key)
    if suspect and identity.found_in(raw):
        return _plain_identity()
    if key != event.person.encode() and identity.in_key(key):  # a pseudonym is none
        return _plain_identity()
    return event


def _plain_identity() -> Refusal:
    return Refusal(
        Code.PLAIN_IDENTITY,
        "消息含明文身份证号码。",
        "The message holds a plain identity number.",
    )


def _explain(raw: bytes, key: bytes | None) -> Event | Refusal:
    """Read again what did not fit at first sight: nulls, withdrawals, and the reason."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Refusal(
            Code.NOT_JSON, "消息不是 UTF-8 编码的 JSON。", "The message is no JSON in UTF-8."
        )
    if identity.in_key(key) or identity.found_in(raw):
        return _plain_identity()
    if not isinstance(document, dict):
        return Refusal(Code.SCHEMA, "消息不是 JSON 对象。", "The message is no JSON object.")
    present = {name: value for name, value in document.items() if value is not None}
    adapter: TypeAdapter[Event] = VOID if present.get("void") is True else EVENT
    try:
        return adapter.validate_json(orjson.dumps(present))
    except orjson.JSONEncodeError:
        return Refusal(
            Code.SCHEMA, "消息嵌套过深。", "The message is nested too deeply for an event."
        )
    except ValidationError as second:
        return Refusal(Code.SCHEMA, *described(second))


def check(event: Event, topic: str, known_on: date, sources: Mapping[str, int]) -> Refusal | None:
    """What is wrong with a valid event where and when it arrived; ``None`` when nothing is.

    Args:
        event: as :func:`read` gave it.
        topic: where it was sent.
        known_on: the local day of the message's timestamp.
        sources: the registered sources with their priorities.
    """
    if event.topic != topic:
        title_zh, title = event.title
        return Refusal(
            Code.WRONG_TOPIC,
            f"{title_zh}事件应发送到 {event.topic}。",
            f"A {title} belongs to {event.topic}.",
        )
    fields = event.__dict__
    if fields["source"] not in sources:
        return Refusal(
            Code.UNKNOWN_SOURCE, "来源不在登记表中。", "The source is not in the registry."
        )
    for name in event.districts:
        code = fields[name]
        if code not in COUNTED_AS and code is not None:
            refusal = _check_outside(fields["kind"], name, code)
            if refusal is not None:
                return refusal
    fault = _fault_of_dates(event, fields, known_on)
    return Refusal(Code.IMPOSSIBLE_DATE, *fault) if fault else None


def _check_outside(kind: str, name: str, code: str) -> Refusal | None:
    if kind == "permit":
        return Refusal(
            Code.UNKNOWN_DISTRICT, f"{name} 不是本市区划。", f"{name} is no district of the city."
        )
    if not is_known(code) and not (kind == "move" and code == NOWHERE):
        return Refusal(
            Code.UNKNOWN_DISTRICT, f"{name} 不是已知区划。", f"{name} is no known district."
        )
    return None


def _fault_of_dates(
    event: Event, fields: Mapping[str, Any], known_on: date
) -> tuple[str, str] | None:
    latest = known_on + _ONE_DAY
    acted: date | None = fields[event.acted]
    recorded = local_date(fields["recorded_at"])
    if (acted or recorded) < FIRST_DAY:
        return _before_1900(event.acted if acted else "recorded_at")
    if acted and acted > latest:
        return _after_arrival(event.acted)
    if acted and recorded < acted:
        return f"recorded_at 早于 {event.acted}。", f"recorded_at is before {event.acted}."
    if recorded > latest:
        return _after_arrival("recorded_at")
    for name in _NOT_AFTER_THE_ACT[type(event)]:
        day = fields[name]
        if day is None:
            continue
        if day < FIRST_DAY:
            return _before_1900(name)
        if acted and day > acted:
            return f"{name} 晚于 {event.acted}。", f"{name} is after {event.acted}."
    valid_until = fields.get("valid_until")
    if valid_until is not None and not (acted or FIRST_DAY) <= valid_until <= LAST_VALID:
        return (
            "valid_until 不在 effective_on 至 2299-12-30 之间。",
            "valid_until is not between effective_on and 2299-12-30.",
        )
    return None


def _before_1900(name: str) -> tuple[str, str]:
    return f"{name} 早于 1900 年。", f"{name} is before 1900."


def _after_arrival(name: str) -> tuple[str, str]:
    return (
        f"{name} 晚于消息到达日的次日。",
        f"{name} is later than the day after the message's arrival.",
    )


def defaults_filled(document: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The document with defaults filled and nulls left out: what the canonical JSON spells."""
    if None in document.values():
        document = {name: value for name, value in document.items() if value is not None}
    return {**defaults, **document}
