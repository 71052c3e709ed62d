"""One micro-batch of the journal: from records to rows, without waiting for anybody.

Reads the state, calls the core once a person, and returns what to write; the ledger agent
(:mod:`pipeline.ledger`) does the writing. Every row is a whole value under a version that grows
with the journal offset, so writing it again changes nothing.
"""

import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pipeline.core.alone import Alone, alone, outcome, person_of
from pipeline.core.body import DAY, HOUSEHOLD, PLACE
from pipeline.core.ledger import post
from pipeline.core.person import Person
from pipeline.core.project import NOTHING
from pipeline.core.reports import BODY, DIGEST, KNOWN_ON, Report, report
from pipeline.core.tally import Cell, Finding, Tally
from pipeline.state import PartitionState
from schemas.clock import local_day
from schemas.events import KINDS

LINEAGE = struct.Struct(">iq")
"""Partition and offset of the raw message, carried in the journal record's one header."""
LINEAGE_HEADER = "raw"
EPOCH_BITS = 48

_OWNER = ("shard", "version")
REPORT_COLUMNS = (
    *("person", "kind", "record_id", "source", "revision", "void", "digest", "known_on"),
    *("accepted_at", "topic", "partition", "offset", "day", "district", "household", "event"),
    *("shard", "journal_offset", "version"),
)
PEOPLE_COLUMNS = ("person", *Person._fields, *_OWNER)
FINDING_COLUMNS = (
    *("code", "person", "kind", "record_id", "source", "day", "district", "standing"),
    *_OWNER,
)
CELL_COLUMNS = (
    *("measure", "district", "day", "residency", "sex", "band", "known_on", "value"),
    *_OWNER,
)
_TOPICS = {kind: event.topic for kind, event in KINDS.items()}

Row = tuple[Any, ...]
Columns = Mapping[str, Sequence[Any]]
Counts = Iterable[tuple[Cell, int]]
FindingId = tuple[str, str, str, str]
"""Code, kind, record id and source of a finding about one person."""


