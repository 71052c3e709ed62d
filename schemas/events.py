"""The five kinds of events (CONTRACT section 1). One class is the whole contract of its kind.

Reading an event is :func:`schemas.reading.read`; the JSON Schema and AsyncAPI documents beside
this file are generated from these classes.
"""

from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model, model_validator
from pydantic_core import PydanticCustomError

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
    leading_sector: ClassVar[str]
    """Sector whose standing report gives a fact its content (CONTRACT section 2)."""
    title: ClassVar[tuple[str, str]]
    """Name for people, Chinese and English."""

    record_id: RecordId = Field(title="业务编号 / record number")
    revision: Ordinal = Field(title="版本号 / revision")
    void: bool = Field(default=False, title="撤销 / withdrawn")
    source: Source = Field(title="来源 / source")
    recorded_at: Instant = Field(title="填报时间 / recorded at")
    household: Pseudonym | None = Field(default=None, title="家庭户代号 / household")
    person: Pseudonym = Field(title="人员代号 / person")


class Birth(Event):
    """One child born, alive or not, wherever it was reported (出生)."""

    topic: ClassVar[str] = "population.births.v1"
    acted: ClassVar[str] = "born_on"
    districts: ClassVar[tuple[str, ...]] = ("district",)
    leading_sector: ClassVar[str] = "health"
    title: ClassVar[tuple[str, str]] = ("出生", "birth")

    kind: Literal["birth"] = "birth"
    born_on: Day = Field(title="出生日期 / day of birth")
    district: DistrictCode = Field(title="区划 / district", description="mother's usual residence")
    residency: Residency = Field(title="户籍类别 / residency", description="the mother's")
    sex: Sex = Field(title="性别 / sex")
    live: bool = Field(default=True, title="活产 / live birth", description="false = stillbirth")
    birth_order: Ordinal = Field(
        default=1, title="本次分娩第几胎 / birth order", description="order within the delivery"
    )
    mother: Pseudonym = Field(title="母亲代号 / mother")
    mother_born_on: Day | None = Field(default=None, title="母亲出生日期 / mother's day of birth")
    parity: Count | None = Field(default=None, title="孩次 / parity")
    gestation_weeks: Count | None = Field(default=None, title="孕周 / weeks of gestation")
    weight_g: Count | None = Field(default=None, title="出生体重（克） / birth weight in grams")
    defects: list[DefectCode] = Field(default_factory=list, title="出生缺陷 / birth defects")


class Death(Event):
    """One death (死亡), counted by usual residence wherever it happened."""

    topic: ClassVar[str] = "population.deaths.v1"
    acted: ClassVar[str] = "died_on"
    districts: ClassVar[tuple[str, ...]] = ("district",)
    leading_sector: ClassVar[str] = "health"
    title: ClassVar[tuple[str, str]] = ("死亡", "death")

    kind: Literal["death"] = "death"
    died_on: Day = Field(title="死亡日期 / day of death")
    district: DistrictCode = Field(title="区划 / district", description="usual residence")
    residency: Residency = Field(title="户籍类别 / residency")
    sex: Sex = Field(title="性别 / sex")
    born_on: Day | None = Field(default=None, title="出生日期 / day of birth")
    cause: IcdCode | None = Field(default=None, title="根本死因 / underlying cause")
    maternal: bool = Field(default=False, title="孕产妇死亡 / maternal death")


class Move(Event):
    """One change of residence (迁移、流动) into, out of, within or past the city."""

    topic: ClassVar[str] = "population.moves.v1"
    acted: ClassVar[str] = "moved_on"
    districts: ClassVar[tuple[str, ...]] = ("from_district", "to_district")
    leading_sector: ClassVar[str] = "police"
    title: ClassVar[tuple[str, str]] = ("迁移", "move")

    kind: Literal["move"] = "move"
    moved_on: Day = Field(title="迁移日期 / day of the move")
    from_district: DistrictCode = Field(title="迁出地 / from district")
    to_district: DistrictCode = Field(title="迁入地 / to district")
    residency: Residency = Field(
        title="户籍类别 / residency",
        description="hukou = the household registration moves; migrant = lives here without it",
    )
    sex: Sex | None = Field(default=None, title="性别 / sex")
    born_on: Day | None = Field(default=None, title="出生日期 / day of birth")


