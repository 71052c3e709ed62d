"""From accepted reports to facts, in the plainest way.

This is the first half of the independent recount: it shares no code with the
production ledger, reads no store and keeps no state. Every rule is quoted from
the contract's section on meaning above the lines that apply it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

CITY = frozenset(
    {
        "320505",  # 虎丘(高新区)
        "320506",  # 吴中
        "320507",  # 相城
        "320508",  # 姑苏
        "320509",  # 吴江
        "320571",  # 苏州工业园区
        "320581",  # 常熟
        "320582",  # 张家港
        "320583",  # 昆山
        "320585",  # 太仓
    }
)
ALIASES = {
    "320576": "320571",
    "320502": "320508",
    "320503": "320508",
    "320504": "320508",
    "320584": "320509",
}

# Same-day, same-number facts are taken in this order when the first known sex is sought: "by
# day, record_id, then birth, move, permit, discharge, death".
KINDS = ("birth", "move", "permit", "discharge", "death")

DAY_FIELD = {
    "birth": "born_on",
    "death": "died_on",
    "move": "moved_on",
    "permit": "effective_on",
    "discharge": "discharged_on",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "birth": {"live": True, "birth_order": 1, "defects": []},
    "death": {"maternal": False},
    "move": {},
    "permit": {},
    "discharge": {},
}
# The fields marked `?`.
OPTIONAL = {
    "birth": ("household", "mother_born_on", "parity", "gestation_weeks", "weight_g"),
    "death": ("household", "born_on", "cause"),
    "move": ("household", "sex", "born_on"),
    "permit": ("household", "valid_until", "points", "sex", "born_on"),
    "discharge": ("household", "sex", "born_on"),
}
FIRST_SECTOR = {
    "birth": "health",
    "death": "health",
    "discharge": "health",
    "move": "police",
    "permit": "police",
}


@dataclass(frozen=True)
class Accepted:
    """One event that passed intake.

    Attributes:
        event: The JSON object as it was sent.
        known_on: Local day (Asia/Shanghai) of its arrival.
    """

    event: Mapping[str, Any]
    known_on: date


@dataclass(frozen=True, eq=False)
class Fact:
    """One act that at least one standing report tells of.

    Attributes:
        kind: `birth`, `death`, `move`, `permit` or `discharge`.
        record_id: The number of the act.
        person: Pseudonym of the person.
        content: The fields that hold, filled across sources, without nulls.
        day: The day of the act.
        sectors: The sectors of all standing reports.
        first_known: Earliest `known_on` of any report of it that is no void.
    """

    kind: str
    record_id: str
    person: str
    content: Mapping[str, Any]
    day: date
    sectors: frozenset[str]
    first_known: date

    @property
    def district(self) -> str:
        """Present-day code of the fact's district; a move's is the one inside the city."""
        # By rule "a move's district: `to_district` if inside, else `from_district`"
        if self.kind == "move":
            to_district = self.place("to_district")
            return to_district if to_district in CITY else self.place("from_district")
        return self.place("district")

    @property
    def residency(self) -> str:
        """Residency of the fact; a permit's is always `migrant`."""
        return "migrant" if self.kind == "permit" else str(self.content["residency"])

    @property
    def sex(self) -> str:
        """Sex as this fact tells it; "Missing `sex` counts as `9`"."""
        return str(self.content.get("sex", "9"))

    def place(self, field: str) -> str:
        """Present-day code of the district in `field`."""
        return present_code(str(self.content[field]))

    def date_in(self, field: str) -> date | None:
        """The date in `field`, None where it is left out."""
        text = self.content.get(field)
        return None if text is None else date.fromisoformat(text)


@dataclass(frozen=True)
class Conflict:
    """One source that tells two different things under one revision.

    Attributes:
        person: Pseudonym of the person.
        kind: Kind of the fact.
        record_id: Number of the fact.
        fact: The standing fact, None where none stands.
    """

    person: str
    kind: str
    record_id: str
    fact: Fact | None


def present_code(code: str) -> str:
    """The district's present-day code.

    "Aliases at any date: 320576 → 320571; 320502, 320503, 320504 → 320508; 320584 → 320509."
    """
    return ALIASES.get(code, code)