class JournalRecord(Protocol):
    """What is needed of a record of the journal."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Flush:
    """What one micro-batch changes: rows for the store, entries and totals for the state."""

    def __init__(self, shard: int, offset: int, version: int) -> None:
        self.shard = shard
        self.offset = offset
        self.version = version
        self.outcomes = {"new": 0, "repeat": 0}
        self.reports: list[tuple[Report, JournalRecord]] = []
        self.people: list[tuple[str, Person]] = []
        self.findings: list[Row] = []
        self.entries: list[tuple[str, Sequence[Report]]] = []
        self.totals: dict[int, dict[Cell, int]] = {}

    def tables(self) -> Iterable[tuple[str, Columns]]:
        """Tables and the columns of their new rows; none without rows."""
        if self.reports:
            yield "reports", self.report_columns()
        if self.people:
            yield "people_rows", self.people_columns()
        if self.findings:
            yield "finding_rows", by_column(FINDING_COLUMNS, self.findings)
        if self.totals:
            yield "cells", self.cell_columns()

    def report_columns(self) -> Columns:
        """The reports that were new; there must be one."""
        arrivals, records = zip(*self.reports, strict=True)
        kinds, _, _, _, _, digests, _, bodies = said = [*zip(*arrivals, strict=True)]
        said[DIGEST] = tuple(map(bytes.hex, digests))
        lineages = [LINEAGE.unpack(record.headers[0][1]) for record in records]
        partitions, offsets = zip(*lineages, strict=True)
        epoch = self.version >> EPOCH_BITS
        columns = (
            [record.key for record in records],
            *said[:BODY],
            [record.timestamp for record in records],
            [_TOPICS[kind] for kind in kinds],
            partitions,
            offsets,
            [None if body is None else body[DAY] for body in bodies],
            ["" if body is None else body[PLACE] for body in bodies],
            ["" if body is None else body[HOUSEHOLD] or "" for body in bodies],
            [record.value for record in records],
            [self.shard] * len(records),
            [record.offset for record in records],
            [version(epoch, record.offset) for record in records],
        )
        return dict(zip(REPORT_COLUMNS, columns, strict=True))

    def people_columns(self) -> Columns:
        """The current rows of the persons; there must be one."""
        pseudonyms, known = zip(*self.people, strict=True)
        owner = ([self.shard] * len(known), [self.version] * len(known))
        columns = (pseudonyms, *zip(*known, strict=True), *owner)
        return dict(zip(PEOPLE_COLUMNS, columns, strict=True))

    def cell_columns(self) -> Columns:
        """The absolute totals of this partition in the cells that were touched."""
        cells = [cell for totals in self.totals.values() for cell in totals]
        values = [value for totals in self.totals.values() for value in totals.values()]
        known = [day for day, totals in self.totals.items() for _ in totals]
        owner = ([self.shard] * len(cells), [self.version] * len(cells))
        return dict(
            zip(CELL_COLUMNS, (*zip(*cells, strict=True), known, values, *owner), strict=True)
        )


def by_column(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    """Rows turned into columns; there must be one."""
    return dict(zip(columns, zip(*rows, strict=True), strict=True))


def version(epoch: int, offset: int) -> int:
    """Version of the rows written behind a journal offset; later work always wins."""
    return (epoch << EPOCH_BITS) + offset


def fold(
    state: PartitionState,
    shard: int,
    records: Sequence[JournalRecord],
    priorities: Mapping[str, int],
) -> Flush:
    """Apply journal records to the persons they are about, one after the other.

    A row is written for everything that any single record touched, even where the batch as a
    whole leaves it as it was. So the newest row of a cell is right however batches were cut: a
    worker that died half-way, or lost its partition and writes late, may leave rows of its own
    cut behind, and they are either overwritten or equal to what would be written.

    Args:
        state: of the partition; read only.
        shard: the journal partition.
        records: consecutive, the first one at the state's offset.
        priorities: of the registered sources.
    """
    last = records[-1].offset
    flush = Flush(shard, last + 1, version(state.epoch, last))
    told: dict[str, list[JournalRecord]] = {}
    for record in records:
        told.setdefault(record.key.decode(), []).append(record)
    differences: dict[int, list[Counts]] = defaultdict(list)
    for pseudonym, entry in zip(told, state.entries(list(told)), strict=True):
        about = told[pseudonym]
        if entry or len(about) > 1:
            _fold_person(flush, pseudonym, entry, about, priorities, differences)
        else:
            _fold_newcomer(flush, pseudonym, about[0], differences)
    for known_on, counts in differences.items():
        cells = _sum(counts)
        if cells:
            before = state.totals.known_on(known_on).get
            flush.totals[known_on] = {cell: before(cell, 0) + more for cell, more in cells.items()}
    return flush


def _fold_newcomer(
    flush: Flush,
    pseudonym: str,
    record: JournalRecord,
    differences: Mapping[int, list[Counts]],
) -> None:
    """The usual person: never heard of before, with one report."""
    arrival = report(record.value, local_day(record.timestamp))
    counts, findings, known = alone(arrival)
    flush.outcomes["new"] += 1
    flush.reports.append((arrival, record))
    differences[arrival[KNOWN_ON]].append(counts)
    flush.entries.append((pseudonym, (arrival,)))
    flush.people.append((pseudonym, known))
    if findings:
        flush.findings += _rows_of(flush, pseudonym, findings, stands=1)


def _fold_person(
    flush: Flush,
    pseudonym: str,
    entry: Sequence[Report],
    told: Sequence[JournalRecord],
    priorities: Mapping[str, int],
    differences: Mapping[int, list[Counts]],
) -> None:
    known: Tally | Alone = outcome(entry, priorities) if entry else NOTHING
    seen: dict[FindingId, Finding] = {}
    changed = False
    for record in told:
        arrival = report(record.value, local_day(record.timestamp))
        posting = post(entry, arrival, priorities, known)
        if not posting.changed:
            flush.outcomes["repeat"] += 1
            continue
        flush.outcomes["new"] += 1
        changed = True
        entry = posting.entry
        flush.reports.append((arrival, record))
        for known_on, cells in posting.cells.items():
            differences[known_on].append(cells)
        if known.findings:
            seen.update((_identity(finding), finding) for finding in known.findings)
        known = posting.after
    if changed:
        flush.entries.append((pseudonym, entry))
        flush.people.append((pseudonym, person_of(known)))
        if seen or known.findings:
            flush.findings += finding_rows(flush, pseudonym, seen, known)


def _sum(counts: Sequence[Counts]) -> dict[Cell, int]:
    """What many persons count; the same object, of reports that are alike, is gone through once."""
    cells: dict[Cell, int] = {}
    get = cells.get
    times = Counter(map(id, counts))
    for number, some in {id(some): some for some in counts}.items():
        more = times[number]
        for cell, value in some:
            cells[cell] = get(cell, 0) + value * more
    return cells


def finding_rows(
    flush: Flush, pseudonym: str, seen: Mapping[FindingId, Finding], now: Tally | Alone
) -> list[Row]:
    """Rows of the findings that stand now, and of those seen before that no longer do."""
    rows = _rows_of(flush, pseudonym, now.findings, stands=1)
    if seen:
        standing = set(map(_identity, now.findings))
        gone = [finding for identity, finding in seen.items() if identity not in standing]
        rows += _rows_of(flush, pseudonym, gone, stands=0)
    return rows


def _rows_of(
    flush: Flush, pseudonym: str, findings: Iterable[Finding], *, stands: int
) -> list[Row]:
    owner = stands, flush.shard, flush.version
    return [
        (code, pseudonym, kind, record_id, source, day, district, *owner)
        for code, kind, record_id, source, day, district in findings
    ]


def _identity(finding: Finding) -> FindingId:
    return finding.code, finding.kind, finding.record_id, finding.source
