"""What HL7 v2 and FHIR have in common: codes of the 病案首页, numbers, amounts, whole events.

A hospital system speaks in its own words; what of them the contract takes, and how it is spelled
there, stands here once. Nothing here quotes a value in an error: it may be an identity number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from producers import cells
from producers.codes import spelling, tables
from producers.handover import Ready
from producers.problems import CellError
from producers.pseudonyms import (
    Document,
    Domain,
    IdentityError,
    Pseudonymizer,
    RecordIdError,
    canonical_id,
)
from schemas.clock import ZONE
from schemas.districts import COUNTED_AS, is_known
from schemas.events import Event
from schemas.identity import MASK, is_long, is_short
from schemas.reading import check, read
from schemas.refusals import Code, Refusal

MISSING = "missing"
"""Reason of a fault: something required is not there; the others are refusal codes."""

SEXES = {"U": "0", "O": "9", "A": "9", "N": "9"}
"""What HL7 table 0001 has beside M and F."""

DOMAINS = {
    "citizen": Domain.CITIZEN,
    "birth_certificate": Domain.BIRTH_CERTIFICATE,
    "passport": Domain.PASSPORT,
    "travel_permit": Domain.TRAVEL_PERMIT,
    "residence_card": Domain.RESIDENCE_CARD,
    "household": Domain.HOUSEHOLD,
}
"""Kinds of numbers by which a pseudonym can be made."""

_AREA = re.compile(r"[0-9]{6}([0-9]{3}|[0-9]{6})?")
_NUMBER = re.compile(r"[A-Za-z0-9._:-]{1,40}")
_HIDDEN_LONG = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_HIDDEN_SHORT = re.compile(r"(?<![0-9])[0-9]{15}(?![0-9Xx])")
_WEIGHT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_SHORTEST = 15
_SPACED = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){13,16}[ -]?[0-9Xx](?![0-9])")


class FaultError(Exception):
    """A message that gives no event: what is wrong, where, and how to mend it; never a value.

    Attributes:
        reason: :data:`MISSING`, or the refusal code that intake would give.
        place: where in the message: ``PID-3``, ``Patient.identifier``.
        sentence: for people.
    """

    def __init__(self, reason: str, place: str, sentence: str, zh: str = "") -> None:
        super().__init__(f"{place}: {sentence}")
        self.reason = reason
        self.place = place
        self.sentence = sentence
        self.zh = zh


@dataclass(frozen=True)
class Sender:
    """Who speaks through a listener.

    Attributes:
        source: its name in the registry, such as ``health.my-hospital``.
        pseudonyms: under the city's key.
        facilities: codes of the hospital (or hospitals) and the district of each.
    """

    source: str
    pseudonyms: Pseudonymizer
    facilities: Mapping[str, str]


@dataclass(frozen=True)
class Mapped:
    """What a message comes to: its events, and what it left unsaid."""

    events: list[Ready] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """For people: what was not reported, and what would be needed."""


def holds_identity(text: str) -> bool:
    """Whether an identity number stands in a text, also right beside letters."""
    if len(text) < _SHORTEST:
        return False
    return any(is_long(found) for found in _HIDDEN_LONG.findall(text)) or any(
        is_short(found) for found in _HIDDEN_SHORT.findall(text)
    )


def masked(text: str) -> str:
    """A text for people without any identity number, also one in groups or beside letters.

    Names of unknown fields come from outside, and are quoted to say which.
    """
    return _SPACED.sub(lambda found: _stars(found[0]), text)


def _stars(text: str) -> str:
    digits = text.replace(" ", "").replace("-", "")
    return MASK if holds_identity(digits) else text


def act_number(text: str, place: str, pseudonyms: Pseudonymizer) -> str:
    """Number of a document or stay as everybody writes it, as part of a record id.

    Where an identity number was used as one, its pseudonym stands in (CONTRACT section 1).
    """
    try:
        number = canonical_id(text, pseudonyms=pseudonyms)
    except RecordIdError:
        raise FaultError(MISSING, place, "The number is missing.", "缺少编号。") from None
    if holds_identity(number.replace("-", "")):
        raise FaultError(
            Code.PLAIN_IDENTITY,
            place,
            "The number holds an identity number among other characters.",
            "编号中夹有身份证号码。",
        )
    if not _NUMBER.fullmatch(number):
        raise FaultError(
            Code.SCHEMA,
            place,
            "The number is not 1 to 40 of A-Z a-z 0-9 . _ : -",
            "编号只能由字母、数字和 . _ : - 组成。",
        )
    return number


def pseudonym(kind: str, number: str, place: str, pseudonyms: Pseudonymizer) -> str:
    """Of a number of one of the kinds of :data:`DOMAINS`."""
    try:
        return pseudonyms.of(Document(DOMAINS[kind], number))
    except IdentityError as error:
        raise FaultError(Code.SCHEMA, place, f"{error}.", "证件号码有误。") from None


def area(text: str, place: str) -> str:
    """District (GB/T 2260) of an address code of 6, 9 or 12 digits."""
    if not text:
        raise FaultError(MISSING, place, "The district code is missing.", "缺少区划代码。")
    if not _AREA.fullmatch(text):
        raise FaultError(
            Code.SCHEMA, place, "The district code is not 6, 9 or 12 digits.", "区划代码格式有误。"
        )
    code = text[:6]
    if not is_known(code):
        raise FaultError(
            Code.UNKNOWN_DISTRICT, place, "The district code is unknown.", "区划代码未知。"
        )
    return code


def residency(lives_in: str, registered_in: str, *, patient: bool = False) -> str:
    """``hukou`` when the household register (户口地址) is in the city, else ``migrant``.

    Of a patient who neither lives nor is registered here: ``visitor``.
    """
    if registered_in in COUNTED_AS:
        return "hukou"
    return "visitor" if patient and lives_in not in COUNTED_AS else "migrant"


def coded(table: str, text: str, place: str) -> str:
    """What a code of a table of ``producers/codes.toml`` means.

    Raises:
        FaultError: the table does not have it; nothing is guessed.
    """
    named = tables()[table]
    meaning = named.codes.get(spelling(text))
    if meaning is None:
        chinese, _, english = named.title.partition(" / ")
        raise FaultError(
            Code.SCHEMA if text else MISSING,
            place,
            f"No code of {english}.",
            f"{chinese}代码有误（{named.source}）。",
        )
    return str(meaning)


def sex(text: str, place: str) -> str:
    """GB/T 2261.1 code of an administrative sex; ``9`` when nothing is stated."""
    return SEXES.get(text.upper()) or coded("sex", text or "9", place)


def fen(text: str, place: str) -> int:
    """Yuan with at most two decimals, in fen."""
    if not text:
        raise FaultError(MISSING, place, "The amount is missing.", "缺少金额。")
    try:
        return cells.fen(text)
    except CellError:
        raise FaultError(
            Code.SCHEMA, place, "The amount is no number of yuan with two decimals.", "金额有误。"
        ) from None


def weeks(text: str, place: str) -> int:
    """Completed weeks of gestation, of ``39`` or ``39+2``."""
    try:
        return cells.weeks(text)
    except CellError:
        raise FaultError(
            Code.SCHEMA, place, "No weeks of gestation, as 39 or 39+2.", "孕周有误。"
        ) from None


def grams(value: str, unit: str, place: str) -> int:
    """A weight in grams, of grams or kilograms; parts of a gram are dropped."""
    factor = {"g": 1, "kg": 1000}.get(unit.lower())
    if factor is None or not _WEIGHT.fullmatch(value):
        raise FaultError(Code.SCHEMA, place, "No weight in g or kg.", "体重或其单位有误。")
    return int(Decimal(value) * factor)


def whole(text: str, place: str, *, least: int = 0) -> int:
    """A count that is not negative."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise FaultError(
            Code.SCHEMA, place, f"The count is no whole number from {least} on.", "应为整数。"
        )
    return int(text)


