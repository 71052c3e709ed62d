"""A simulated city in a store: folded by the ledger's own code, without Kafka between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

from consumers.baseline import BaselineRow, load_baseline
from consumers.store.client import Store
from consumers.store.registry import add_source
from pipeline.folding import LINEAGE, LINEAGE_HEADER, fold
from pipeline.state import PartitionState
from producers.items import Dated
from schemas.districts import INSIDE
from schemas.sources import Source

AT_ONCE = 5000


@dataclass
class Record:
    """A record of the journal as intake writes it."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [(LINEAGE_HEADER, LINEAGE.pack(0, self.offset))]


def fill(
    store: Store,
    folder: Path,
    messages: Iterable[Dated],
    priorities: Mapping[str, int],
    *,
    shard: int = 0,
) -> None:
    """Fold messages and write every row that the ledger writes."""
    for name, priority in priorities.items():
        add_source(store, Source(name, priority))
    state = PartitionState(folder)
    try:
        for records in _chunks(messages):
            flush = fold(state, shard, records, priorities)
            for table, columns in flush.tables():
                store.insert(table, columns)
            state.commit(flush.offset, flush.entries, flush.totals)
    finally:
        state.close()


def _chunks(messages: Iterable[Dated]) -> Iterator[list[Record]]:
    numbered = (Record(n, m.timestamp_ms, m.key, m.value) for n, m in enumerate(messages))
    while chunk := list(islice(numbered, AT_ONCE)):
        yield chunk


def settle(store: Store, as_of: date, known_on: date, people: int) -> None:
    """A baseline: so many people a district, sex and birth year from 1936 on."""
    load_baseline(
        store,
        [
            BaselineRow(
                as_of=as_of, known_on=known_on, district=place, sex=sex, birth_year=year,
                value=people,
            )
            for place in sorted(INSIDE)
            for sex in ("1", "2")
            for year in range(1936, as_of.year + 1)
        ],
    )  # fmt: skip
