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
from schemas.clock import FIRST_DAY, LAST_VALID
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
        BaselineError: the file cannot be read; a line that is no row, has an unknown district or
            repeats an earlier one, named by its number.
    """
    rows = []
    seen: dict[tuple[Any, ...], int] = {}
    for number, cells in _lines(path):
        row, fault = _row(cells)
        if row is not None:
            place = (row.as_of, row.known_on, row.district, row.sex, row.birth_year)
            if seen.setdefault(place, number) != number:
                fault = f"it counts the same people as line {seen[place]}"
            rows.append(row)
        if fault:
            raise BaselineError(f"{path.name}, line {number}: {fault}")
    if not rows:
        raise BaselineError(f"{path.name} holds no row")
    return rows


def _row(cells: dict[str, Any]) -> tuple[BaselineRow | None, str]:
    """The row that a line makes, and what is wrong with it."""
    try:
        row = BaselineRow.model_validate_json(orjson.dumps(cells))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, fault["loc"]))
        return None, f"{name}: {fault['msg']}" if name else fault["msg"]
    except (TypeError, orjson.JSONEncodeError):  # csv puts cells beyond the header under None
        return None, f"it has not the cells {', '.join(BaselineRow.model_fields)}"
    if row.district not in COUNTED_AS:
        return row, f"{row.district} is no district of the city"
    if not FIRST_DAY <= row.as_of <= row.known_on <= LAST_VALID:
        return row, "as_of and known_on are not in order from 1900 to 2299"
    if row.birth_year > row.as_of.year:
        return row, f"birth_year {row.birth_year} is after as_of {row.as_of}"
    return row, ""


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                table = csv.DictReader(file, strict=True)
                for cells in table:
                    yield table.line_num, cells
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield number, orjson.loads(line)
                    except orjson.JSONDecodeError:
                        raise BaselineError(f"{path.name}, line {number}: no JSON") from None
    except OSError as error:
        raise BaselineError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BaselineError(f"{path.name} is not in UTF-8: save it so") from None
    except csv.Error as error:
        raise BaselineError(f"{path.name} is no table: {error}") from None


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
