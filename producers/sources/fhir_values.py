"""Values of FHIR elements as the contract spells them."""

import re
from datetime import date, datetime
from decimal import Decimal

from producers.sources import clinical
from producers.sources.clinical import MISSING, FaultError
from producers.sources.fhir_models import (
    Encounter,
    Extension,
    Observation,
    Patient,
    Quantity,
    Resource,
)
from schemas.clock import ZONE
from schemas.refusals import Code

EXTENSIONS = "urn:popflow:fhir:"
"""Extensions: ``hukou-district`` (Patient, valueCode); ``stay`` (valuePositiveInt), ``total``,
``in-policy``, ``fund`` (valueMoney) of an Encounter; ``maternal`` (valueBoolean) of a Patient."""
SEX_OF = {"male": "1", "female": "2", "other": "9", "unknown": "0", "": "9"}
DISPOSITIONS = {
    "home": "1",
    "alt-home": "1",
    "other-hcf": "2",
    "psy": "2",
    "rehab": "2",
    "snf": "2",
    "long": "2",
    "hosp": "9",
    "aadvice": "4",
    "exp": "5",
    "oth": "9",
}
"""FHIR's discharge-disposition; 离院方式 itself is taken as it is."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")


def day(text: str, place: str) -> str:
    """Local day of a FHIR date or dateTime of at least a day's precision."""
    if not text:
        raise FaultError(MISSING, place, "The date is missing.", "缺少日期。")
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
        if _DAY_AND_TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(ZONE).date().isoformat()
    except (ValueError, OverflowError):
        pass
    raise FaultError(
        Code.SCHEMA, place, "The date is not YYYY-MM-DD or a time with offset.", "日期格式有误。"
    )


def extension(resource: Resource, name: str) -> Extension | None:
    """An extension of ours by its name."""
    return next((one for one in resource.extension if one.url == EXTENSIONS + name), None)


def money(encounter: Encounter, name: str, without: int | None = None) -> int:
    """An amount of an Encounter in fen; ``without`` when it is not there."""
    place = f"Encounter.extension({name})"
    named = extension(encounter, name)
    amount = named.valueMoney if named is not None else None
    if amount is None or amount.value is None:
        if without is not None:
            return without
        raise FaultError(MISSING, place, "The amount is missing.", "缺少金额。")
    if amount.currency != "CNY":
        raise FaultError(Code.SCHEMA, place, "The amount is not in CNY.", "金额应为人民币。")
    return clinical.fen(spelled(amount.value), place)


def spelled(value: Decimal) -> str:
    """A number without exponent."""
    return f"{value:f}" if value.is_finite() and abs(value.adjusted()) < 20 else "x"


def grams(quantity: Quantity) -> int:
    """A weight in grams."""
    place = "Observation.valueQuantity"
    unit = (quantity.code or quantity.unit).lower()
    if quantity.value is None or unit not in ("g", "kg"):
        raise FaultError(Code.SCHEMA, place, "The weight is not in g or kg.", "体重单位应为 g。")
    value = quantity.value * 1000 if unit == "kg" else quantity.value
    return clinical.whole(spelled(value).partition(".")[0], place)


def counted(observation: Observation) -> int:
    """The whole number that an Observation holds."""
    place = "Observation.value"
    if observation.valueInteger is not None:
        return clinical.whole(str(observation.valueInteger), place)
    quantity = observation.valueQuantity
    if quantity is None or quantity.value is None:
        raise FaultError(MISSING, place, "The Observation has no value.", "观测缺少数值。")
    return clinical.whole(spelled(quantity.value).partition(".")[0], place)


def residence(patient: Patient) -> tuple[str, str]:
    """District codes of the home address and of the household register (户口)."""
    home = [one for one in patient.address if one.use in ("home", "")] or patient.address
    lives_in = clinical.area(home[0].district if home else "", "Patient.address.district")
    hukou = extension(patient, "hukou-district")
    code = (hukou.valueCode or hukou.valueString or "") if hukou is not None else ""
    return lives_in, clinical.area(code, "Patient.extension(hukou-district)")


def sex(patient: Patient) -> str:
    """A patient's sex (GB/T 2261.1)."""
    code = SEX_OF.get(patient.gender)
    if code is None:
        raise FaultError(Code.SCHEMA, "Patient.gender", "No code of FHIR.", "性别代码有误。")
    return code


def born_on(patient: Patient) -> str | None:
    """A patient's day of birth."""
    return day(patient.birthDate, "Patient.birthDate") if patient.birthDate else None


def outcome(encounter: Encounter) -> str:
    """How the patient left (离院方式)."""
    codes = encounter.hospitalization.dischargeDisposition.codes
    known = next((DISPOSITIONS[code] for code in codes if code in DISPOSITIONS), None)
    place = "Encounter.hospitalization.dischargeDisposition"
    return known or clinical.coded("outcome", codes[0] if codes else "", place)
