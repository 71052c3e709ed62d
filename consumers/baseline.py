"""Baselines: the registered population at the end of a day, by district, sex and birth year."""

import csv
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from consumers.store.client import Store
from schemas.districts import COUNTED_AS, INSIDE
from schemas.fields import LARGEST, Day, Sex


class BaselineError(ValueError):
    """A baseline that cannot be loaded; the message says which and why."""


def _whole(value: Any) -> Any:
    """A whole number as a table spells it."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


class BaselineRow(BaseModel):
    """One count of a baseline."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    as_of: Day
    known_on: Day
    district: str
    sex: Sex
    birth_year: Annotated[int, BeforeValidator(_whole), Field(ge=1800, le=2299)]
    value: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=LARGEST)]


def read_baseline(path: Path) -> list[BaselineRow]:
    """The rows of a CSV or NDJSON file.

    Raises:
        BaselineError: a line that is no row, named by its number; an unknown district.
    """
    rows = []
    for number, cells in _lines(path):
        try:
            row = BaselineRow.model_validate_json(orjson.dumps(cells))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            name = ".".join(map(str, fault["loc"]))
            raise BaselineError(f"{path.name}, line {number}: {name}: {fault['msg']}") from None
        if row.district not in COUNTED_AS:
            raise BaselineError(
                f"{path.name}, line {number}: {row.district} is no district of the city"
            )
        rows.append(row)
    if not rows:
        raise BaselineError(f"{path.name} holds no row")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix == ".csv":
            yield from enumerate(csv.DictReader(file), 2)
            return
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, orjson.loads(line)
                except orjson.JSONDecodeError:
                    raise BaselineError(f"{path.name}, line {number}: no JSON") from None


def load_baseline(store: Store, rows: Iterable[BaselineRow]) -> dict[tuple[date, date], int]:
    """Load baselines; one loaded before under the same days is replaced as a whole.

    A baseline is all rows of one (as_of, known_on) and covers all ten districts.

    Returns:
        The population of each baseline loaded.

    Raises:
        BaselineError: one does not cover the city, or is known before its day; none is loaded.
    """
    totals: dict[tuple[date, date], dict[tuple[str, str, int], int]] = defaultdict(
        lambda: defaultdict(int)
    )
    for row in rows:
        place = (COUNTED_AS[row.district], row.sex, row.birth_year)
        totals[row.as_of, row.known_on][place] += row.value
    for (as_of, known_on), counts in totals.items():
        missing = INSIDE - {district for district, _, _ in counts}
        if missing:
            raise BaselineError(
                f"the baseline of {as_of}, known on {known_on}, leaves out "
                f"{', '.join(sorted(missing))}: it must cover all ten districts (0 where nobody is)"
            )
        if known_on < as_of:
            raise BaselineError(f"the baseline of {as_of} is known on {known_on}, before its day")
    now_ms = time.time_ns() // 1_000_000
    flat = [
        (*days, *place, value) for days, counts in totals.items() for place, value in counts.items()
    ]
    names = ("as_of", "known_on", "district", "sex", "birth_year", "value")
    columns: dict[str, Any] = dict(zip(names, zip(*flat, strict=True), strict=True))
    store.insert(
        "baseline_rows",
        {**columns, "loaded_at": [now_ms] * len(flat), "version": [now_ms] * len(flat)},
    )
    return {days: sum(counts.values()) for days, counts in totals.items()}
