"""Compare what the store shows with a recount of its reports by the independent path."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain, groupby
from multiprocessing import get_context
from typing import Any, TypeVar

import orjson

from consumers.audit.facts import KINDS
from consumers.audit.recount import Accepted, Cell, Finding, recount
from consumers.store.client import Store
from consumers.store.errors import StoreRefused

PERSONS_AT_ONCE = 500
_JOINT = ("same_record_two_persons", "delivery_without_birth")
_Told = list[tuple[bytes, date]]
What = TypeVar("What", Cell, Finding)

Tell = Callable[[int], None]
"""Progress: reports recounted so far."""


@dataclass(frozen=True)
class Difference:
    """One cell or finding that the store shows otherwise than the recount."""

    what: Cell | Finding
    stored: int
    recounted: int


@dataclass(frozen=True)
class Audit:
    """What an audit found: nothing different is the only good answer."""

    reports: int
    cells: int
    findings: int
    differences: list[Difference]


def audit(store: Store, tell: Tell = lambda _: None) -> Audit:
    """Recount every cell of every day of knowledge, and every finding about one person.

    Args:
        store: the store to be audited; it should not be written meanwhile.
        tell: told of the progress.

    Raises:
        StoreRefused: the store holds reports of a kind that the recount does not know yet.
    """
    _refuse_unknown_kinds(store)
    priorities = dict(store.query("SELECT name, priority FROM population.sources_rows FINAL"))
    cells: Counter[Cell] = Counter()
    findings: Counter[Finding] = Counter()
    reports = 0
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for number, some_cells, some_findings in pool.map(
            _recount, _chunks(store), _endless(priorities)
        ):
            reports += number
            for cell, value in some_cells.items():
                cells[cell] += value
            findings.update(some_findings)
            tell(reports)
    for cell, value in _forgotten_cells(store).items():
        cells[cell] += value
    stored_cells = _stored_cells(store)
    stored_findings = _stored_findings(store)
    differences = [*_compare(stored_cells, cells), *_compare(stored_findings, findings)]
    return Audit(reports, len(stored_cells), sum(stored_findings.values()), differences)


def remember(store: Store, found: Audit) -> None:
    """Keep what a recount found, so that whoever watches sees it as well."""
    row: dict[str, list[Any]] = {
        "at": [datetime.now(UTC)],
        "reports": [found.reports],
        "cells": [found.cells],
        "findings": [found.findings],
        "different": [len(found.differences)],
    }
    store.insert("audits", row)


def _refuse_unknown_kinds(store: Store) -> None:
    held = {row[0] for row in store.query("SELECT DISTINCT kind FROM population.reports")}
    unknown = sorted(held - set(KINDS))
    if unknown:
        raise StoreRefused(
            f"the audit cannot recount {', '.join(unknown)}: teach consumers/audit what such an "
            "event counts, by an independent reading of the contract"
        )


def _endless(priorities: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
    while True:
        yield priorities


def _chunks(store: Store) -> Iterator[list[_Told]]:
    """Every person's reports, some hundred persons at a time."""
    rows = chain.from_iterable(
        store.blocks("SELECT person, event, known_on FROM population.reports FINAL ORDER BY person")
    )
    chunk: list[_Told] = []
    for _, told in groupby(rows, key=lambda row: row[0]):
        chunk.append([(event.encode(), known_on) for _, event, known_on in told])
        if len(chunk) == PERSONS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _recount(
    persons: list[_Told], priorities: Mapping[str, int]
) -> tuple[int, dict[Cell, int], Counter[Finding]]:
    accepted = [Accepted(orjson.loads(raw), known_on) for told in persons for raw, known_on in told]
    result = recount(accepted, priorities)
    own = Counter({f: n for f, n in result.findings.items() if f[0] not in _JOINT})
    return len(accepted), result.cells, own


def _stored_cells(store: Store) -> dict[Cell, int]:
    rows = store.query(
        "SELECT measure, district, day, known_on, residency, sex, band, sum(value) AS total"
        " FROM population.cells FINAL"
        " GROUP BY measure, district, day, known_on, residency, sex, band HAVING total != 0"
    )
    return {row[:7]: row[7] for row in rows}


def _forgotten_cells(store: Store) -> dict[Cell, int]:
    """What persons whose reports were erased still add: the recount cannot know it."""
    rows = store.query(
        "SELECT measure, district, day, known_on, residency, sex, band, sum(value) AS total"
        " FROM population.forgotten_cells FINAL"
        " GROUP BY measure, district, day, known_on, residency, sex, band HAVING total != 0"
    )
    return {row[:7]: row[7] for row in rows}


def _stored_findings(store: Store) -> dict[Finding, int]:
    rows = store.query(
        "SELECT code, person, kind, record_id, day, count() FROM population.finding_rows FINAL"
        " WHERE standing GROUP BY code, person, kind, record_id, day"
    )
    return {row[:5]: row[5] for row in rows}


def _compare(stored: Mapping[What, int], recounted: Mapping[What, int]) -> Iterable[Difference]:
    for what in stored.keys() | recounted.keys():
        if stored.get(what, 0) != recounted.get(what, 0):
            yield Difference(what, stored.get(what, 0), recounted.get(what, 0))