def filled(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with defaults filled and nulls left out ("a null is a field left out")."""
    told = {field: value for field, value in event.items() if value is not None}
    return {"void": False, **DEFAULTS[str(event["kind"])], **told}


def digest(event: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON, as 64 hex digits.

    "values as sent, defaults filled, nulls left out, keys sorted, no blanks, UTF-8"
    """
    text = json.dumps(filled(event), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def facts_of_person(
    accepted: Iterable[Accepted], priorities: Mapping[str, int]
) -> tuple[list[Fact], list[Conflict]]:
    """All standing facts of one person, and all standing conflicts of revision.

    Args:
        accepted: The accepted events of one person, in any order, repeats allowed.
        priorities: Source name to its priority number in the registry.
    """
    # By rule "For each `(kind, record_id)` of a person, each source's newest revision stands."
    records: dict[tuple[str, str], list[Accepted]] = {}
    for report in accepted:
        key = (str(report.event["kind"]), str(report.event["record_id"]))
        records.setdefault(key, []).append(report)
    facts: list[Fact] = []
    conflicts: list[Conflict] = []
    for (kind, record_id), reports in sorted(records.items()):
        fact, conflicting_sources = _fact_of_record(kind, record_id, reports, priorities)
        if fact is not None:
            facts.append(fact)
        # By rule "raised once a fact and source"
        person = str(reports[0].event["person"])
        conflicts.extend([Conflict(person, kind, record_id, fact)] * conflicting_sources)
    return facts, conflicts


def _fact_of_record(
    kind: str, record_id: str, reports: list[Accepted], priorities: Mapping[str, int]
) -> tuple[Fact | None, int]:
    standing: dict[str, dict[str, Any]] = {}
    conflicting = 0
    for source in sorted({str(report.event["source"]) for report in reports}):
        told = [report.event for report in reports if report.event["source"] == source]
        winner, differs = _standing_report(told)
        conflicting += differs
        if winner is not None:
            standing[source] = filled(winner)
    # By rule "The fact exists while at least one report stands"
    if not standing:
        return None, conflicting
    content = _merged(kind, standing, priorities)
    # By rule "First known of a fact: the earliest `known_on` of any of its reports that is no void,
    # superseded ones included."
    first_known = min(report.known_on for report in reports if not is_void(report.event))
    # By rule "Sectors of all standing reports are kept"
    sectors = frozenset(sector(source) for source in standing)
    day = date.fromisoformat(content[DAY_FIELD[kind]])
    person = str(reports[0].event["person"])
    return Fact(kind, record_id, person, content, day, sectors, first_known), conflicting


def _standing_report(told: list[Mapping[str, Any]]) -> tuple[Mapping[str, Any] | None, bool]:
    """The report of one source that stands (None when voided), and whether it contradicts itself.

    Args:
        told: All that one source has sent about one record.
    """
    newest = max(event["revision"] for event in told)
    latest = [event for event in told if event["revision"] == newest]
    if len(latest) == 1:
        return (None if is_void(latest[0]) else latest[0]), False
    voids = {digest(event): event for event in latest if is_void(event)}
    others = {digest(event): event for event in latest if not is_void(event)}
    # By rule "of different reports the greater SHA-256 of the canonical JSON stands ..., and
    # finding `conflicting_revision` is raised ... until a newer revision comes": a void of equal
    # revision beside a report is no conflict, two different reports stay one, even under such a
    # void.
    differs = len(voids) > 1 or len(others) > 1
    # By rule "At equal revision a void wins (that is no conflict)"; "A voided report does not
    # stand."
    if voids:
        return None, differs
    return others[max(others)], differs


def _merged(
    kind: str, standing: Mapping[str, dict[str, Any]], priorities: Mapping[str, int]
) -> dict[str, Any]:
    # By rule "its content is the first standing source's (health before police for births, deaths
    # and discharges; police before health for moves and permits; then the registry's smallest
    # priority number, then the name)"
    def rank(source: str) -> tuple[bool, float, str]:
        return (sector(source) != FIRST_SECTOR[kind], priorities.get(source, math.inf), source)

    ordered = [standing[source] for source in sorted(standing, key=rank)]
    content = dict(ordered[0])
    # By rule "fields marked `?` that it leaves out filled from the next"
    for following in ordered[1:]:
        for field in OPTIONAL[kind]:
            if field not in content and field in following:
                content[field] = following[field]
    return content


def is_void(event: Mapping[str, Any]) -> bool:
    """Whether the event withdraws its source's report."""
    return event.get("void") is True


def sector(source: str) -> str:
    """`health` or `police`, the part of the source's name before the dot."""
    return source.split(".", 1)[0]
