"""Births from tables of counts: a row with a day or a year and a number becomes that many births.

Record ids and pseudonyms follow from the row alone, so the same file published twice changes
nothing and a count that has grown adds births only. (A count that has shrunk leaves the births
beyond it standing: void those records.) Who was born is invented, how many were born is not.

A year's births are spread evenly over its days, each day getting the quotient or one more, in an
order of days that does not depend on the count: so births that are there stay on their day when
the count grows.
"""

import csv
import hashlib
import re
from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import gcd
from pathlib import Path
from typing import NamedTuple

import orjson

from producers.items import Dated, Fault
from producers.sources.form import Source, SourceError
from schemas.clock import FIRST_DAY, ZONE
from schemas.districts import is_known
from schemas.events import Birth
from schemas.sources import NAME

_COLUMNS = {
    "day": ("day", "date", "born_on", "日期"),
    "year": ("year", "年份", "年"),
    "district": ("district", "区划"),
    "sex": ("sex", "性别"),
    "count": ("count", "births", "出生数", "出生"),
    "1": ("boys", "male", "males", "男"),
    "2": ("girls", "female", "females", "女"),
    "9": ("unknown", "not_stated", "未说明"),
}
_SEXES = (
    {"0": "0", "1": "1", "2": "2", "9": "9", "": "9"}
    | dict.fromkeys(("m", "male", "boy", "boys", "男"), "1")
    | dict.fromkeys(("f", "female", "girl", "girls", "女"), "2")
)
_GOLDEN = 0.6180339887
_MOST = 10_000_000
_DATASET = re.compile(r"[A-Za-z0-9._:-]{1,35}")


@dataclass(frozen=True)
class CountOptions:
    """What a table of counts does not say itself.

    Attributes:
        dataset: first part of all record ids; by default the file's name without suffix.
        district: of rows without one.
        residency: the mothers', ``hukou`` or ``migrant``.
        source: who reports.
        shift_years: added to every year; the contract takes none before 1900.
        recorded_after: days from the birth to its record, which is made at noon.
        arrived_on: day on which all become known; by default each on the day of its record.
            Kafka has no timestamps before 1970: older records become known on 1970-01-01.
    """

    dataset: str | None = None
    district: str = "320508"
    residency: str = "hukou"
    source: str = "health.birth-certificates"
    shift_years: int = 0
    recorded_after: int = 0
    arrived_on: date | None = None

    def __post_init__(self) -> None:
        if self.dataset is not None and not _DATASET.fullmatch(self.dataset):
            raise SourceError("A dataset's name is 1 to 35 of letters, digits, '.', '_', ':', '-'")
        if not is_known(self.district):
            raise SourceError(f"{self.district} is no known district")
        if self.residency not in ("hukou", "migrant"):
            raise SourceError(f"{self.residency!r} is no residency: hukou or migrant")
        if not NAME.match(self.source):
            raise SourceError(f"{self.source!r} is no source: write health.<name> or police.<name>")
        if self.recorded_after < 0:
            raise SourceError("No birth is recorded before its day: recorded_after is 0 or more")


class _Group(NamedTuple):
    """So many births of one sex in one district, on one day or over the days of one year."""

    label: str
    first: date
    days: int
    district: str
    sex: str
    births: int


def read_counts(path: Path, options: CountOptions) -> Iterator[Dated | Fault]:
    """The births of a table, row by row, within a year by day.

    The header names a day (``day``, ``date``) or a ``year``, and either ``count`` (``births``),
    perhaps with ``sex``, or a column for each sex (``boys``, ``girls``); ``district`` may be there.
    Without sex the births are of sex 9 (not stated). A row that repeats day, district and sex of
    an earlier one is a fault, since their record ids would be the same.

    Raises:
        SourceError: the file cannot be read or its header does not fit.
    """
    dataset = options.dataset or re.sub(r"[^A-Za-z0-9._:-]", "-", path.stem)[:35] or "counts"
    seen: set[tuple[str, str, str]] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file, strict=True)
            columns = _columns(path, next(table, []))
            for cells in table:
                if not any(cells):
                    continue
                try:
                    groups = _groups(cells, columns, options)
                    _remember(seen, groups)
                except ValueError as error:
                    yield Fault(table.line_num, f"{error}.")
                    continue
                yield from _births(groups, dataset, options)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is no table in UTF-8: {error}") from None


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    """Where each meaning stands; names are the keys of ``_COLUMNS``."""
    meanings = {name: meaning for meaning, names in _COLUMNS.items() for name in names}
    columns: dict[str, int] = {}
    for position, title in enumerate(header):
        meaning = meanings.get(title.strip().lower())
        if meaning is None:
            raise SourceError(f"{path}: column {title.strip()!r} has no meaning in a count")
        if meaning in columns:
            raise SourceError(f"{path}: two columns for {_COLUMNS[meaning][0]}")
        columns[meaning] = position
    by_sex = columns.keys() & {"1", "2", "9"}
    if ("day" in columns) == ("year" in columns) or ("count" in columns) == bool(by_sex):
        raise SourceError(
            f"{path}: the header needs either day or year, and either count or columns such as "
            "boys and girls"
        )
    if by_sex and "sex" in columns:
        raise SourceError(f"{path}: a column sex beside one for each sex")
    return columns


