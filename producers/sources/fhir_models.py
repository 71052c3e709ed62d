"""The part of FHIR R4 (4.0.1) that is read: what an Encounter or Patient needs to be an event.

Elements that are not named here are ignored, as FHIR allows, but for ``modifierExtension``: that
may turn the meaning round, so whoever sends one is refused.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

FHIR_VERSION = "4.0.1"


class Element(BaseModel):
    """What any part of a resource is."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    modifierExtension: list[Any] | None = None  # noqa: N815 - FHIR's own spelling

    @field_validator("modifierExtension")
    @classmethod
    def _has_none(cls, value: list[Any] | None) -> list[Any] | None:
        if value:
            raise ValueError("modifierExtension is not understood")
        return value


class Coding(Element):
    """One code of one system."""

    system: str = ""
    code: str = ""


class CodeableConcept(Element):
    """A concept, by one or more codes."""

    coding: list[Coding] = []

    @property
    def codes(self) -> list[str]:
        """The codes, whatever their systems."""
        return [one.code for one in self.coding if one.code]


class Identifier(Element):
    """A business number."""

    system: str = ""
    value: str = ""
    type: CodeableConcept = CodeableConcept()


class Reference(Element):
    """Points to another resource."""

    reference: str = ""
    identifier: Identifier | None = None


class Money(Element):
    """An amount."""

    value: Decimal | None = None
    currency: str = "CNY"


class Quantity(Element):
    """A measured amount."""

    value: Decimal | None = None
    unit: str = ""
    code: str = ""


class Extension(Element):
    """Something that FHIR has no element for."""

    url: str
    valueCode: str | None = None  # noqa: N815
    valueString: str | None = None  # noqa: N815
    valueInteger: int | None = None  # noqa: N815
    valuePositiveInt: int | None = None  # noqa: N815
    valueBoolean: bool | None = None  # noqa: N815
    valueMoney: Money | None = None  # noqa: N815


class Address(Element):
    """Where somebody lives; ``district`` holds the code of GB/T 2260."""

    use: str = ""
    district: str = ""


class Period(Element):
    """From and to, as FHIR's dateTime."""

    start: str = ""
    end: str = ""


class Meta(Element):
    """Of a resource's version."""

    lastUpdated: AwareDatetime | None = None  # noqa: N815


class Resource(Element):
    """What any resource has."""

    id: str = ""
    meta: Meta = Meta()
    contained: list[Any] = []
    extension: list[Extension] = []
    identifier: list[Identifier] = []

    @property
    def written(self) -> datetime | None:
        """When this version was written, if it says so."""
        return self.meta.lastUpdated


class Patient(Resource):
    """A person."""

    resourceType: Literal["Patient"]  # noqa: N815
    gender: str = ""
    birthDate: str = ""  # noqa: N815
    deceasedBoolean: bool | None = None  # noqa: N815
    deceasedDateTime: str = ""  # noqa: N815
    address: list[Address] = []
    multipleBirthInteger: int | None = None  # noqa: N815


class EncounterDiagnosis(Element):
    """One diagnosis of a stay."""

    condition: Reference
    use: CodeableConcept = CodeableConcept()
    rank: int | None = None


class Hospitalization(Element):
    """How a stay ended."""

    dischargeDisposition: CodeableConcept = CodeableConcept()  # noqa: N815


class Encounter(Resource):
    """A stay."""

    resourceType: Literal["Encounter"]  # noqa: N815
    status: str
    class_: Coding = Field(default=Coding(), alias="class")
    subject: Reference = Reference()
    period: Period = Period()
    diagnosis: list[EncounterDiagnosis] = []
    hospitalization: Hospitalization = Hospitalization()
    serviceProvider: Reference = Reference()  # noqa: N815


class Condition(Resource):
    """A diagnosis."""

    resourceType: Literal["Condition"]  # noqa: N815
    code: CodeableConcept = CodeableConcept()
    subject: Reference = Reference()


class Observation(Resource):
    """A measurement."""

    resourceType: Literal["Observation"]  # noqa: N815
    status: str
    code: CodeableConcept
    subject: Reference = Reference()
    valueQuantity: Quantity | None = None  # noqa: N815
    valueInteger: int | None = None  # noqa: N815
    valueCodeableConcept: CodeableConcept | None = None  # noqa: N815


class RelatedPerson(Resource):
    """A mother."""

    resourceType: Literal["RelatedPerson"]  # noqa: N815
    patient: Reference
    relationship: list[CodeableConcept] = []
    birthDate: str = ""  # noqa: N815


class Coverage(Resource):
    """Who pays."""

    resourceType: Literal["Coverage"]  # noqa: N815
    type: CodeableConcept = CodeableConcept()
    beneficiary: Reference = Reference()


class Organization(Resource):
    """A hospital."""

    resourceType: Literal["Organization"]  # noqa: N815


Known = Annotated[
    Patient | Encounter | Condition | Observation | RelatedPerson | Coverage | Organization,
    Field(discriminator="resourceType"),
]
TYPES = (
    *("Patient", "Encounter", "Condition", "Observation", "RelatedPerson", "Coverage"),
    "Organization",
)
REPORTING = ("Encounter", "Patient", "Observation")
"""Types that are taken by themselves; the others come along in a Bundle or contained."""


class Request(Element):
    """What a Bundle's entry asks for."""

    method: str
    url: str
    ifNoneExist: str = ""  # noqa: N815


class Entry(Element):
    """One entry of a Bundle."""

    fullUrl: str = ""  # noqa: N815
    resource: Known
    request: Request


class Bundle(Element):
    """Several resources at once; entries are read one by one."""

    resourceType: Literal["Bundle"]  # noqa: N815
    type: str
    timestamp: AwareDatetime | None = None
    entry: list[Any] = []
