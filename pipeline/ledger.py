"""The ledger stage: journal batches to exact rows, one owner a partition.

Order of the three writes: rows to the store, then entries, totals and offset to the state in one
write, then the acknowledgement to Kafka when :meth:`Ledger.handle` returns. A crash anywhere
repeats the batch and changes nothing.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import cast

from consumers.store.client import Store
from pipeline.batching import Batch
from pipeline.core.tally import Cell
from pipeline.folding import EPOCH_BITS, Flush, JournalRecord, fold
from pipeline.metrics import (
    CELLS_WRITTEN,
    FLUSH_SECONDS,
    FRESHNESS_SECONDS,
    JOURNAL_OFFSET,
    POSTED,
    STATE_BYTES,
)
from pipeline.registry import Registry
from pipeline.state import PartitionState, StateHeld
from pipeline.totals import ByDay
from pipeline.writing import insert_columns, until_stored

log = logging.getLogger(__name__)

ReadJournal = Callable[[int, int, int], AsyncIterator[Sequence[JournalRecord]]]
"""Reads a partition's records from one offset until before another, in batches."""

_HELD_PAUSE = 0.2
_BACKLOG = 1_500
"""A batch of so many records comes from a backlog."""
_FLOOD_SECONDS, _CALM_SECONDS = 2.0, 1.0
SHARE_IN_FLOOD, SHARE, SHARE_IN_CALM = 0.02, 0.15, 0.75
"""Of the engine's time, for whoever evaluates what was counted."""


class Ledger:
    """The ledger stage of one worker.

    Args:
        store: where the rows go.
        states: folder with one state folder for each partition.
        read_journal: for the part of the journal that a lost or stale state has to fold again.
    """

    def __init__(
        self, store: Store, registry: Registry, states: Path, read_journal: ReadJournal
    ) -> None:
        self._store = store
        self._registry = registry
        self._folder = states
        self._read_journal = read_journal
        self._states: dict[int, PartitionState] = {}
        self._counted_at = self._flooded_at = -_FLOOD_SECONDS

    async def handle(self, batch: Batch) -> None:
        """Count one batch; when this returns, it is stored and the state says so."""
        started = time.perf_counter()
        state = await self._open(batch.partition)
        records = cast(
            "list[JournalRecord]", [r for r in batch.records if r.offset >= state.offset]
        )
        if not records:
            return
        if records[0].offset > state.offset:
            await self._catch_up(batch.partition, state, records[0].offset)
        registered = await self._registry.current()
        flush = fold(state, batch.partition, records, registered.priorities)
        await self.write(flush)
        state.commit(flush.offset, flush.entries, flush.totals)
        self._observe(flush, records[-1].timestamp, started)
        self._counted_at = time.monotonic()
        if len(records) >= _BACKLOG:
            self._flooded_at = self._counted_at

    def spare(self) -> float:
        """Share of the time that others may take the engine: little while a backlog is counted."""
        now = time.monotonic()
        if now < self._flooded_at + _FLOOD_SECONDS:
            return SHARE_IN_FLOOD
        return SHARE if now < self._counted_at + _CALM_SECONDS else SHARE_IN_CALM

    async def write(self, flush: Flush) -> None:
        """Store a flush's rows; returns when all of them are visible to every reader."""
        await asyncio.gather(
            *(insert_columns(self._store, table, columns) for table, columns in flush.tables())
        )

    async def _catch_up(self, partition: int, state: PartitionState, until: int) -> None:
        """Fold what a lost or stale state is missing; all of it was stored before.

        The broker only hands out records behind an acknowledged offset, and an acknowledgement
        follows the store, so the rows are there: only the state has to be made whole.
        """
        log.warning(
            "The state of partition %d stands at offset %d, the journal at %d: folding the part "
            "between again before anything is counted",
            partition,
            state.offset,
            until,
        )
        async for records in self._read_journal(partition, state.offset, until):
            registered = await self._registry.current()
            flush = fold(state, partition, records, registered.priorities)
            state.commit(flush.offset, flush.entries, flush.totals)

    async def _open(self, partition: int) -> PartitionState:
        """The partition's state; waits while the worker that had it before still closes it."""
        while partition not in self._states:
            try:
                state = PartitionState(self._folder / str(partition))
            except StateHeld:
                log.warning("The state of partition %d is still held; waiting for it", partition)
                await asyncio.sleep(_HELD_PAUSE)
                continue
            self._states[partition] = state  # first: given up while it waits, it has to be closed
            if state.is_new:
                state.begin_epoch(await stored_epoch(self._store, partition))
                state.begin_with_forgotten(await forgotten_cells(self._store, partition))
        return self._states[partition]

    def give_up(self, partitions: Sequence[int]) -> None:
        """Close the states of partitions that move to another worker."""
        for partition in partitions:
            state = self._states.pop(partition, None)
            if state is not None:
                state.close()

    def close(self) -> None:
        """Close every state."""
        self.give_up(list(self._states))

    def _observe(self, flush: Flush, newest_ms: int, started: float) -> None:
        partition = str(flush.shard)
        for outcome, count in flush.outcomes.items():
            POSTED.labels(outcome).inc(count)
        CELLS_WRITTEN.inc(sum(map(len, flush.totals.values())))
        JOURNAL_OFFSET.labels(partition).set(flush.offset)
        STATE_BYTES.labels(partition).set(self._states[flush.shard].size_bytes())
        FRESHNESS_SECONDS.set(max(time.time() - newest_ms / 1000, 0.0))
        FLUSH_SECONDS.labels("ledger").observe(time.perf_counter() - started)


async def forgotten_cells(store: Store, partition: int) -> ByDay:
    """What forgotten persons still add to a partition's totals: its journal has them no more."""
    question = (
        "SELECT measure, district, toInt32(day), residency, sex, band, toInt32(known_on), value"
        " FROM population.forgotten_cells FINAL WHERE shard = {shard:UInt16}"
    )
    rows = await until_stored(
        lambda: asyncio.to_thread(store.query, question, {"shard": partition})
    )
    cells: dict[int, dict[Cell, int]] = {}
    for *cell, known_on, value in rows:
        cells.setdefault(known_on, {})[cast("Cell", tuple(cell))] = value
    return cells


async def stored_epoch(store: Store, partition: int) -> int:
    """Epoch of a partition's rows: a state made anew must not fall behind them."""
    question = "SELECT max(version) FROM population.cells WHERE shard = {shard:UInt16}"
    rows = await until_stored(
        lambda: asyncio.to_thread(store.query, question, {"shard": partition})
    )
    return int(rows[0][0]) >> EPOCH_BITS
