"""Fold the whole journal anew and put every figure in its place, while no worker runs.

Readers keep the old figures until the new ones are complete: the fold itself writes only the
reports, which are whole values; then totals, people and findings go out under the next epoch,
and rows of the old one that no longer stand are set to nothing.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from consumers.store.client import Store
from pipeline.core.project import project
from pipeline.folding import (
    CELL_COLUMNS,
    FINDING_COLUMNS,
    PEOPLE_COLUMNS,
    REPORT_COLUMNS,
    Flush,
    Row,
    finding_rows,
    fold,
    people_row,
    version,
)
from pipeline.ledger import ReadJournal, stored_epoch
from pipeline.registry import Registry
from pipeline.state import PartitionState
from pipeline.writing import insert
from schemas.sources import Priorities

Item = TypeVar("Item")
Tell = Callable[[int, int, int], None]
"""Progress: partition, records folded, records in all."""

_ROWS_AT_ONCE = 50_000


async def rebuild(
    store: Store,
    states: Path,
    read_journal: ReadJournal,
    ends: dict[int, int],
    tell: Tell = lambda *_: None,
) -> int:
    """Rebuild every partition.

    Args:
        store: where the figures go.
        states: folder of the partitions' states; what is in it is thrown away.
        read_journal: reads a part of a partition's journal.
        ends: end offset of each journal partition.
        tell: told of the progress.

    Returns:
        How many journal records were folded.
    """
    registry = Registry(store)
    for partition, end in ends.items():
        epoch = await stored_epoch(store, partition) + 1
        folder = states / str(partition)
        shutil.rmtree(folder, ignore_errors=True)
        state = PartitionState(folder)
        try:
            state.begin_epoch(epoch)
            priorities = (await registry.current()).priorities
            async for records in read_journal(partition, 0, end):
                flush = fold(state, partition, records, priorities)
                await insert(store, "reports", REPORT_COLUMNS, flush.reports)
                state.commit(flush.offset, flush.entries, flush.totals)
                tell(partition, flush.offset, end)
            await _publish(store, state, partition, priorities)
        finally:
            state.close()
    return sum(ends.values())


async def _publish(
    store: Store, state: PartitionState, partition: int, priorities: Priorities
) -> None:
    """Write everything the state holds, and take back what the store has beyond it."""
    newest = version(state.epoch, max(state.offset - 1, 0))
    flush = Flush(partition, state.offset, newest)
    for some in _some(state.all_totals()):
        flush.totals = dict(some)
        await insert(store, "cells", CELL_COLUMNS, flush.cells())
    for entries in _some(state.all_entries()):
        people: list[Row] = []
        findings: list[Row] = []
        for pseudonym, entry in entries:
            tally = project(entry, priorities)
            people.append(people_row(flush, pseudonym, tally))
            findings += finding_rows(flush, pseudonym, {}, tally)
        await insert(store, "people_rows", PEOPLE_COLUMNS, people)
        await insert(store, "finding_rows", FINDING_COLUMNS, findings)
    for statement in _TAKE_BACK:
        store.command(
            statement,
            {"shard": partition, "version": newest, "epoch": version(state.epoch, 0)},
        )


_TAKE_BACK = (
    """
    INSERT INTO population.cells
    SELECT measure, district, day, known_on, residency, sex, band, shard, 0, {version:UInt64}
    FROM population.cells FINAL
    WHERE shard = {shard:UInt16} AND version < {epoch:UInt64} AND value != 0
    """,
    """
    INSERT INTO population.finding_rows
    SELECT code, person, kind, record_id, source, day, district, false, shard, {version:UInt64}
    FROM population.finding_rows FINAL
    WHERE shard = {shard:UInt16} AND version < {epoch:UInt64} AND standing
    """,
)


def _some(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _ROWS_AT_ONCE)):
        yield chunk
