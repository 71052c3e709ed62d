"""The header of a message and the numbers of a person: who is meant, and whether it is for us."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from producers.sources import clinical
from producers.sources.clinical import FaultError
from producers.sources.hl7_message import Message, Segment, UnreadableError
from schemas.refusals import Code

CITIZEN = frozenset({"NI", "NNCHN", "IDCARD", "SFZ", "01"})
"""PID-3.5 of a citizen number: HL7 table 0203, what hospitals write instead, and CV02.01.101."""
BIRTH_CERTIFICATE = frozenset({"BCT", "BC"})
PASSPORT = frozenset({"PPN", "03"})
TRAVEL_PERMIT = frozenset({"06", "07"})
"""Of Hong Kong, Macao and Taiwan residents (CV02.01.101)."""
RESIDENCE_CARD = frozenset({"PRC"})
"""Permanent residence cards of foreigners before 2023; the later ones are citizen numbers."""
HOUSEHOLD = frozenset({"HKB", "02"})
CASE = frozenset({"MR", "PI"})
"""病案号."""
DEATH_CERTIFICATE = frozenset({"DC", "DCT"})

MOTHERS = ("citizen", "passport", "travel_permit", "residence_card")
PERSON = ("citizen", "birth_certificate", *MOTHERS[1:])
"""Numbers by which a mother, or anybody, is known: the first that there is."""

MOST_CONTROL = 199
VERSION = re.compile(r"2\.[1-9](\.[0-9])?")


class Envelope:
    """What every message of a kind we take has in common, checked as MSH asks for.

    Raises:
        UnreadableError: a type, event, version or processing id that is not taken (answer: AR).
        FaultError: MSH-7 is missing or no time.
    """

    def __init__(self, message: Message, events: Collection[str]) -> None:
        head = message.segment("MSH")
        kind, event = head.text(9, 1), head.text(9, 2) or message.segment("EVN").text(1)
        if kind != "ADT":
            raise UnreadableError("200", "MSH-9.1", "Only ADT messages are taken", "只接收 ADT")
        if event not in events:
            raise UnreadableError(
                "201",
                "MSH-9.2",
                f"Only the events {', '.join(events)} are taken",
                "不支持该触发事件",
            )
        if head.text(11)[:1] != "P":
            raise UnreadableError(
                "202", "MSH-11", "Only production messages (P) are taken", "只接收生产消息 P"
            )
        if not VERSION.fullmatch(head.text(12)):
            raise UnreadableError("203", "MSH-12", "Only versions 2.1 to 2.9 are taken", "版本有误")
        control = head.text(10)
        if not control or len(control) > MOST_CONTROL:
            raise UnreadableError(
                "101", "MSH-10", "The message has no control id of 1 to 199", "缺少消息控制号"
            )
        if clinical.holds_identity(control):
            raise FaultError(
                Code.PLAIN_IDENTITY,
                "MSH-10",
                "The control id holds an identity number; number messages otherwise.",
                "消息控制号中含身份证号码。",
            )
        self.event = event
        self.written = head.needed(7)
        self.recorded = message.segment("EVN").moment(2) or self.written


@dataclass(frozen=True)
class Numbers:
    """The identifiers of a PID-3 or NK1-33 by what they are."""

    citizen: str = ""
    birth_certificate: str = ""
    passport: str = ""
    travel_permit: str = ""
    residence_card: str = ""
    household: str = ""
    case: str = ""
    death_certificate: str = ""


_CLASSES = {
    "citizen": CITIZEN,
    "birth_certificate": BIRTH_CERTIFICATE,
    "passport": PASSPORT,
    "travel_permit": TRAVEL_PERMIT,
    "residence_card": RESIDENCE_CARD,
    "household": HOUSEHOLD,
    "case": CASE,
    "death_certificate": DEATH_CERTIFICATE,
}
CLASS_OF = {code: name for name, codes in _CLASSES.items() for code in codes}
"""What a type code says of a number (HL7 table 0203, which FHIR uses too)."""


def read_numbers(message: Message, segment: Segment, field: int) -> Numbers:
    """The numbers of a field of type CX, by the type code in its fifth component.

    Raises:
        FaultError: two different numbers of one type.
    """
    found: dict[str, str] = {}
    for repetition in segment.repetitions(field):
        number = message.piece(repetition, 1)
        name = CLASS_OF.get(message.piece(repetition, 5).upper())
        if number and name and found.setdefault(name, number) != number:
            raise FaultError(
                Code.SCHEMA,
                segment.place(field, 5),
                "Two different numbers have one type.",
                "同一证件类型有两个号码。",
            )
    return Numbers(**found)