def _groups(cells: list[str], columns: dict[str, int], options: CountOptions) -> list[_Group]:
    """Of one row; raises ``ValueError`` with what is wrong."""
    if len(cells) <= max(columns.values()):
        raise ValueError(f"The line has {len(cells)} cells and the header {len(columns)}")
    row = {meaning: cells[position].strip() for meaning, position in columns.items()}
    if "year" in row:
        year = _whole(row["year"], "year") + options.shift_years
        if not FIRST_DAY.year <= year <= 2299:
            raise ValueError(f"The year {year} is not between 1900 and 2299: shift the years")
        label, first, days = str(year), date(year, 1, 1), 365 + isleap(year)
    else:
        first, days = _shifted(row["day"], options.shift_years), 1
        label = first.isoformat()
    last = first + timedelta(days=days - 1 + options.recorded_after)
    if options.arrived_on is not None and last > options.arrived_on:
        raise ValueError(f"The births are recorded after {options.arrived_on}, when they arrive")
    district = row.get("district") or options.district
    if not (re.fullmatch(r"[0-9]{6}", district) and is_known(district)):
        raise ValueError("The district is no known district")
    sex = _SEXES.get(row.get("sex", "").lower())
    if sex is None:
        raise ValueError("The sex is none of 0, 1, 2, 9, male, female")
    counted = [(sex, "count")] if "count" in row else [(s, s) for s in "129" if s in row]
    return [
        _Group(label, first, days, district, of, births)
        for of, column in counted
        if (births := _whole(row[column] or "0", _COLUMNS[column][0])) > 0
    ]


def _shifted(text: str, years: int) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError("The day is no date: write YYYY-MM-DD") from None
    try:
        day = day.replace(year=day.year + years)
    except ValueError:
        raise ValueError("There is no such day in the year it is moved to") from None
    if day < FIRST_DAY:
        raise ValueError("The day is before 1900: shift the years")
    return day


def _whole(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,8}", text) or int(text) > _MOST:
        raise ValueError(f"The {name} is no whole number from 0 to {_MOST}")
    return int(text)


def _remember(seen: set[tuple[str, str, str]], groups: list[_Group]) -> None:
    ids = [(group.label, group.district, group.sex) for group in groups]
    if any(one in seen for one in ids):
        raise ValueError("The line repeats day, district and sex of an earlier one")
    seen.update(ids)


def _births(groups: list[_Group], dataset: str, options: CountOptions) -> Iterator[Dated]:
    if not groups:
        return
    days = groups[0].days
    step = _step(days)
    back = pow(step, -1, days) if days > 1 else 0
    for offset in range(days):
        day = groups[0].first + timedelta(days=offset)
        recorded = datetime(day.year, day.month, day.day, 12, tzinfo=ZONE) + timedelta(
            days=options.recorded_after
        )
        stamp = _known(recorded, options.arrived_on)
        for group in groups:
            template = _Template(group, day, recorded, dataset, options)
            for serial in range(offset * back % days, group.births, days):
                yield template.birth(serial + 1, stamp)


def _step(days: int) -> int:
    """Serial number ``s`` falls on day ``s * step mod days``: near the golden ratio, coprime."""
    step = max(round(days * _GOLDEN), 1)
    while gcd(step, days) != 1:
        step += 1
    return step


def _known(recorded: datetime, arrived_on: date | None) -> int:
    if arrived_on is not None:
        noon = datetime(arrived_on.year, arrived_on.month, arrived_on.day, 12, tzinfo=ZONE)
        return int(noon.timestamp()) * 1000
    return max(int(recorded.timestamp()) * 1000, 0)


class _Template:
    """Births that differ in nothing but their serial number."""

    def __init__(
        self, group: _Group, day: date, recorded: datetime, dataset: str, options: CountOptions
    ) -> None:
        self.record = f"{dataset}/{group.label}/{group.district}/{group.sex}/"
        self.child = hashlib.sha256(f"child:{self.record}".encode())
        self.head = '{"kind":"birth","record_id":"' + self.record
        source = orjson.dumps(options.source).decode()
        # Whole minutes of offset, as the contract writes it; before 1901 the zone had seconds.
        written = recorded.isoformat(timespec="seconds")[:25]
        self.middle = (
            f'","revision":1,"source":{source},"recorded_at":"{written}",'
            f'"born_on":"{day.isoformat()}","district":"{group.district}",'
            f'"residency":"{options.residency}","sex":"{group.sex}","person":"'
        )

    def birth(self, serial: int, stamp: int) -> Dated:
        keyed = self.child.copy()
        keyed.update(b"%d" % serial)
        both = keyed.hexdigest()
        person = both[:32]
        text = f'{self.head}{serial}{self.middle}{person}","mother":"{both[32:]}"}}'
        return Dated(stamp, Birth.topic, person.encode(), text.encode())


SOURCE = Source("counts", ("出生计数表", "tables of counts of births"), "popflow publish --counts")
