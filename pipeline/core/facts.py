"""From reports to facts: what is held to have happened, whoever reported it, however often."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.core.body import HEALTH, POLICE, Body, Fact
from pipeline.core.reports import (
    BODY,
    KIND,
    KNOWN_ON,
    RANK,
    RECORD_ID,
    REVISION,
    SOURCE,
    VOID,
    Report,
)
from schemas.sources import LEADING_SECTOR

_UNREGISTERED = 1 << 31
"""Priority of a source that has left the registry: its reports stay, heard last."""


class Conflict(NamedTuple):
    """One source that sent different reports under its newest revision of an act."""

    kind: str
    record_id: str
    source: str


def _sector(source: str) -> int:
    return HEALTH if source.startswith("health") else POLICE


def facts(
    reports: Sequence[Report], priorities: Mapping[str, int]
) -> tuple[list[Fact], list[Conflict]]:
    """The standing facts of one person, and the conflicts among its reports.

    Args:
        reports: any reports of one person, each once.
        priorities: of the registered sources; the smallest is heard first.
    """
    if len(reports) == 1:
        kind, record_id, source, _, _, _, known_on, body = reports[0]
        if body is None:
            return [], []
        return [Fact(kind, record_id, body, _sector(source), known_on)], []
    acts: dict[tuple[str, str], list[Report]] = {}
    for report in reports:
        act = report[KIND], report[RECORD_ID]
        if act in acts:
            acts[act].append(report)
        else:
            acts[act] = [report]
    standing: list[Fact] = []
    conflicts: list[Conflict] = []
    for (kind, record_id), told in acts.items():
        if len(told) == 1:
            only = told[0]
            body = only[BODY]
            if body is not None:
                sector = _sector(only[SOURCE])
                standing.append(Fact(kind, record_id, body, sector, only[KNOWN_ON]))
            continue
        fact = _weigh(kind, record_id, told, priorities, conflicts)
        if fact is not None:
            standing.append(fact)
    return standing, conflicts


def _weigh(
    kind: str,
    record_id: str,
    told: Sequence[Report],
    priorities: Mapping[str, int],
    conflicts: list[Conflict],
) -> Fact | None:
    by_source: dict[str, list[Report]] = defaultdict(list)
    for report in told:
        by_source[report[SOURCE]].append(report)
    heard: list[tuple[bool, int, str, Body]] = []
    for source, reports in by_source.items():
        newest = max(reports, key=RANK)
        if len(reports) > 1 and _in_conflict(reports, newest[REVISION]):
            conflicts.append(Conflict(kind, record_id, source))
        if newest[BODY] is not None:
            behind = not source.startswith(LEADING_SECTOR[kind])
            priority = priorities.get(source, _UNREGISTERED)
            heard.append((behind, priority, source, newest[BODY]))
    if not heard:
        return None
    heard.sort(key=lambda word: word[:3])
    sectors = 0
    for word in heard:
        sectors |= _sector(word[2])
    first_known = min(report[KNOWN_ON] for report in told if not report[VOID])
    return Fact(kind, record_id, _merged([word[3] for word in heard]), sectors, first_known)


def _in_conflict(reports: Sequence[Report], revision: int) -> bool:
    """Whether two different reports, or two different voids, carry the newest revision."""
    voids = [report[VOID] for report in reports if report[REVISION] == revision]
    return voids.count(True) > 1 or voids.count(False) > 1


def _merged(bodies: Sequence[Body]) -> Body:
    """The first body, with what it leaves out filled from the next; required fields never are."""
    first = bodies[0]
    if len(bodies) == 1 or None not in first:
        return first
    return tuple(
        next((value for value in values if value is not None), None)
        for values in zip(*bodies, strict=True)
    )