def facility(code: str, place: str, sender: Sender) -> tuple[str, str]:
    """Code, as record ids have it, and district of a hospital that speaks here."""
    district = sender.facilities.get(code)
    if district is None:
        raise FaultError(
            MISSING if not code else Code.SCHEMA,
            place,
            "The hospital's code is none that this listener was started with (--facility).",
            "医院代码未在监听程序中登记（--facility）。",
        )
    return canonical_id(code), district


def revision_of(written: datetime) -> int:
    """A revision that a later writing raises: milliseconds since 1970.

    Systems that speak HL7 or FHIR count no revisions; the moment of writing is all they have.
    """
    return max(int(written.timestamp() * 1000), 1)


def moment(written: datetime) -> str:
    """A moment as the contract spells it, in local time."""
    return written.astimezone(ZONE).isoformat(timespec="seconds")


def ready(document: dict[str, Any], today: date) -> Ready:
    """The event of a document, checked as intake will check it.

    Raises:
        FaultError: with the refusal that intake would give.
    """
    value = orjson.dumps({name: item for name, item in document.items() if item is not None})
    return checked(value, today)


def checked(value: bytes, today: date) -> Ready:
    """One event, read and checked as intake does: nothing passes that intake refuses."""
    event = read(value)
    refusal: Refusal | None
    if isinstance(event, Event):
        refusal = check(event, event.topic, today, {event.source: 1})
        if refusal is None:
            return Ready(event.topic, event.person.encode(), value)
    else:
        refusal = event
    raise FaultError(refusal.code, "event", refusal.english, refusal.chinese)


def local(instant: datetime) -> date:
    """Local day of a moment."""
    return instant.astimezone(ZONE).date()


def today() -> date:
    """The local day that a message sent now is known on."""
    return datetime.now(ZONE).date()
