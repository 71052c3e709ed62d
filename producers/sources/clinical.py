"""What HL7 v2 and FHIR have in common: codes of the 病案首页, numbers, amounts, whole events.

A hospital system speaks in its own words; what of them the contract takes, and how it is spelled
there, stands here once. Nothing here quotes a value in an error: it may be an identity number.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from producers.handover import Ready
from producers.pseudonyms import IdentityError, Pseudonymizer
from schemas.clock import ZONE
from schemas.districts import COUNTED_AS, is_known
from schemas.events import Event
from schemas.identity import MASK, is_long, is_short
from schemas.reading import check, read
from schemas.refusals import Code, Refusal

MISSING = "missing"
"""Reason of a fault: something required is not there; the others are refusal codes."""

SCHEMES = {
    "01": "employee",
    "02": "resident",
    "03": "resident",
    "04": "other",
    "05": "other",
    "06": "other",
    "07": "none",
    "08": "other",
    "99": "other",
}
"""医疗付费方式 (CV07.10.005, as on the 病案首页) to the contract's ``scheme``."""

SEXES = {"M": "1", "F": "2", "U": "0", "O": "9", "A": "9", "N": "9"}
"""HL7 table 0001; the digits of GB/T 2261.1 stay what they are."""

OUTCOMES = {"1", "2", "3", "4", "5", "9"}
"""离院方式 of the 病案首页 (WS 445)."""

_AREA = re.compile(r"[0-9]{6}([0-9]{3}|[0-9]{6})?")
_NUMBER = re.compile(r"[A-Za-z0-9._:-]{1,40}")
_HIDDEN_LONG = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_HIDDEN_SHORT = re.compile(r"(?<![0-9])[0-9]{15}(?![0-9Xx])")
_SPACED = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){13,16}[ -]?[0-9Xx](?![0-9])")
_AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2}0*)?")


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


def tidy(text: str) -> str:
    """Full-width characters narrowed, blanks dropped, letters upper-case."""
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


def holds_identity(text: str) -> bool:
    """Whether an identity number stands in a text, also right beside letters."""
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
    """Number of a document or stay, as part of a record id.

    Where an identity number was used as one, its pseudonym stands in (CONTRACT section 1).
    """
    text = tidy(text)
    if not text:
        raise FaultError(MISSING, place, "The number is missing.", "缺少编号。")
    if holds_identity(text.replace("-", "")):
        try:
            return pseudonyms.citizen(text)
        except IdentityError:
            raise FaultError(
                Code.PLAIN_IDENTITY,
                place,
                "The number holds an identity number among other characters.",
                "编号中夹有身份证号码。",
            ) from None
    if not _NUMBER.fullmatch(text):
        raise FaultError(
            Code.SCHEMA,
            place,
            "The number is not 1 to 40 of A-Z a-z 0-9 . _ : -",
            "编号只能由字母、数字和 . _ : - 组成。",
        )
    return text


def pseudonym(kind: str, number: str, place: str, pseudonyms: Pseudonymizer) -> str:
    """Of a ``citizen`` number, a ``birth_certificate``, a ``passport`` or a ``household``."""
    try:
        made: str = getattr(pseudonyms, kind)(number)
    except IdentityError as error:
        raise FaultError(Code.SCHEMA, place, f"{error}.", "证件号码有误。") from None
    return made


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


def sex(text: str, place: str) -> str:
    """GB/T 2261.1 code of an administrative sex; ``9`` when nothing is stated."""
    code = SEXES.get(text.upper(), text) if text else "9"
    if code not in ("0", "1", "2", "9"):
        raise FaultError(Code.SCHEMA, place, "The sex is no code of the table.", "性别代码有误。")
    return code


def scheme(text: str, place: str) -> str:
    """Who pays, of a code of 医疗付费方式: ``1``, ``01``, or finer as ``1.1``."""
    main = text.partition(".")[0]
    code = "99" if main in ("9", "09") else main.zfill(2)
    if code not in SCHEMES:
        raise FaultError(
            Code.SCHEMA,
            place,
            "The way of payment is no code of CV07.10.005.",
            "医疗付费方式代码有误。",
        )
    return SCHEMES[code]


def outcome(text: str, place: str) -> str:
    """离院方式, the digit of the 病案首页."""
    if text not in OUTCOMES:
        raise FaultError(
            MISSING if not text else Code.SCHEMA,
            place,
            "How the patient left is not one of 1 2 3 4 5 9 (离院方式).",
            "离院方式应为 1 2 3 4 5 9。",
        )
    return text


def fen(text: str, place: str) -> int:
    """Yuan with at most two decimals, in fen."""
    if not text:
        raise FaultError(MISSING, place, "The amount is missing.", "缺少金额。")
    if not _AMOUNT.fullmatch(text):
        raise FaultError(
            Code.SCHEMA, place, "The amount is no number of yuan with two decimals.", "金额有误。"
        )
    try:
        return int(Decimal(text) * 100)
    except InvalidOperation:  # pragma: no cover - the pattern lets numbers through only
        raise FaultError(Code.SCHEMA, place, "The amount is no number.", "金额有误。") from None


def whole(text: str, place: str, *, least: int = 0) -> int:
    """A count that is not negative."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise FaultError(
            Code.SCHEMA, place, f"The count is no whole number from {least} on.", "应为整数。"
        )
    return int(text)


def facility(code: str, place: str, sender: Sender) -> tuple[str, str]:
    """Code and district of a hospital that speaks through this listener."""
    district = sender.facilities.get(code)
    if district is None:
        raise FaultError(
            MISSING if not code else Code.SCHEMA,
            place,
            "The hospital's code is none that this listener was started with (--facility).",
            "医院代码未在监听程序中登记（--facility）。",
        )
    return code, district


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
    english, _, chinese = refusal.reason.rpartition(". ")
    raise FaultError(refusal.code, "event", f"{english}.", chinese)


def local(instant: datetime) -> date:
    """Local day of a moment."""
    return instant.astimezone(ZONE).date()


def today() -> date:
    """The local day that a message sent now is known on."""
    return datetime.now(ZONE).date()
