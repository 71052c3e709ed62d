"""The five kinds of events (CONTRACT section 1). One class is the whole contract of its kind.

Reading an event is :func:`schemas.reading.read`; the JSON Schema and AsyncAPI documents beside
this file are generated from these classes.
"""

from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model, model_validator

from schemas.fields import (
    Action,
    Count,
    Day,
    DefectCode,
    DistrictCode,
    Fen,
    IcdCode,
    Instant,
    Ordinal,
    Outcome,
    PatientResidency,
    Pseudonym,
    RecordId,
    Residency,
    Scheme,
    Sex,
    Source,
)


class Event(BaseModel):
    """What every event carries: which act, whose report of it, which revision, about whom."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    topic: ClassVar[str]
    acted: ClassVar[str]
    """Name of the field that holds the day of the act."""
    districts: ClassVar[tuple[str, ...]]
    """Names of the fields that hold a district code."""
    title: ClassVar[tuple[str, str]]
    """Name for people, Chinese and English."""

    record_id: RecordId
    revision: Ordinal
    void: bool = False
    source: Source
    recorded_at: Instant
    household: Pseudonym | None = None
    person: Pseudonym


class Birth(Event):
    """One child born, alive or not, wherever it was reported (出生)."""

    topic: ClassVar[str] = "population.births.v1"
    acted: ClassVar[str] = "born_on"
    districts: ClassVar[tuple[str, ...]] = ("district",)
    title: ClassVar[tuple[str, str]] = ("出生", "birth")

    kind: Literal["birth"] = "birth"
    born_on: Day
    district: DistrictCode = Field(description="mother's usual residence")
    residency: Residency = Field(description="the mother's")
    sex: Sex
    live: bool = Field(default=True, description="false = stillbirth")
    birth_order: Ordinal = Field(default=1, description="order within the delivery")
    mother: Pseudonym
    mother_born_on: Day | None = None
    parity: Count | None = None
    gestation_weeks: Count | None = None
    weight_g: Count | None = None
    defects: list[DefectCode] = Field(default_factory=list)


class Death(Event):
    """One death (死亡), counted by usual residence wherever it happened."""

    topic: ClassVar[str] = "population.deaths.v1"
    acted: ClassVar[str] = "died_on"
    districts: ClassVar[tuple[str, ...]] = ("district",)
    title: ClassVar[tuple[str, str]] = ("死亡", "death")

    kind: Literal["death"] = "death"
    died_on: Day
    district: DistrictCode = Field(description="usual residence")
    residency: Residency
    sex: Sex
    born_on: Day | None = None
    cause: IcdCode | None = None
    maternal: bool = False


class Move(Event):
    """One change of residence (迁移、流动) into, out of, within or past the city."""

    topic: ClassVar[str] = "population.moves.v1"
    acted: ClassVar[str] = "moved_on"
    districts: ClassVar[tuple[str, ...]] = ("from_district", "to_district")
    title: ClassVar[tuple[str, str]] = ("迁移", "move")

    kind: Literal["move"] = "move"
    moved_on: Day
    from_district: DistrictCode
    to_district: DistrictCode
    residency: Residency = Field(
        description="hukou = the household registration moves; migrant = lives here without it"
    )
    sex: Sex | None = None
    born_on: Day | None = None


class Permit(Event):
    """One act on a residence registration: 居住登记, 居住证, 签注 or its end."""

    topic: ClassVar[str] = "population.permits.v1"
    acted: ClassVar[str] = "effective_on"
    districts: ClassVar[tuple[str, ...]] = ("district",)
    title: ClassVar[tuple[str, str]] = ("居住证", "permit")

    kind: Literal["permit"] = "permit"
    action: Action
    effective_on: Day
    district: DistrictCode
    valid_until: Day | None = Field(default=None, description="last day in force")
    points: Count | None = Field(default=None, description="积分")
    sex: Sex | None = None
    born_on: Day | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> "Permit":
        if self.valid_until is None and self.action != "cancel" and not self.void:
            raise ValueError("valid_until is required unless the action is cancel")
        return self


class Discharge(Event):
    """One patient leaving one hospital stay, alive or not (病案首页)."""

    topic: ClassVar[str] = "population.discharges.v1"
    acted: ClassVar[str] = "discharged_on"
    districts: ClassVar[tuple[str, ...]] = ("facility_district", "district")
    title: ClassVar[tuple[str, str]] = ("出院", "discharge")

    kind: Literal["discharge"] = "discharge"
    admitted_on: Day
    discharged_on: Day
    facility: str
    facility_district: DistrictCode
    district: DistrictCode = Field(description="usual residence")
    residency: PatientResidency
    outcome: Outcome
    diagnoses: list[IcdCode] = Field(min_length=1, description="main diagnosis first")
    scheme: Scheme
    total_fen: Fen
    in_policy_fen: Fen
    fund_fen: Fen
    sex: Sex | None = None
    born_on: Day | None = None


KINDS: dict[str, type[Event]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model
    for model in (Birth, Death, Move, Permit, Discharge)
}
"""Every kind of event by its name."""

TOPIC_KINDS = {model.topic: kind for kind, model in KINDS.items()}

DEFAULTS: dict[str, dict[str, Any]] = {
    kind: {
        name: default
        for name, field in model.model_fields.items()
        if name != "kind"
        and not field.is_required()
        and (default := field.get_default(call_default_factory=True, validated_data={})) is not None
    }
    for kind, model in KINDS.items()
}
"""What a field that is left out means, for the fields where that is not simply unknown."""


def _withdrawal(kind: str, model: type[Event]) -> type[Event]:
    """The same kind where only the fields of every event are asked for (a void)."""
    own: dict[str, Any] = {
        name: (field.rebuild_annotation() | None, None)
        for name, field in model.model_fields.items()
        if name not in Event.model_fields and name != "kind"
    }
    withdrawal: type[Event] = create_model(
        f"Void{model.__name__}",
        __base__=Event,
        __module__=__name__,
        __doc__=f"Withdrawal of one source's report of a {kind}; its own fields may be left out.",
        kind=(Literal[kind], kind),  # type: ignore[arg-type]
        void=(Literal[True], True),
        **own,
    )
    withdrawal.topic, withdrawal.acted = model.topic, model.acted
    withdrawal.districts, withdrawal.title = model.districts, model.title
    return withdrawal


VOIDS: dict[str, type[Event]] = {kind: _withdrawal(kind, model) for kind, model in KINDS.items()}
"""Every kind's withdrawal, when it is sent without the kind's own fields."""

EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[reduce(or_, KINDS.values()), Field(discriminator="kind")]  # type: ignore[arg-type]
)
"""Validates one event of any kind."""

VOID: TypeAdapter[Event] = TypeAdapter(
    Annotated[reduce(or_, VOIDS.values()), Field(discriminator="kind")]  # type: ignore[arg-type]
)
"""Validates a withdrawal that carries no more than the fields of every event."""
