"""A stream in miniature for the laws: journal, real ledger and state, and a store that forgets.

The journal is a list, the store keeps of each key the row of the greatest version as
ReplacingMergeTree does; folding and state are the pipeline's own. A run is cut into batches and
killed between any two of a batch's three writes.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from consumers.audit.recount import Accepted, Cell, Finding
from pipeline.folding import LINEAGE, LINEAGE_HEADER, Flush, fold
from pipeline.journal import partition_of
from pipeline.state import PartitionState
from schemas.clock import day_date, day_number

KEYS = {
    "reports": ("kind", "record_id", "person", "source", "revision", "digest"),
    "people_rows": ("person",),
    "finding_rows": ("person", "code", "kind", "record_id", "source"),
    "cells": ("measure", "district", "day", "known_on", "residency", "sex", "band", "shard"),
}


class Crash(Enum):
    """Where a worker dies while it handles a batch."""

    NEVER = "never"
    BEFORE_STORE = "before the store is written"
    WITHIN_STORE = "when a part of the rows is stored"
    BEFORE_STATE = "after the store, before the state"
    BEFORE_ACKNOWLEDGEMENT = "after the state, before Kafka knows"
    STATE_LOST = "after all, and the state folder is gone"


@dataclass(frozen=True)
class Record:
    """One record of the journal."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


@dataclass
class Machine:
    """One run of the stream over some accepted events."""

    folder: Path
    priorities: Mapping[str, int]
    partitions: int = 1
    journal: dict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def publish(self, arrivals: Iterable[Accepted]) -> None:
        """Append accepted events to the journal, as intake does."""
        for arrival in arrivals:
            person = str(arrival.event["person"]).encode()
            log = self.journal[partition_of(person, self.partitions)]
            noon_ms = day_number(arrival.known_on) * 86_400_000 + 4 * 3_600_000
            lineage = ((LINEAGE_HEADER, LINEAGE.pack(0, len(log))),)
            log.append(Record(len(log), noon_ms, person, orjson.dumps(arrival.event), lineage))

    def run(self, cuts: Sequence[int], crashes: Sequence[Crash]) -> None:
        """Work through the journal in batches of the given sizes, dying where told.

        Both sequences are used in turn, again and again; dying stops at their first end, so that
        every run ends.
        """
        for partition, log in self.journal.items():
            deaths = list(crashes)
            acknowledged = turn = 0
            state = PartitionState(self.folder / str(partition))
            while acknowledged < len(log):
                size = cuts[turn % len(cuts)]
                turn += 1
                crash = deaths.pop(0) if deaths else Crash.NEVER
                batch = log[acknowledged : acknowledged + size]
                if self._handle(state, partition, batch, crash):
                    acknowledged += len(batch)
                if crash is not Crash.NEVER:
                    state.close()
                    if crash is Crash.STATE_LOST:
                        shutil.rmtree(self.folder / str(partition))
                    state = PartitionState(self.folder / str(partition))
            state.close()

    def _handle(
        self, state: PartitionState, partition: int, batch: list[Record], crash: Crash
    ) -> bool:
        """One batch as the ledger agent handles it; whether Kafka learns that it is done."""
        records = [record for record in batch if record.offset >= state.offset]
        if not records:
            return True
        missing = self.journal[partition][state.offset : records[0].offset]
        if missing:
            again = fold(state, partition, missing, self.priorities)
            state.commit(again.offset, again.entries, again.totals)
        flush = fold(state, partition, records, self.priorities)
        if crash is Crash.BEFORE_STORE:
            return False
        self._store(flush, half=crash is Crash.WITHIN_STORE)
        if crash in (Crash.WITHIN_STORE, Crash.BEFORE_STATE):
            return False
        state.commit(flush.offset, flush.entries, flush.totals)
        return crash is not Crash.BEFORE_ACKNOWLEDGEMENT

    def _store(self, flush: Flush, *, half: bool) -> None:
        for place, (table, columns) in enumerate(flush.tables()):
            rows = list(zip(*columns.values(), strict=True))
            for row in rows[::2] if half and place % 2 else rows:
                named = dict(zip(columns, row, strict=True))
                key = tuple(named[column] for column in KEYS[table])
                known = self.tables[table].get(key)
                if known is None or named["version"] >= known["version"]:
                    self.tables[table][key] = named

    def cells(self) -> dict[Cell, int]:
        """The cells a reader finds, zeros left out."""
        total: Counter[Cell] = Counter()
        for row in self.tables["cells"].values():
            cell = (
                row["measure"],
                row["district"],
                day_date(row["day"]),
                day_date(row["known_on"]),
                row["residency"],
                row["sex"],
                row["band"],
            )
            total[cell] += row["value"]
        return {cell: value for cell, value in total.items() if value}

    def findings(self) -> Counter[Finding]:
        """The findings about one person that stand."""
        return Counter(
            (
                row["code"],
                row["person"],
                row["kind"],
                row["record_id"],
                None if row["day"] is None else day_date(row["day"]),
            )
            for row in self.tables["finding_rows"].values()
            if row["standing"]
        )
