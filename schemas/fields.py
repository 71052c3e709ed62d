"""Field types of the contract: strict JSON types with the formats of the national standards.

Dates and datetimes are parsed from exactly one spelling (``YYYY-MM-DD``; ``T`` and an offset):
pydantic alone would also take timestamps and blanks. Everything here runs inside pydantic's
compiled core, so a format costs no Python call per event.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

DAY_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
INSTANT_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$"
)
RECORD_ID_PATTERN = r"^[A-Za-z0-9._:/-]{1,64}$"
SOURCE_PATTERN = r"^(health|police)\.\S{1,64}$"
PSEUDONYM_PATTERN = r"^[0-9a-f]{32}$"
DISTRICT_PATTERN = r"^[0-9]{6}$"
ICD_PATTERN = r"^[A-Z][0-9]{2}(\.?[0-9A-Za-z]{1,10})?[+*]?$"
DEFECT_PATTERN = r"^Q[0-9]{2}(\.?[0-9A-Za-z]{1,10})?[+*]?$"
EXAMPLES = {
    DAY_PATTERN: ("日期 YYYY-MM-DD", "a day written YYYY-MM-DD", "2016-02-29"),
    INSTANT_PATTERN: ("带时区的时刻", "a moment with its offset", "2016-02-29T08:30:00+08:00"),
    RECORD_ID_PATTERN: (
        "至多 64 位英文字母、数字和 ._:/-",
        "at most 64 ASCII letters, digits and ._:/-",
        "B-2016/000123",
    ),
    SOURCE_PATTERN: ("部门、点和名称", "the sector, a dot and a name", "health.maternity"),
    PSEUDONYM_PATTERN: (
        " 32 位代号（0-9 a-f）",
        "a pseudonym of 32 digits 0-9 a-f",
        "0123456789abcdef" * 2,
    ),
    DISTRICT_PATTERN: (
        "六位区划代码（GB/T 2260）",
        "a district's six digits (GB/T 2260)",
        "320505",
    ),
    ICD_PATTERN: (" ICD-10 编码", "an ICD-10 code", "I10.x00x002"),
    DEFECT_PATTERN: (
        " ICD-10 第十七章编码",
        "an ICD-10 code of chapter XVII",
        "Q69.0",
    ),
}
"""What is asked for where a pattern stands, Chinese and English, and one that is right."""
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
_CALENDAR = (
    f"({_YEAR}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    f"|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
PUBLIC_DAY_PATTERN = f"^{_CALENDAR}$"
"""The days that exist, for readers of the JSON Schema; the parser does this for us."""
PUBLIC_INSTANT_PATTERN = rf"^{_CALENDAR}T{_CLOCK}(:[0-5][0-9](\.[0-9]{{1,9}})?)?(Z|[+-]{_CLOCK})$"
LARGEST = 2**53 - 1
"""The greatest integer that every JSON reader keeps exactly (RFC 8259, section 6)."""


class _Spelled:
    """A string of one spelling, then parsed by pydantic's own parser."""

    def __init__(self, pattern: str, parse: CoreSchema, published: JsonSchemaValue) -> None:
        self.pattern = pattern
        self.parse = parse
        self.published = published

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        spelled = core_schema.chain_schema(
            [core_schema.str_schema(pattern=self.pattern, strict=True), self.parse]
        )
        native = core_schema.union_schema(
            [core_schema.is_instance_schema(date), spelled], mode="left_to_right"
        )
        return core_schema.json_or_python_schema(json_schema=spelled, python_schema=native)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", **self.published}


Day = Annotated[
    date,
    _Spelled(
        DAY_PATTERN,
        core_schema.date_schema(strict=False),
        {"format": "date", "pattern": PUBLIC_DAY_PATTERN},
    ),
]
"""A local civil date (Asia/Shanghai), never an instant."""

Instant = Annotated[
    datetime,
    _Spelled(
        INSTANT_PATTERN,
        core_schema.datetime_schema(strict=False, tz_constraint="aware"),
        {"pattern": PUBLIC_INSTANT_PATTERN},
    ),
]
"""A moment with its offset from UTC: RFC 3339, but seconds may be left out."""

RecordId = Annotated[str, StringConstraints(pattern=RECORD_ID_PATTERN)]
"""Number of one act, the same whoever reports it."""

Source = Annotated[str, StringConstraints(pattern=SOURCE_PATTERN)]
"""Publisher as ``<sector>.<name>``, listed in the source registry."""

Pseudonym = Annotated[str, StringConstraints(pattern=PSEUDONYM_PATTERN)]
"""First 32 hex digits of a keyed hash over an identity number, made at the publisher's."""

DistrictCode = Annotated[str, StringConstraints(pattern=DISTRICT_PATTERN)]
"""GB/T 2260 code of a county-level district; ``000000`` = unknown or abroad (moves only)."""

IcdCode = Annotated[str, StringConstraints(pattern=ICD_PATTERN)]
"""ICD-10 with or without dot and Chinese extension, for example ``I10.x00x002``."""

DefectCode = Annotated[str, StringConstraints(pattern=DEFECT_PATTERN)]
"""ICD-10 chapter XVII, congenital malformations."""

Sex = Literal["0", "1", "2", "9"]
"""GB/T 2261.1: unknown, male, female, not stated."""

Residency = Literal["hukou", "migrant"]
"""``hukou``: household registration in this city; ``migrant``: lives here without it."""

PatientResidency = Literal["hukou", "migrant", "visitor"]
Action = Literal["register", "issue", "endorse", "cancel"]
"""居住登记, 居住证, 签注, and the end of a registration."""

Outcome = Literal["1", "2", "3", "4", "5", "9"]
"""How the patient left (病案首页, WS 445): 5 = died."""

Scheme = Literal["employee", "resident", "other", "none"]
"""Who pays: employees' insurance, residents' insurance, another, nobody."""

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Ordinal = Annotated[int, Field(ge=1, le=LARGEST)]
Fen = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
"""Money in fen (0.01 yuan); a stay that was refunded may stand below zero."""
