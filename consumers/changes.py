"""What has been written to the store since somebody looked, and what stands published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from consumers.store.client import Store
from pipeline.core.published import Before
from schemas.clock import ZONE

CELL = ("measure", "district", "day", "residency", "sex", "band", "shard")
Key = tuple[str, str, str, str]
"""Indicator, base, district, window."""


class Marks(NamedTuple):
    """How far the tables have come: greatest versions, of cells by shard."""

    cells: dict[int, int]
    baseline: int
    reference: int


class Change(NamedTuple):
    """What the cells written since have in common: measure, district, first days, how many."""

    measure: str
    district: str
    day: date
    known_on: date
    cells: int


class Changed(NamedTuple):
    """One cell of one day of knowledge, and its total."""

    measure: str
    district: str
    day: date
    residency: str
    sex: str
    band: str
    shard: int
    value: int


@dataclass(frozen=True)
class Since:
    """The versions up to which all is seen, by shard.

    Attributes:
        seen: a shard that is not among them counts from its beginning.
        all_shards: whether there can be no other: then parts older than all of them are not read.
    """

    seen: dict[int, int]
    all_shards: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the condition below."""
        versions = list(self.seen.values())
        least = min(versions) if self.all_shards and versions else 0
        return {"shards": list(self.seen), "versions": versions, "least": least}


_WRITTEN = (
    " FROM population.cells WHERE version > {least:UInt64} AND version > transform(shard,"
    " {shards:Array(UInt16)}, {versions:Array(UInt64)}, toUInt64(0))"
)
"""Cells written since some versions, by shard; parts that are older are not read."""


def marks(store: Store, since: Since) -> Marks:
    """Greatest versions; of shards of which nothing is newer, those of before."""
    newer = store.query(f"SELECT shard, max(version){_WRITTEN} GROUP BY shard", since.parameters)
    others = store.query(
        "SELECT (SELECT max(version) FROM population.baseline_rows),"
        " (SELECT max(version) FROM population.reference_rows)"
    )
    return Marks(since.seen | dict(newer), *others[0])


def changes(store: Store, since: Since) -> list[Change]:
    """What the cells written since have in common."""
    rows = store.query(
        "SELECT measure, district, min(day), min(known_on), count()"
        f"{_WRITTEN} GROUP BY measure, district",
        since.parameters,
    )
    return [Change(*row) for row in rows]


def cells(store: Store, since: Since, known_on: date) -> list[Changed]:
    """The cells written since that became known on a day; the newest total of each last."""
    rows = store.query(
        f"SELECT {', '.join(CELL)}, value{_WRITTEN} AND known_on = {{known_on:Date32}}"
        " ORDER BY version",
        {**since.parameters, "known_on": known_on},
    )
    return [Changed(*row) for row in rows]


def first_day(store: Store) -> date:
    """The first day with a count; today's year when there is none."""
    rows = store.query("SELECT min(day), count() FROM population.cells")
    first, count = rows[0]
    return first if count else datetime.now(ZONE).date()


def published(store: Store, as_of: date) -> dict[Key, Before]:
    """What stands published for a day."""
    rows = store.query(
        "SELECT indicator, base, district, `window`, numerator, denominator, value, low, high,"
        " reason, note, completeness, status FROM population.readings"
        " WHERE as_of = {as_of:Date32} ORDER BY known_on DESC, published_at DESC"
        " LIMIT 1 BY indicator, base, district, `window`",
        {"as_of": as_of},
    )
    return {row[:4]: Before(row[4:11], row[11], row[12]) for row in rows}
