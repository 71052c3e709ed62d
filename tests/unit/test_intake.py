"""Intake's look at a batch, without Kafka and store: outcomes, masking, what is to be purged."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import orjson
import pytest

from pipeline.batching import Batch
from pipeline.core.reports import report
from pipeline.intake import _LAST_MS, Intake, Refused, Sorted, _insertable, _message
from schemas.clock import local_day
from schemas.topics import MAX_MESSAGE_BYTES
from tests.contract.support import ALL, SMALLEST, SOURCES, event, number, spelled
from tests.laws import nasty

TOPIC = "population.births.v1"
NOW = 1_457_568_000_000
"""2016-03-10, when the contract's examples arrive."""
CANARY = number("32050819910203123")
SHORT = "320508910203123"


@dataclass
class Record:
    value: bytes | None
    key: bytes | None = None
    timestamp: int = NOW
    offset: int = 0
    partition: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()


def intake() -> Intake:
    """Nothing of it but the sorting is used."""
    nothing = cast("Any", None)
    return Intake(nothing, nothing, nothing, nothing, nothing, partitions=4, secret=b"secret")


def sort(*records: Record, topic: str = TOPIC, sources: dict[str, int] | None = None) -> Sorted:
    batch = Batch(topic, 0, cast("Any", list(records)))
    return intake().sort(batch, SOURCES if sources is None else sources)


def refusal(record: Record) -> Refused:
    (refused,) = sort(record).refused
    return refused


def test_every_message_of_a_batch_has_one_outcome_in_its_order() -> None:
    birth = spelled(event("birth"))
    found = sort(
        Record(birth, offset=1), Record(b"{", offset=2), Record(None, offset=3), Record(birth)
    )
    assert [a[3] for a in found.accepted] == [birth, birth]
    assert [(r.record.offset, r.refusal.code) for r in found.refused] == [
        (2, "not_json"),
        (3, "not_json"),
    ]
    assert found.kinds == {("birth", event("birth")["source"]): 2}


def test_an_accepted_message_goes_on_unchanged_under_its_person() -> None:
    raw = b" " + spelled(event("birth")) + b"\n"
    ((target, timestamp, key, value, headers),) = sort(Record(raw, b"any key", offset=7)).accepted
    assert (timestamp, key, value) == (NOW, SMALLEST["birth"]["person"].encode(), raw)
    assert 0 <= target < 4
    assert headers[0][0] == "raw"


@pytest.mark.parametrize("timestamp", [-(2**62), -1, _LAST_MS + 1, 2**62, 2**63 - 1])
def test_a_timestamp_that_is_no_time_refuses_a_valid_event(timestamp: int) -> None:
    refused = refusal(Record(spelled(event("birth")), timestamp=timestamp))
    assert refused.refusal.code == "impossible_date"
    assert "timestamp" in refused.refusal.detail
    assert 0 <= refused.timestamp <= _LAST_MS


@pytest.mark.parametrize("timestamp", [-(2**62), 2**62])
def test_a_timestamp_that_is_no_time_does_not_hide_another_reason(timestamp: int) -> None:
    assert refusal(Record(b"{", timestamp=timestamp)).refusal.code == "not_json"


def test_the_last_timestamp_leaves_room_for_the_days_that_follow() -> None:
    late = event("permit", effective_on="2298-12-31", valid_until="2299-12-30")
    late["recorded_at"] = "2298-12-31T07:00:00+08:00"
    found = sort(
        Record(spelled(late), timestamp=_LAST_MS),
        topic="population.permits.v1",
        sources={late["source"]: 1},
    )
    assert len(found.accepted) == 1


MASKED_WAYS = {
    "value": (spelled(event("birth", note=CANARY)), "plain_identity"),
    "lower-case x": (spelled(event("birth", note=CANARY.lower())), "plain_identity"),
    "key of the object": (spelled(event("birth", **{CANARY: 1})), "plain_identity"),
    "inside a text": (spelled(event("birth", note=f"身份证{CANARY}。")), "plain_identity"),
    "digits escaped": (
        spelled(event("birth", note="?")).replace(
            b'"?"', b'"%s"' % "".join(f"\\u{ord(c):04x}" for c in CANARY).encode()
        ),
        "plain_identity",
    ),
    "15 digits as a value": (spelled(event("birth", note=SHORT)), "plain_identity"),
    "15 digits as a number": (spelled(event("birth", note=int(SHORT))), "plain_identity"),
    "broken JSON": (b'{"id": "%s"' % CANARY.encode(), "not_json"),
    "no JSON": (b"id " + CANARY.encode(), "not_json"),
    "not UTF-8": (b'{"id": "\xff%s\xfe"}' % CANARY.encode(), "not_json"),
    "UTF-16": (f'{{"id": "{CANARY}"}}'.encode("utf-16"), "not_json"),
    "UTF-16 without mark": (CANARY.encode("utf-16-be"), "not_json"),
    "NULs between two": (f"{CANARY}\0{CANARY}".encode(), "not_json"),
    "beyond the limit": (b" " * 70_000 + CANARY.encode(), "too_large"),
    "deep nesting": (b"[" * 2000 + b'"%s"' % CANARY.encode() + b"]" * 2000, "not_json"),
}


