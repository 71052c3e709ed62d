"""Reference facts: what no event yields (beds, doctors, unemployment, the census's classes).

They are imported with their source and the day they became known, and never computed or guessed.
A fact of the same key, district and day that becomes known later stands beside the former, which
stays readable as known then.
"""

import time
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from consumers.rows import RowsError, read_rows
from consumers.store.client import Store
from pipeline.catalogue import INDICATORS, REFERENCE_KEYS
from pipeline.catalogue.model import URBAN_CLASS
from pipeline.catalogue.vocabulary import UNITS
from schemas.clock import FIRST_DAY, LAST_VALID
from schemas.districts import CITY, COUNTED_AS
from schemas.fields import Day

NAMES = {
    "key": "indicator",
    "指标": "indicator",
    "区划": "district",
    "day": "as_of",
    "日期": "as_of",
    "数值": "value",
    "来源": "source",
    "公布日": "known_on",
    "单位": "unit",
}
"""Headings that mean one of ours."""


class ReferenceFactError(RowsError):
    """A fact that cannot be loaded; the message says which and why."""


def _code(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _number(value: Any) -> Any:
    """A number as a table or JSON spells it, exactly."""
    return str(value) if isinstance(value, int | float) else value


class ReferenceFact(BaseModel):
    """One fact; ``unit`` is the catalogue's, and may be said to be sure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    indicator: str
    district: Annotated[str, BeforeValidator(_code)]
    as_of: Day
    known_on: Day
    value: Annotated[
        Decimal, BeforeValidator(_number), Field(ge=0, max_digits=18, decimal_places=6)
    ]
    source: Annotated[str, Field(min_length=1, max_length=500)]
    unit: str = ""


def unit_of(key: str) -> str:
    """The unit in which a fact is imported, in English."""
    return "share, 0 to 1" if key == URBAN_CLASS else UNITS[INDICATORS[key].unit][2]


def read_reference(path: Path, *, known_on: date, source: str | None = None) -> list[ReferenceFact]:
    """The facts of a CSV, NDJSON or Excel file.

    Args:
        path: columns ``key`` (or ``indicator``), ``district`` (320500: the city), ``day`` (or
            ``as_of``), ``value``, ``source`` and ``known_on``.
        known_on: for rows without it.
        source: for rows without it.

    Raises:
        ReferenceFactError: the file cannot be read, or a line is no fact; named by its number.
    """
    given = {"known_on": known_on.isoformat(), **({"source": source} if source else {})}
    facts: list[ReferenceFact] = []
    seen: dict[tuple[Any, ...], int] = {}
    try:
        for number, cells in read_rows(path, NAMES):
            fact, fault = _fact(given | cells)
            if fact is not None:
                place = (fact.indicator, fact.district, fact.as_of, fact.known_on)
                if seen.setdefault(place, number) != number:
                    fault = f"it is the same fact as line {seen[place]}"
                facts.append(fact)
            if fault:
                raise ReferenceFactError(f"{path.name}, line {number}: {fault}")
    except RowsError as error:
        raise ReferenceFactError(str(error)) from None
    if not facts:
        raise ReferenceFactError(f"{path.name} holds no row")
    return facts


def _fact(cells: dict[str, Any]) -> tuple[ReferenceFact | None, str]:
    try:
        fact = ReferenceFact.model_validate_json(orjson.dumps(cells))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, fault["loc"]))
        return None, f"{name}: {fault['msg']}"
    key, district = fact.indicator, COUNTED_AS.get(fact.district, fact.district)
    fact = fact.model_copy(update={"district": district})
    if key in INDICATORS and key not in REFERENCE_KEYS:
        return fact, f"{key} is computed from events: it is not imported"
    if key not in REFERENCE_KEYS:
        return fact, f"there is no reference fact {key!r}; there are {', '.join(REFERENCE_KEYS)}"
    if district not in COUNTED_AS and (district != CITY or key == URBAN_CLASS):
        return fact, f"{district} is no district of the city" + (
            "" if key == URBAN_CLASS else f", nor {CITY}, the city"
        )
    if not FIRST_DAY <= fact.as_of <= fact.known_on <= LAST_VALID:
        return fact, "day and known_on are not in order from 1900 to 2299"
    if key == URBAN_CLASS and fact.value > 1:
        return fact, f"value: {key} is a share from 0 to 1"
    if fact.unit and fact.unit not in (unit_of(key), *UNITS.get(_unit_key(key), ())[1:]):
        return fact, f"unit: {key} is imported in {unit_of(key)}, not in {fact.unit}"
    return fact, ""


def _unit_key(key: str) -> str:
    return INDICATORS[key].unit if key in INDICATORS else ""


def load_reference(store: Store, facts: Iterable[ReferenceFact]) -> int:
    """Load facts; one loaded before under the same days is replaced. Gives how many."""
    rows = [
        (f.indicator, f.district, f.as_of, f.known_on, f.value, unit_of(f.indicator), f.source)
        for f in facts
    ]
    if not rows:
        return 0
    names = ("indicator", "district", "as_of", "known_on", "value", "unit", "source")
    columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
    now_ms = time.time_ns() // 1_000_000
    stamps = {"loaded_at": [now_ms] * len(rows), "version": [now_ms] * len(rows)}
    return store.insert("reference_rows", {**columns, **stamps})