class Permit(Event):
    """One act on a residence registration: 居住登记, 居住证, 签注 or its end."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["valid_until"], "properties": {"valid_until": {"type": "string"}}},
                {"properties": {"action": {"const": "cancel"}}},
                {"required": ["void"], "properties": {"void": {"const": True}}},
            ]
        }
    )

    topic: ClassVar[str] = "population.permits.v1"
    acted: ClassVar[str] = "effective_on"
    districts: ClassVar[tuple[str, ...]] = ("district",)
    leading_sector: ClassVar[str] = "police"
    title: ClassVar[tuple[str, str]] = ("居住证", "permit")

    kind: Literal["permit"] = "permit"
    action: Action = Field(title="办理事项 / act")
    effective_on: Day = Field(title="办理日期 / day of the act")
    district: DistrictCode = Field(title="区划 / district")
    valid_until: Day | None = Field(
        default=None,
        title="有效期至 / valid until",
        description="last day in force; required unless cancelled",
    )
    points: Count | None = Field(default=None, title="积分 / points")
    sex: Sex | None = Field(default=None, title="性别 / sex")
    born_on: Day | None = Field(default=None, title="出生日期 / day of birth")

    @model_validator(mode="after")
    def _has_an_end(self) -> "Permit":
        if self.valid_until is None and self.action != "cancel" and not self.void:
            raise PydanticCustomError(
                "no_end", "valid_until is required unless the action is cancel"
            )
        return self


class Discharge(Event):
    """One patient leaving one hospital stay, alive or not (病案首页)."""

    topic: ClassVar[str] = "population.discharges.v1"
    acted: ClassVar[str] = "discharged_on"
    districts: ClassVar[tuple[str, ...]] = ("facility_district", "district")
    leading_sector: ClassVar[str] = "health"
    title: ClassVar[tuple[str, str]] = ("出院", "discharge")

    kind: Literal["discharge"] = "discharge"
    admitted_on: Day = Field(title="入院日期 / day of admission")
    discharged_on: Day = Field(title="出院日期 / day of discharge")
    facility: str = Field(title="医疗机构 / facility")
    facility_district: DistrictCode = Field(title="医疗机构所在区划 / district of the facility")
    district: DistrictCode = Field(title="区划 / district", description="usual residence")
    residency: PatientResidency = Field(title="户籍类别 / residency")
    outcome: Outcome = Field(title="离院方式 / outcome")
    diagnoses: list[IcdCode] = Field(
        title="诊断 / diagnoses", min_length=1, description="main diagnosis first"
    )
    scheme: Scheme = Field(title="医保类型 / insurance scheme")
    total_fen: Fen = Field(title="总费用（分） / total in fen")
    in_policy_fen: Fen = Field(title="政策范围内费用（分） / covered cost in fen")
    fund_fen: Fen = Field(title="基金支付（分） / paid by the fund in fen")
    sex: Sex | None = Field(default=None, title="性别 / sex")
    born_on: Day | None = Field(default=None, title="出生日期 / day of birth")


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
        name: (
            field.rebuild_annotation() | None,
            Field(default=None, title=field.title, description=field.description),
        )
        for name, field in model.model_fields.items()
        if name not in Event.model_fields and name != "kind"
    }
    withdrawal: type[Event] = create_model(
        f"Void{model.__name__}",
        __base__=Event,
        __module__=__name__,
        __doc__=f"Withdrawal of one source's report of a {kind}; its own fields may be left out.",
        kind=(Literal[kind], kind),  # type: ignore[arg-type]
        void=(Literal[True], Field(default=True, title=Event.model_fields["void"].title)),
        **own,
    )
    withdrawal.topic, withdrawal.acted = model.topic, model.acted
    withdrawal.districts, withdrawal.title = model.districts, model.title
    withdrawal.leading_sector = model.leading_sector
    return withdrawal


VOIDS: dict[str, type[Event]] = {kind: _withdrawal(kind, model) for kind, model in KINDS.items()}
"""Every kind's withdrawal, when it is sent without the kind's own fields."""

EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[reduce(or_, KINDS.values()), Field(discriminator="kind")],  # type: ignore[arg-type]
    config=ConfigDict(cache_strings="keys"),  # values seldom come again: a fifth of the time
)
"""Validates one event of any kind."""

VOID: TypeAdapter[Event] = TypeAdapter(
    Annotated[reduce(or_, VOIDS.values()), Field(discriminator="kind")]  # type: ignore[arg-type]
)
"""Validates a withdrawal that carries no more than the fields of every event."""
