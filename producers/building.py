"""Typed builders of the five kinds: identity numbers and fields in, a validated event out.

What comes out went through the same pydantic models and the same check as in the pipeline's intake
(but for the registry of sources), so a slip shows where it is made.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeVar

import orjson

from producers.delivery import RefusedError
from producers.pseudonyms import Document, Domain, Pseudonymizer, canonical_id, quiet
from schemas.clock import ZONE
from schemas.events import KINDS, Birth, Death, Discharge, Event, Move, Permit
from schemas.reading import check, read
from schemas.refusals import Refusal

Person = str | Document
"""A citizen number, or a number of another domain."""
Sex = Literal["0", "1", "2", "9"]
Residency = Literal["hukou", "migrant"]

_Kind = TypeVar("_Kind", bound=Event)


class Desk:
    """One publisher's desk: who reports, and with which key.

    All methods raise :class:`~producers.pseudonyms.IdentityError` for a number that cannot be one,
    :class:`~producers.pseudonyms.RecordIdError` for a record number that cannot be one, and
    :class:`~producers.delivery.RefusedError` for what the pipeline would refuse; no message holds
    a number.

    Args:
        source: ``health.<name>`` or ``police.<name>``, as it is registered.
        pseudonyms: with the city's key.
    """

    def __init__(self, source: str, pseudonyms: Pseudonymizer) -> None:
        self.source = source
        self.pseudonyms = pseudonyms

    @quiet
    def birth(
        self,
        certificate: str,
        *,
        mother: Person,
        born_on: date,
        district: str,
        residency: Residency,
        sex: Sex,
        live: bool = True,
        birth_order: int = 1,
        mother_born_on: date | None = None,
        parity: int | None = None,
        gestation_weeks: int | None = None,
        weight_g: int | None = None,
        defects: Sequence[str] = (),
        household: str | None = None,
        recorded_at: datetime | None = None,
        revision: int = 1,
    ) -> Birth:
        """One birth; the certificate's number is its record and, as a pseudonym, the child."""
        own = {
            "mother": self._person(mother),
            "born_on": born_on,
            "district": district,
            "residency": residency,
            "sex": sex,
            "live": live,
            "birth_order": birth_order,
            "mother_born_on": mother_born_on,
            "parity": parity,
            "gestation_weeks": gestation_weeks,
            "weight_g": weight_g,
            "defects": list(defects),
        }
        child = Document(Domain.BIRTH_CERTIFICATE, certificate)
        head = self._head((certificate,), child, household, recorded_at, revision)
        return _validated(Birth, head | own)

    @quiet
    def death(
        self,
        certificate: str,
        person: Person,
        *,
        died_on: date,
        district: str,
        residency: Residency,
        sex: Sex,
        born_on: date | None = None,
        cause: str | None = None,
        maternal: bool = False,
        household: str | None = None,
        recorded_at: datetime | None = None,
        revision: int = 1,
    ) -> Death:
        """One death; a child without an identity number is its birth certificate's number."""
        own = {
            "died_on": died_on,
            "district": district,
            "residency": residency,
            "sex": sex,
            "born_on": born_on,
            "cause": cause,
            "maternal": maternal,
        }
        head = self._head((certificate,), person, household, recorded_at, revision)
        return _validated(Death, head | own)

    @quiet
    def move(
        self,
        number: str,
        person: Person,
        *,
        moved_on: date,
        from_district: str,
        to_district: str,
        residency: Residency,
        sex: Sex | None = None,
        born_on: date | None = None,
        household: str | None = None,
        recorded_at: datetime | None = None,
        revision: int = 1,
    ) -> Move:
        """One change of residence; ``000000`` = unknown or abroad."""
        own = {
            "moved_on": moved_on,
            "from_district": from_district,
            "to_district": to_district,
            "residency": residency,
            "sex": sex,
            "born_on": born_on,
        }
        head = self._head((number,), person, household, recorded_at, revision)
        return _validated(Move, head | own)

    @quiet
    def permit(
        self,
        serial: str,
        act: str,
        person: Person,
        *,
        action: Literal["register", "issue", "endorse", "cancel"],
        effective_on: date,
        district: str,
        valid_until: date | None = None,
        points: int | None = None,
        sex: Sex | None = None,
        born_on: date | None = None,
        household: str | None = None,
        recorded_at: datetime | None = None,
        revision: int = 1,
    ) -> Permit:
        """One act on a residence registration: the permit's serial with the act's number."""
        own = {
            "action": action,
            "effective_on": effective_on,
            "district": district,
            "valid_until": valid_until,
            "points": points,
            "sex": sex,
            "born_on": born_on,
        }
        head = self._head((serial, act), person, household, recorded_at, revision)
        return _validated(Permit, head | own)

    @quiet
    def discharge(
        self,
        hospital: str,
        case: str,
        stay: str,
        person: Person,
        *,
        admitted_on: date,
        discharged_on: date,
        facility: str,
        facility_district: str,
        district: str,
        residency: Literal["hukou", "migrant", "visitor"],
        outcome: Literal["1", "2", "3", "4", "5", "9"],
        diagnoses: Sequence[str],
        scheme: Literal["employee", "resident", "other", "none"],
        total_fen: int,
        in_policy_fen: int,
        fund_fen: int,
        sex: Sex | None = None,
        born_on: date | None = None,
        household: str | None = None,
        recorded_at: datetime | None = None,
        revision: int = 1,
    ) -> Discharge:
        """One stay that ended: hospital code, case number and which stay of the case."""
        own = {
            "admitted_on": admitted_on,
            "discharged_on": discharged_on,
            "facility": facility,
            "facility_district": facility_district,
            "district": district,
            "residency": residency,
            "outcome": outcome,
            "diagnoses": list(diagnoses),
            "scheme": scheme,
            "total_fen": total_fen,
            "in_policy_fen": in_policy_fen,
            "fund_fen": fund_fen,
            "sex": sex,
            "born_on": born_on,
        }
        head = self._head((hospital, case, stay), person, household, recorded_at, revision)
        return _validated(Discharge, head | own)

    def withdraw(self, event: Event, *, recorded_at: datetime | None = None) -> Event:
        """The void of a report of ours, a revision higher."""
        kind: str = event.kind  # type: ignore[attr-defined]
        return _validated(
            Event,
            {
                "kind": kind,
                "record_id": event.record_id,
                "revision": event.revision + 1,
                "void": True,
                "source": self.source,
                "recorded_at": _moment(recorded_at),
                "person": event.person,
            },
        )

    def _head(
        self,
        numbers: tuple[str, ...],
        person: Person,
        household: str | None,
        recorded_at: datetime | None,
        revision: int,
    ) -> dict[str, Any]:
        return {
            "record_id": canonical_id(*numbers, pseudonyms=self.pseudonyms),
            "revision": revision,
            "source": self.source,
            "recorded_at": _moment(recorded_at),
            "household": None if household is None else self.pseudonyms.household(household),
            "person": self._person(person),
        }

    def _person(self, person: Person) -> str:
        document = person if isinstance(person, Document) else Document(Domain.CITIZEN, person)
        return self.pseudonyms.of(document)


def _moment(recorded_at: datetime | None) -> datetime:
    """Now, or the given moment; one without an offset is Asia/Shanghai's."""
    if recorded_at is None:
        return datetime.now(ZONE).replace(microsecond=0)
    return recorded_at if recorded_at.tzinfo is not None else recorded_at.replace(tzinfo=ZONE)


_NAMES = {model: kind for kind, model in KINDS.items()}


def _validated(model: type[_Kind], fields: dict[str, Any]) -> _Kind:
    """Through the JSON that will be sent, so that it is judged as it will be judged there."""
    document = {"kind": _NAMES.get(model), **fields}
    value = orjson.dumps({name: field for name, field in document.items() if field is not None})
    found = read(value)
    if isinstance(found, Refusal):
        raise RefusedError(found)
    today = datetime.now(ZONE).date()
    refusal = check(found, found.topic, today, {found.source: 1})
    if refusal is not None:
        raise RefusedError(refusal)
    if not isinstance(found, model):
        raise TypeError(f"a {type(found).__name__} is no {model.__name__}")
    return found
