"""HL7 v2 messages: the cases, a second reader, answers that tell nothing of a patient."""

from __future__ import annotations

import json
from typing import Any

import hl7
import pytest
from hl7apy.parser import parse_message

from producers.sources import hl7_ack
from producers.sources.clinical import FaultError, Mapped
from producers.sources.hl7 import interpret
from producers.sources.hl7_message import Message, UnreadableError, decode
from schemas.events import Event
from schemas.identity import found_in
from schemas.reading import check, read
from tests.sources import adt
from tests.sources.edge import ON, SENDER, cases

CASES = cases("hl7")
SECRETS = (adt.PATIENT, adt.MOTHER, "320502500615001", "E12345678", "B3205080001")


def written(case: dict[str, Any]) -> bytes:
    end = "\n" if case.get("ends") == "lf" else "\r"
    text = "".join(f"{line}{end}" for line in case["message"])
    return text.encode(case.get("encoding", "utf-8"))


def answered(raw: bytes) -> tuple[str, Mapped | None, hl7_ack.Complaint | None, bytes]:
    """Code, events, complaint and acknowledgement of one message."""
    message: Message | None = None
    mapped: Mapped | None = None
    try:
        message = decode(raw)
        mapped = interpret(message, SENDER, ON)
        code, complaints = "AA", [hl7_ack.note(note) for note in mapped.notes]
    except UnreadableError as error:
        code, complaints = "AR", [hl7_ack.complaint_of(error)]
    except FaultError as error:
        code, complaints = "AE", [hl7_ack.complaint_of(error)]
    said = hl7_ack.acknowledge(message, code, complaints)
    return code, mapped, complaints[0] if complaints else None, said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    code, mapped, complaint, _ = answered(written(case))
    assert code == case["answer"]
    if code == "AA":
        assert mapped is not None
        assert [json.loads(event.value) for event in mapped.events] == case["events"]
        assert len(mapped.notes) == case.get("notes", 0)
        return
    assert complaint is not None
    assert (complaint.condition, complaint.place) == (case["condition"], case["place"])
    assert complaint.code == case.get("code", "")


def test_cases_are_many() -> None:
    assert len(CASES) > 45
    assert {case["answer"] for case in CASES} == {"AA", "AE", "AR"}


def _component(field: Any, component: int) -> str:
    """Of python-hl7's field: the first subcomponent of a component of the first repetition."""
    first = field[0] if len(field) else ""
    if isinstance(first, str):
        return first if component == 1 else ""
    part = first[component - 1] if len(first) >= component else ""
    return str(part[0] if isinstance(part, list) else part)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["answer"] == "AA"], ids=lambda case: case["name"]
)
def test_python_hl7_reads_the_same(case: dict[str, Any]) -> None:
    """Every component of the first repetition of every field."""
    raw = written(case)
    ours = decode(raw)
    theirs = hl7.parse(raw.decode(ours.charset).replace("\n", "\r"))
    compared = 0
    for name in {str(segment[0]) for segment in theirs}:
        for mine, other in zip(ours.segments(name), theirs.segments(name), strict=True):
            for field in range(1, len(other)):
                if name == "MSH" and field < 3:
                    continue
                for component in range(1, 10):
                    expected = _component(other[field], component)
                    found = mine.text(field, component)
                    assert found == expected, (name, field, component)
                    compared += 1
    assert compared > 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_answers_are_hl7_and_tell_nothing(case: dict[str, Any]) -> None:
    code, _, complaint, said = answered(written(case))
    codec = case.get("encoding", "utf-8")
    text = said.decode(codec, "replace")
    theirs = hl7.parse(text)
    assert str(theirs["MSA"][0][1]) == code
    apy = parse_message(text, find_groups=False)
    assert apy.msa.msa_1.value == code
    assert apy.msh.msh_9.value.startswith("ACK")
    if complaint is not None:
        assert apy.err.err_3.err_3_1.value == complaint.condition
        assert apy.err.err_4.value == complaint.severity
    assert not any(secret in text for secret in SECRETS)
    assert not found_in(json.dumps(text).encode())


def test_answer_goes_back_to_the_sender() -> None:
    *_, said = answered(adt.discharge("ID-7").encode())
    ack = hl7.parse(said.decode())
    assert [str(ack["MSH"][0][field]) for field in (3, 4, 5, 6)] == ["POPFLOW", "CITY", "HIS", "H7"]
    assert str(ack["MSA"][0][2]) == "ID-7"
    assert str(ack["MSH"][0][18]) == "UNICODE UTF-8"


def test_older_peers_find_place_and_condition_in_err_1() -> None:
    wrong = adt.discharge(header={"version": "2.3.1"}, pv1={36: ""})
    *_, said = answered(wrong.encode())
    assert "ERR|PV1^1^36^101&Required field missing&HL70357|" in said.decode()


def test_ascii_peers_get_ascii() -> None:
    wrong = adt.discharge(header={"charset": "ASCII"}, pv1={36: ""})
    *_, said = answered(wrong.replace("张", "Z").replace("三", "S").encode("ascii", "replace"))
    assert said.isascii()
    assert b"how the patient left" in said


def _places(lines: list[str]) -> list[tuple[int, int]]:
    return [(row, field) for row, line in enumerate(lines) for field in range(len(line.split("|")))]


def test_no_identity_number_in_any_field_gets_out() -> None:
    """A number as it is, in words, glued to letters, 15 digits: in every field in turn."""
    accepted = tried = 0
    for text in (adt.discharge(), adt.newborn()):
        lines = text.rstrip("\r").split("\r")
        for row, field in _places(lines):
            for canary in (adt.PATIENT, f"no {adt.PATIENT}", f"ID{adt.PATIENT}", "320502500615001"):
                fields = lines[row].split("|")
                fields[field] = canary
                raw = "\r".join([*lines[:row], "|".join(fields), *lines[row + 1 :]]).encode()
                tried += 1
                _, mapped, complaint, said = answered(raw)
                assert canary[-15:].encode() not in said, (row, field)
                assert mapped is not None or (complaint and complaint.english)
                for event in mapped.events if mapped else ():
                    accepted += 1
                    assert canary[-15:].encode() not in event.value, (row, field)
                    assert canary[-15:].encode() not in event.key
                    assert isinstance(read(event.value), Event)
    assert accepted > 200
    assert tried > 600


def test_what_is_accepted_stands_a_second_reading() -> None:
    for case in CASES:
        _, mapped, _, _ = answered(written(case))
        for ready in mapped.events if mapped else ():
            event = read(ready.value)
            assert isinstance(event, Event)
            assert check(event, ready.topic, ON, {"health.h7": 1}) is None
            assert ready.key == event.person.encode()
