"""Reading `indicators.yaml`: events with what matters, everything else filled in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from hashlib import md5
from pathlib import Path
from typing import Any

import yaml

from consumers.audit.recount import Accepted, recount
from pipeline.catalogue.evaluate import Cell, Imported, Person
from schemas.districts import INSIDE
from schemas.events import KINDS
from schemas.reading import read
from tests.cases.loader import load_sources

HAND = Path(__file__).with_name("indicators.yaml")
FILLED: dict[str, dict[str, Any]] = {
    "birth": {
        "source": "health.birth-certificates",
        "residency": "hukou",
        "district": "320505",
        "mother": "f" * 32,
    },
    "death": {
        "source": "health.hospital-one",
        "residency": "hukou",
        "district": "320505",
        "sex": "1",
    },
    "move": {"source": "police.household", "residency": "hukou"},
    "permit": {"source": "police.permits", "district": "320505", "action": "issue"},
    "discharge": {
        "source": "health.hospital-one",
        "district": "320505",
        "facility": "hospital-one",
        "facility_district": "320505",
        "outcome": "1",
        "diagnoses": ["J18.9"],
        "scheme": "other",
        "total_fen": 50_000,
        "in_policy_fen": 0,
        "fund_fen": 0,
    },
}


@dataclass(frozen=True)
class HandCase:
    """One hand-computed case.

    Attributes:
        expect: numerator, denominator, value (or the reason why there is none) and note, by
            (indicator, base, district, window).
    """

    name: str
    as_of: date
    known_on: date | None
    cells: list[Cell]
    people: list[Person]
    facts: list[Imported]
    expect: dict[tuple[str, ...], tuple[Any, ...]]


def load_hand_cases() -> list[HandCase]:
    return [_case(written) for written in yaml.safe_load(HAND.read_text("utf-8"))]


def _case(written: dict[str, Any]) -> HandCase:
    accepted = [
        each
        for place, event in enumerate(written.get("events", ()))
        for each in _events(event, f"{written['name']}-{place}")
    ]
    return HandCase(
        written["name"],
        written["as_of"],
        written.get("known_on"),
        [
            Cell(measure, district, day, known_on, residency, sex, band, value)
            for (measure, district, day, known_on, residency, sex, band), value in recount(
                accepted, load_sources()
            ).cells.items()
        ],
        [person for one in written.get("baselines", ()) for person in _people(one)],
        [
            Imported(
                one["indicator"],
                str(one["district"]),
                one["as_of"],
                one.get("known_on", one["as_of"]),
                Fraction(str(one["value"])),
            )
            for one in written.get("reference", ())
        ],
        {tuple(key.split("|")): tuple(figures) for key, figures in written["expect"].items()},
    )


def _people(written: dict[str, Any]) -> list[Person]:
    given = {str(district) for district, *_ in written["people"]}
    rows = [*written["people"], *([place, "1", 1980, 0] for place in sorted(INSIDE - given))]
    return [
        Person(written["as_of"], written["known_on"], str(district), str(sex), born, value)
        for district, sex, born, value in rows
    ]


def _events(written: dict[str, Any], name: str) -> list[Accepted]:
    event = dict(written)
    times, same, known = event.pop("times", 1), event.pop("same", None), event.pop("known", None)
    kind, day = event["kind"], event.pop("day")
    known = known or day
    event = FILLED[kind] | {KINDS[kind].acted: day, "revision": 1} | event
    if kind == "discharge":
        event.setdefault("admitted_on", day)
    event["recorded_at"] = f"{known}T12:00:00+08:00"
    made = []
    for number in range(times):
        about = name.split("-")[0] + same if same else f"{name}-{number}"
        record = same if same and kind in ("birth", "death") else f"{name[-3:]}-{number}"
        whole = {
            **{key: str(value) if _is_text(value) else value for key, value in event.items()},
            "person": md5(about.encode()).hexdigest(),
            "record_id": record.strip("-"),
        }
        read(json.dumps(whole).encode())
        made.append(Accepted(whole, known))
    return made


def _is_text(value: Any) -> bool:
    return isinstance(value, date)
