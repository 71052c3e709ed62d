"""Resources that came together, and the numbers by which persons are known in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter

from producers.sources import clinical
from producers.sources.clinical import MISSING, FaultError, Sender
from producers.sources.fhir_models import Identifier, Known, Patient, Reference, Resource
from producers.sources.hl7_header import CLASS_OF
from schemas.refusals import Code

KNOWN: TypeAdapter[Any] = TypeAdapter(Known)
SYSTEMS = {
    "urn:oid:2.16.156.10011.1.3": "citizen",
    "urn:oid:2.16.156.10011.1.13": "case",
}
"""Systems of numbers that need no type (WS/T 500)."""
_Kind = TypeVar("_Kind", bound=Resource)


@dataclass
class Pool:
    """Resources that came together, by what refers to them.

    Attributes:
        written: when the whole was put together (``Bundle.timestamp``).
        arrived: when it came; the moment of writing of what says nothing better.
    """

    arrived: datetime
    written: datetime | None = None
    _named: dict[str, Any] = field(default_factory=dict)
    _all: list[Any] = field(default_factory=list)

    def add(self, resource: Any, full_url: str = "") -> None:
        """One resource with those it contains."""
        self._all.append(resource)
        if full_url:
            self._named[full_url] = resource
        if resource.id:
            self._named.setdefault(f"{resource.resourceType}/{resource.id}", resource)
        for one in resource.contained:
            inner = KNOWN.validate_json(orjson.dumps(one))
            self._all.append(inner)
            self._named[f"{id(resource)}#{inner.id}"] = inner

    def find(self, kind: type[_Kind], owner: Any, reference: Reference) -> _Kind | None:
        """What a reference of a resource leads to."""
        text = reference.reference
        if text == "#":
            return owner if isinstance(owner, kind) else None
        if text.startswith("#"):
            found = self._named.get(f"{id(owner)}{text}")
        else:
            unversioned = text.partition("/_history/")[0]
            by_type = "/".join(unversioned.split("/")[-2:])
            found = self._named.get(unversioned) or self._named.get(by_type)
        return found if isinstance(found, kind) else None

    def each(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """All resources of a type."""
        return (one for one in self._all if isinstance(one, kind))

    def owner_of(self, inner: Any) -> Any:
        """What contains a resource; itself when nothing does."""
        for name, one in self._named.items():
            if one is inner and "#" in name:
                return next((o for o in self._all if name.startswith(f"{id(o)}#")), inner)
        return inner

    def about(self, kind: type[_Kind], patient: Patient, of: str) -> Iterator[_Kind]:
        """Resources of a type whose reference ``of`` leads to a patient."""
        for one in self.each(kind):
            if self.find(Patient, self.owner_of(one), getattr(one, of)) is patient:
                yield one


@dataclass(frozen=True)
class Numbers:
    """Identifiers by what they are."""

    found: dict[str, str]

    @classmethod
    def of(cls, identifiers: list[Identifier], place: str) -> "Numbers":
        """The identifiers by type code, or by system."""
        found: dict[str, str] = {}
        for one in identifiers:
            named = [CLASS_OF[code.upper()] for code in one.type.codes if code.upper() in CLASS_OF]
            name = named[0] if named else SYSTEMS.get(one.system)
            number = one.value.strip()
            if name and number and found.setdefault(name, number) != number:
                raise FaultError(
                    Code.SCHEMA,
                    place,
                    "Two different numbers have one type.",
                    "同一证件类型有两个号码。",
                )
        return cls(found)

    def get(self, name: str) -> str:
        """A number of a kind; empty when there is none."""
        return self.found.get(name, "")

    def pseudonym(self, place: str, sender: Sender, *kinds: str) -> str:
        """Of the first kind that there is a number of."""
        for kind in kinds:
            if self.get(kind):
                return clinical.pseudonym(kind, self.get(kind), place, sender.pseudonyms)
        raise FaultError(
            MISSING,
            place,
            "No identifier from which a pseudonym can be made: type NI (citizen), BCT (birth "
            "certificate) or PPN (passport).",
            "缺少可生成假名的证件号码（NI、BCT 或 PPN）。",
        )