@pytest.mark.parametrize(("raw", "code"), MASKED_WAYS.values(), ids=MASKED_WAYS)
def test_an_identity_number_is_masked_whatever_it_stands_in(raw: bytes, code: str) -> None:
    refused = refusal(Record(raw))
    assert refused.refusal.code == code
    assert refused.purge
    shown = refused.value.replace(b"\0", b"").decode("utf-8", "replace").upper()
    assert CANARY not in shown
    assert SHORT not in shown
    assert "*" * 15 in shown
    assert CANARY not in refused.refusal.reason


def test_a_number_that_is_an_integer_is_masked_too() -> None:
    digits = next(n for n in map(number, _seventeens()) if n.isdigit())
    refused = refusal(Record(spelled(event("birth", note=int(digits)))))
    assert refused.refusal.code == "plain_identity"
    assert digits.encode() not in refused.value


def _seventeens() -> Iterator[str]:
    return (f"32050819910203{serial:03d}" for serial in range(1, 999))


@pytest.mark.parametrize("key", [CANARY, f"id:{CANARY}", SHORT, CANARY.lower()])
def test_an_identity_number_in_the_message_key_refuses_and_is_masked(key: str) -> None:
    refused = refusal(Record(spelled(event("birth")), key=key.encode()))
    assert refused.refusal.code == "plain_identity"
    assert refused.purge
    assert refused.key is not None
    assert key.encode() not in refused.key


@pytest.mark.parametrize(
    "headers", [((CANARY, b"x"),), (("id", CANARY.encode()),), (("a", None), ("b", SHORT.encode()))]
)
def test_an_identity_number_in_a_header_refuses(headers: tuple[tuple[str, bytes | None]]) -> None:
    refused = refusal(Record(spelled(event("birth")), headers=headers))
    assert refused.refusal.code == "plain_identity"
    assert refused.purge


def test_other_headers_do_no_harm() -> None:
    headers = (("trace", b"00-4bf92f3577b34da6a3ce929d0e0e4736-01"), ("nothing", None))
    assert len(sort(Record(spelled(event("birth")), headers=headers)).accepted) == 1


@pytest.mark.parametrize(
    "raw", [b"{", b"", b"\xff\xfe", spelled(event("birth", sex=1)), b" " * 70_000, b"\0\1\2"]
)
def test_what_holds_no_number_stays_as_it_was_sent(raw: bytes) -> None:
    refused = refusal(Record(raw, key=b"\xff key"))
    assert (refused.value, refused.key, refused.purge) == (raw, b"\xff key", False)


def test_the_same_bytes_on_one_topic_are_one_refusal() -> None:
    one, again = sort(Record(b"{", offset=1), Record(b"{", offset=9, timestamp=NOW + 5)).refused
    (elsewhere,) = sort(Record(b"{"), topic="population.deaths.v1").refused
    assert one.digest == again.digest
    assert one.digest != elsewhere.digest
    assert one.digest != refusal(Record(b"{ ")).digest


def test_the_digest_is_keyed_so_that_a_masked_number_cannot_be_searched_for() -> None:
    nothing = cast("Any", None)
    other = Intake(nothing, nothing, nothing, nothing, nothing, partitions=4, secret=b"other")
    raw = CANARY.encode()
    (theirs,) = other.sort(Batch(TOPIC, 0, cast("Any", [Record(raw)])), SOURCES).refused
    assert theirs.digest != refusal(Record(raw)).digest


def test_a_message_that_is_larger_unpacked_than_kafka_takes_keeps_its_beginning() -> None:
    raw, key = b"a" * (MAX_MESSAGE_BYTES + 10), b"b" * MAX_MESSAGE_BYTES
    refused = refusal(Record(raw, key=key))
    message = _message(TOPIC, refused, 4)
    assert message[2] is not None
    size = len(message[2]) + len(message[3]) + sum(len(value) for _, value in message[4])
    assert MAX_MESSAGE_BYTES - 64 * 1024 < size < MAX_MESSAGE_BYTES - 1024
    assert raw.startswith(refused.value)
    assert not refused.purge


