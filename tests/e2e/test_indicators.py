"""Indicators through the whole stack: events and baselines in, published figures out."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from hashlib import md5
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from consumers.indicators import readings
from pipeline.core.rates import half_up
from schemas.districts import CITY, INSIDE
from tests.cases import Case, load_cases, load_sources
from tests.e2e.stack import Message, RunningStack, until

FIGURES = json.loads((Path(__file__).parents[1] / "data" / "published_figures.json").read_text())
BASELINE = ("as_of", "known_on", "district", "sex", "birth_year", "value")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path / "stack", "--workers", "2").start()
    yield stack
    assert stack.stop() == 0


def load(stack: RunningStack, rows: list[dict[str, Any]]) -> int:
    """Load baselines as a user does; gives the exit code."""
    table = stack.folder / "baseline.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, BASELINE)
        writer.writeheader()
        writer.writerows(rows)
    return stack.popflow("baseline", "load", str(table)).returncode


def _baselines(case: Case) -> list[list[dict[str, Any]]]:
    """Each baseline of a case by itself."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in case.baselines:
        found.setdefault((row["as_of"], row["known_on"]), []).append(row)
    return list(found.values())


@pytest.mark.parametrize(
    "case", [case for case in load_cases() if case.indicators], ids=lambda case: case.name
)
def test_case(case: Case, fresh: RunningStack) -> None:
    for name, priority in load_sources().items():
        assert fresh.popflow("source", "add", name, "--priority", str(priority)).returncode == 0
    for rows in _baselines(case):
        covered = {row["district"] for row in rows}
        assert load(fresh, rows) == (0 if covered == INSIDE else 1)
    fresh.publish((m.topic, m.timestamp, m.raw, None) for m in case.messages)
    fresh.settle()
    for wanted in case.indicators:
        as_of = date.fromisoformat(wanted["as_of"])
        known_by = date.fromisoformat(wanted.get("known_by", "2299-12-30"))
        found = {reading.key: reading for reading in readings(fresh.store, as_of, known_by)}
        reading = found[tuple(wanted["key"])]
        assert (reading.numerator, reading.denominator, half_up(reading.value)) == (
            Fraction(wanted["numerator"]),
            Fraction(wanted["denominator"]),
            wanted["value"],
        )


def _city(figures: dict[str, int], year: int) -> Iterator[Message]:
    """A year's events of a city, spread over its days and districts."""
    days = cycle(date(year, 1, 1) + timedelta(n) for n in range(365))
    places = cycle(sorted(INSIDE))
    base = {"revision": 1, "residency": "hukou", "sex": "9"}
    kinds = {
        "births": ("birth", "born_on", {"source": "health.birth-certificates", "mother": "f" * 32}),
        "deaths": ("death", "died_on", {"source": "health.hospitals"}),
        "in": ("move", "moved_on", {"source": "police.household", "from_district": "310101"}),
        "out": ("move", "moved_on", {"source": "police.household", "to_district": "310101"}),
    }
    for name, (kind, acted, others) in kinds.items():
        for number in range(figures.get(name, 0)):
            day, place = next(days), next(places)
            where = {"in": "to_district", "out": "from_district"}.get(name, "district")
            event = base | others | {"kind": kind, acted: day.isoformat(), where: place}
            event["record_id"] = f"{name}-{number}"
            event["recorded_at"] = f"{day}T12:00:00+08:00"
            event["person"] = md5(f"{name}-{number}".encode()).hexdigest()
            noon_ms = (day - date(1970, 1, 1)).days * 86_400_000 + 4 * 3_600_000
            raw = json.dumps(event).encode()
            yield f"population.{kind}s.v1", noon_ms, raw, event["person"].encode()


def _population(total: int, year: int) -> list[dict[str, Any]]:
    """A baseline at a year's end that became known three weeks later."""
    share, rest = divmod(total, len(INSIDE))
    days = (f"{year}-12-31", f"{year + 1}-01-21")
    return [
        dict(zip(BASELINE, (*days, place, "9", 1980, share + (n < rest)), strict=True))
        for n, place in enumerate(sorted(INSIDE))
    ]


@pytest.mark.parametrize(
    "city",
    [
        pytest.param(city, marks=[pytest.mark.long] if city["births"] > 20_000 else [])
        for city in FIGURES
    ],
    ids=lambda city: city["id"],
)
def test_published_figures(city: dict[str, Any], fresh: RunningStack) -> None:
    """What a yearbook prints for a city comes out of its events, to the digit."""
    year, population = city["year"], city["population"]
    assert load(fresh, _population(population - city["increase"], year - 1)) == 0
    assert load(fresh, _population(population, year)) == 0
    fresh.publish(_city(city, year))
    fresh.settle(300)
    as_of = date(year, 12, 31)

    def shown() -> dict[str, Any]:
        return dict(
            fresh.store.query(
                "SELECT indicator, value FROM population.indicators WHERE base = 'hukou'"
                " AND district = {city:String} AND as_of = {as_of:Date32}"
                " AND `window` IN ('year', '1d')",
                {"city": CITY, "as_of": as_of},
            )
        )

    def complete() -> bool:
        found = shown()
        return all(
            key in found
            and found[key] is not None
            and half_up(Fraction(found[key]), len(printed.partition(".")[2])) == printed
            for key, printed in city["printed"].items()
        )

    until(complete, f"the figures of {city['id']} (there are: {shown()})", 120)
