"""One micro-batch of the journal: from records to rows, without waiting for anybody.

Reads the state, calls the core once a person, and returns what to write; the ledger agent
(:mod:`pipeline.ledger`) does the writing. Every row is a whole value under a version that grows
with the journal offset, so writing it again changes nothing.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any, Protocol

from pipeline.core.body import DAY, HOUSEHOLD, PLACE
from pipeline.core.ledger import Posted, post
from pipeline.core.person import Person, person
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
from pipeline.core.tally import Finding, Tally
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

Row = tuple[Any, ...]


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
        self.records = 0
        self.outcomes = {"new": 0, "repeat": 0}
        self.reports: list[Row] = []
        self.people: list[Row] = []
        self.findings: list[Row] = []
        self.entries: list[tuple[str, Sequence[Report]]] = []
        self.totals: dict[Posted, int] = {}

    def tables(self) -> Iterable[tuple[str, Sequence[str], list[Row]]]:
        """Table, columns and rows, in the order in which they are to be written."""
        yield "reports", REPORT_COLUMNS, self.reports
        yield "people_rows", PEOPLE_COLUMNS, self.people
        yield "finding_rows", FINDING_COLUMNS, self.findings
        yield "cells", CELL_COLUMNS, self.cells()

    def cells(self) -> list[Row]:
        """One row a cell: the absolute total of this partition."""
        tail = (self.shard, self.version)
        return [(*cell, known_on, total, *tail) for (cell, known_on), total in self.totals.items()]


def version(epoch: int, offset: int) -> int:
    """Version of the rows written behind a journal offset; later work always wins."""
    return (epoch << EPOCH_BITS) + offset


def fold(
    state: PartitionState,
    shard: int,
    records: Sequence[JournalRecord],
    priorities: Mapping[str, int],
) -> Flush:
    """Apply journal records to the persons they are about.

    Args:
        state: of the partition; read only.
        shard: the journal partition.
        records: consecutive, the first one at the state's offset.
        priorities: of the registered sources.
    """
    last = records[-1].offset
    flush = Flush(shard, last + 1, version(state.epoch, last))
    flush.records = len(records)
    told: dict[str, list[tuple[Report, JournalRecord]]] = {}
    for record in records:
        arrival = report(record.value, local_day(record.timestamp))
        told.setdefault(record.key.decode(), []).append((arrival, record))
    differences: dict[Posted, int] = {}
    for pseudonym, entry in zip(told, state.entries(list(told)), strict=True):
        _fold_person(flush, pseudonym, entry, told[pseudonym], priorities, differences)
    changed = [cell for cell, value in differences.items() if value]
    for cell, total in zip(changed, state.totals(changed), strict=True):
        flush.totals[cell] = total + differences[cell]
    return flush


def _fold_person(
    flush: Flush,
    pseudonym: str,
    entry: Sequence[Report],
    told: Sequence[tuple[Report, JournalRecord]],
    priorities: Mapping[str, int],
    differences: dict[Posted, int],
) -> None:
    posting = post(entry, [arrival for arrival, _ in told], priorities)
    for (arrival, record), changed in zip(told, posting.changed, strict=True):
        flush.outcomes["new" if changed else "repeat"] += 1
        if changed:
            flush.reports.append(_report_row(flush, arrival, record))
    if not any(posting.changed):
        return
    flush.entries.append((pseudonym, posting.entry))
    for posted, value in posting.cells.items():
        differences[posted] = differences.get(posted, 0) + value
    flush.people.append(people_row(flush, pseudonym, posting.after))
    if posting.before.findings or posting.after.findings:
        flush.findings += finding_rows(flush, pseudonym, posting.before, posting.after)


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


def finding_rows(flush: Flush, pseudonym: str, before: Tally, after: Tally) -> list[Row]:
    """Findings that stand now, and those that no longer do."""
    gone = {_identity(finding): finding for finding in before.findings}
    standing = {_identity(finding): finding for finding in after.findings}
    changed = [
        (finding, 1)
        for identity, finding in standing.items()
        if gone.pop(identity, None) != finding
    ]
    changed += ((finding, 0) for finding in gone.values())

    def row(finding: Finding, stands: int) -> Row:
        return (
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

    return list(starmap(row, changed))


def _identity(finding: Finding) -> tuple[str, str, str, str]:
    return finding.code, finding.kind, finding.record_id, finding.source
