"""Baselines: the registered population at the end of a day, by district, sex and birth year.

A file is either aggregated counts (a column ``value``) or an extract of the register (one person
a line, without it); of an extract only the counts are kept.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from consumers.rows import RowsError, read_rows
from consumers.store.client import Store
from schemas.clock import FIRST_DAY, LAST_VALID
from schemas.districts import COUNTED_AS, INSIDE
from schemas.fields import LARGEST, Day, Sex

NAMES = {
    "基准日": "as_of",
    "公布日": "known_on",
    "区划": "district",
    "性别": "sex",
    "出生年": "birth_year",
    "出生日期": "born_on",
    "人数": "value",
    "口径": "base",
    "residency": "base",
}
"""Headings that mean one of ours."""
_SEXES = {"男": "1", "女": "2"}
_WAYS_OUT = {
    "extra_forbidden": "there is no such column: take it out of the file (a person's number and "
    "name do not belong here)",
    "missing": "it is missing",
    "literal_error": "a baseline holds the registered population (hukou) only: load migrants as "
    "events",
}


class BaselineError(RowsError):
    """A baseline that cannot be loaded; the message says which and why."""


def _whole(value: Any) -> Any:
    """A whole number as a table spells it."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


def _code(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _sex(value: Any) -> Any:
    return _SEXES.get(value, value) if isinstance(value, str) else _code(value)


Whole = BeforeValidator(_whole)


class BaselineRow(BaseModel):
    """One count of a baseline; ``base`` may say what it is, the registered population."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    as_of: Day
    known_on: Day
    district: Annotated[str, BeforeValidator(_code)]
    sex: Annotated[Sex, BeforeValidator(_sex)]
    birth_year: Annotated[int, Whole, Field(ge=1800, le=2299)]
    value: Annotated[int, Whole, Field(ge=0, le=LARGEST)] = 1
    base: Literal["hukou"] = "hukou"


def read_baseline(
    path: Path, *, as_of: date | None = None, known_on: date | None = None
) -> list[BaselineRow]:
    """The rows of a CSV, NDJSON or Excel file; of an extract, one for each place of the counts.

    Args:
        path: columns ``district``, ``sex``, ``birth_year`` and ``value``, or without ``value`` one
            person a line, whose ``born_on`` may stand for the birth year; ``as_of``, ``known_on``
            and ``base`` where the options do not say them.
        as_of: the day whose end it shows, for files without that column.
        known_on: the day on which it became known, likewise.

    Raises:
        BaselineError: the file cannot be read; a line that is no row, has an unknown district or
            repeats an earlier one, named by its number.
    """
    days = {
        name: day.isoformat()
        for name, day in (("as_of", as_of), ("known_on", known_on))
        if day is not None
    }
    rows: dict[tuple[Any, ...], BaselineRow] = {}
    seen: dict[tuple[Any, ...], int] = {}
    forms: set[bool] = set()
    try:
        for number, cells in read_rows(path, NAMES):
            is_count = "value" in cells
            row, fault = _row(days | cells)
            if row is not None:
                place = (row.as_of, row.known_on, row.district, row.sex, row.birth_year)
                if is_count and seen.setdefault(place, number) != number:
                    fault = f"it counts the same people as line {seen[place]}"
                forms.add(is_count)
                if len(forms) > 1:
                    fault = "value: it is missing, and other lines have it"
                people = row.value + (rows[place].value if place in rows else 0)
                rows[place] = row.model_copy(update={"value": people})
            if fault:
                raise BaselineError(f"{path.name}, line {number}: {fault}")
    except RowsError as error:
        raise BaselineError(str(error)) from None
    if not rows:
        raise BaselineError(f"{path.name} holds no row")
    return list(rows.values())


def _row(cells: dict[str, Any]) -> tuple[BaselineRow | None, str]:
    """The row that a line makes, and what is wrong with it."""
    born_on = str(cells.pop("born_on", "")).strip()
    if born_on and "birth_year" not in cells:
        try:
            cells["birth_year"] = date.fromisoformat(born_on).year
        except ValueError:
            return None, "born_on: it is no day (YYYY-MM-DD)"
    try:
        row = BaselineRow.model_validate_json(orjson.dumps(cells))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, fault["loc"]))
        message = _WAYS_OUT.get(fault["type"], fault["msg"])
        return None, f"{name}: {message}" if name else message
    if row.district not in COUNTED_AS:
        return row, f"{row.district} is no district of the city"
    if not FIRST_DAY <= row.as_of <= row.known_on <= LAST_VALID:
        return row, "as_of and known_on are not in order from 1900 to 2299"
    if row.birth_year > row.as_of.year:
        return row, f"birth_year {row.birth_year} is after as_of {row.as_of}"
    return row, ""


def load_baseline(store: Store, rows: Iterable[BaselineRow]) -> dict[tuple[date, date], int]:
    """Load baselines; one loaded before under the same days is replaced as a whole.

    A baseline is all rows of one (as_of, known_on) and covers all ten districts.

    Returns:
        The population of each baseline loaded.

    Raises:
        BaselineError: one does not cover the city; none is loaded.
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


def loaded_baselines(store: Store) -> set[tuple[date, date]]:
    """(as_of, known_on) of the baselines that are there."""
    rows = store.query("SELECT DISTINCT as_of, known_on FROM population.baseline_rows")
    return {(as_of, known_on) for as_of, known_on in rows}
