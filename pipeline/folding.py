"""One micro-batch of the journal: from records to rows, without waiting for anybody.

Reads the state, calls the core once a person, and returns what to write; the ledger agent
(:mod:`pipeline.ledger`) does the writing. Every row is a whole value under a version that grows
with the journal offset, so writing it again changes nothing.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import Any, Protocol

from pipeline.core.body import DAY, HOUSEHOLD, PLACE
from pipeline.core.ledger import Posted, post
from pipeline.core.person import Person, person
from pipeline.core.project import NOTHING, project
from pipeline.core.reports import (
    BODY,
    DIGEST,
    KIND,
    KNOWN_ON,
    RECORD_ID,
    REVISION,
    SOURCE,
    VOID,
    Report,
    report,
)
from pipeline.core.tally import Cell, Finding, Tally
from pipeline.state import PartitionState, cell_key
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

Row = tuple[Any, ...]
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
        self.reports: list[Row] = []
        self.people: list[Row] = []
        self.findings: list[Row] = []
        self.cells: list[Row] = []
        self.entries: list[tuple[str, Sequence[Report]]] = []
        self.totals: list[tuple[bytes, int]] = []

    def tables(self) -> Iterable[tuple[str, Sequence[str], list[Row]]]:
        """Table, columns and rows."""
        yield "reports", REPORT_COLUMNS, self.reports
        yield "people_rows", PEOPLE_COLUMNS, self.people
        yield "finding_rows", FINDING_COLUMNS, self.findings
        yield "cells", CELL_COLUMNS, self.cells

    def add_cells(self, posted: Iterable[Posted], totals: Iterable[int]) -> None:
        """The absolute totals of this partition in some cells."""
        shard, version = self.shard, self.version
        self.cells += [
            (*cell, known_on, total, shard, version)
            for (cell, known_on), total in zip(posted, totals, strict=True)
        ]


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
    differences: dict[int, dict[Cell, int]] = defaultdict(dict)
    for pseudonym, entry in zip(told, state.entries(list(told)), strict=True):
        _fold_person(flush, pseudonym, entry, told[pseudonym], priorities, differences)
    posted = [(cell, known_on) for known_on, day in differences.items() for cell in day]
    added = [value for day in differences.values() for value in day.values()]
    keys = list(map(cell_key, posted))
    totals = list(map(add, state.totals(keys), added))
    flush.totals = list(zip(keys, totals, strict=True))
    flush.add_cells(posted, totals)
    return flush


def _fold_person(
    flush: Flush,
    pseudonym: str,
    entry: Sequence[Report],
    told: Sequence[JournalRecord],
    priorities: Mapping[str, int],
    differences: Mapping[int, dict[Cell, int]],
) -> None:
    tally = project(entry, priorities) if entry else NOTHING
    seen: dict[FindingId, Finding] = {}
    changed = False
    for record in told:
        arrival = report(record.value, local_day(record.timestamp))
        posting = post(entry, arrival, priorities, tally)
        flush.outcomes["new" if posting.changed else "repeat"] += 1
        if not posting.changed:
            continue
        changed = True
        entry = posting.entry
        flush.reports.append(_report_row(flush, arrival, record))
        for known_on, cells in posting.cells.items():
            day = differences[known_on]
            for cell, value in cells.items():
                day[cell] = day.get(cell, 0) + value
        if tally.findings:
            seen.update((_identity(finding), finding) for finding in tally.findings)
        tally = posting.after
    if changed:
        flush.entries.append((pseudonym, entry))
        flush.people.append(people_row(flush, pseudonym, tally))
        if seen or tally.findings:
            flush.findings += finding_rows(flush, pseudonym, seen, tally)


def _report_row(flush: Flush, arrival: Report, record: JournalRecord) -> Row:
    body = arrival[BODY]
    partition, offset = LINEAGE.unpack(record.headers[0][1])
    return (
        record.key,
        arrival[KIND],
        arrival[RECORD_ID],
        arrival[SOURCE],
        arrival[REVISION],
        arrival[VOID],
        arrival[DIGEST].hex(),
        arrival[KNOWN_ON],
        record.timestamp,
        KINDS[arrival[KIND]].topic,
        partition,
        offset,
        None if body is None else body[DAY],
        "" if body is None else body[PLACE],
        "" if body is None else body[HOUSEHOLD] or "",
        record.value,
        flush.shard,
        record.offset,
        version(flush.version >> EPOCH_BITS, record.offset),
    )


def people_row(flush: Flush, pseudonym: str, known: Tally) -> Row:
    """The person's one current row."""
    return (pseudonym, *person(known), flush.shard, flush.version)


def finding_rows(
    flush: Flush, pseudonym: str, seen: Mapping[FindingId, Finding], now: Tally
) -> list[Row]:
    """Rows of the findings that stand now, and of those seen before that no longer do."""
    standing = {_identity(finding): finding for finding in now.findings}
    gone = {identity: finding for identity, finding in seen.items() if identity not in standing}
    return [
        (
            finding.code,
            pseudonym,
            finding.kind,
            finding.record_id,
            finding.source,
            finding.day,
            finding.district,
            stands,
            flush.shard,
            flush.version,
        )
        for stands, findings in ((1, standing), (0, gone))
        for finding in findings.values()
    ]


def _identity(finding: Finding) -> FindingId:
    return finding.code, finding.kind, finding.record_id, finding.source