def test_many_large_refusals_are_stored_in_parts() -> None:
    large = [refusal(Record(b"a" * 8_000_000)) for _ in range(9)]
    parts = list(_insertable(large))
    assert [len(part) for part in parts] == [4, 4, 1]
    assert [item for part in parts for item in part] == large


def test_the_header_says_code_and_origin() -> None:
    refused = refusal(Record(b"{", key=b"k", offset=12, partition=3))
    target, timestamp, key, value, headers = _message(TOPIC, refused, 2)
    assert (target, timestamp, key, value) == (1, NOW, b"k", b"{")
    about = orjson.loads(dict(headers)["refusal"])
    assert about == {
        "code": "not_json",
        "reason": refused.refusal.reason,
        "topic": TOPIC,
        "partition": 3,
        "offset": 12,
    }


# -- fuzzing

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.5, 2**53, 2**63, 2**64, 10**30, "", "x", [], {}, ["Z37"]),
    *("2016-02-30", "0000-00-00", "9999-12-31", "0001-01-01", "2299-12-30", "1900-01-01"),
    *("2016-01-01T00:00:00+23:59", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
    *("320505", "000000", "110101", CANARY, SHORT, "birth", "void", "\0", "\ud800", "a" * 100),
]
FIELDS = sorted({name for document in SMALLEST.values() for name in document} | {"void", "x"})
LATER = 4_000_000_000_000
STAMPS = [LATER] * 12 + [0, -1, -(2**62), 2**62, _LAST_MS, _LAST_MS + 1, NOW]


def _mutated(raw: bytes, donor: bytes, chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.2:
        return bytes(chance.randrange(256) for _ in range(chance.randint(0, 60)))
    if kind < 0.5:
        changed = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(changed) + 1)
            changed[place : place + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
        return bytes(changed)
    try:
        document, other = orjson.loads(raw), orjson.loads(donor)
    except orjson.JSONDecodeError:
        return raw
    if not isinstance(document, dict) or not isinstance(other, dict) or kind > 0.9:
        return raw
    name = chance.choice([*document] * 3 + FIELDS)
    document[name] = chance.choice([chance.choice(VALUES), other.get(name)])
    if chance.random() < 0.3:
        document["void"] = True
    text = str(document) if kind < 0.55 else _dumped(document)
    return text.encode("utf-8", "surrogatepass")


def _dumped(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_a_publisher_can_send_stops_intake_or_the_ledger(seed: int) -> None:
    """20,000 messages in all; what is accepted must be one that the ledger can read."""
    chance = random.Random(seed)
    valid = [example.text.encode() for example in ALL]
    valid += [spelled(arrival.event) for arrival in nasty.random_city(seed, 50, 1000)]
    sources = {**SOURCES, **nasty.SOURCES}
    topics = {kind: f"population.{kind}s.v1" for kind in SMALLEST}
    outcomes = {"accepted": 0, "refused": 0}
    for offset in range(5000):
        raw = _mutated(chance.choice(valid), chance.choice(valid), chance)
        kind = next((k for k in topics if b'"%s"' % k.encode() in raw), "birth")
        record = Record(
            raw,
            chance.choice([None, None, b"", b"\xff", raw[:40]]),
            chance.choice(STAMPS),
            offset,
        )
        found = sort(record, topic=topics[kind], sources=sources)
        for _, timestamp, person, value, _ in found.accepted:
            assert report(value, local_day(timestamp))
            assert person.decode() == orjson.loads(value)["person"]
        for refused in found.refused:
            assert _message(TOPIC, refused, 4)
            shown = refused.value.replace(b"\0", b"").decode("utf-8", "replace")
            assert CANARY not in shown.upper()
        outcomes["accepted"] += len(found.accepted)
        outcomes["refused"] += len(found.refused)
    assert outcomes["accepted"] + outcomes["refused"] == 5000
    assert min(outcomes.values()) > 200, outcomes


def test_what_is_refused_for_another_reason_is_kept_as_it_was_sent() -> None:
    inside = event("birth", record_id=f"B-{SHORT}-1", source="health.nobody")
    raw = spelled(inside)
    refused = refusal(Record(raw))
    assert (refused.refusal.code, refused.value, refused.purge) == ("unknown_source", raw, False)


def test_an_unknown_field_is_named_by_its_beginning() -> None:
    refused = refusal(Record(spelled(event("birth", **{"x" * 5000: 1}))))
    assert refused.refusal.code == "schema"
    assert len(refused.refusal.reason) < 400
