"""Fold the whole journal anew and put every figure in its place, while no worker runs.

Readers keep the old figures until the new ones are complete: the fold itself writes only the
reports, which are whole values; then totals, people and findings go out under the next epoch,
row by row in the place of the old. What is left of earlier epochs then stands no more, whoever
wrote it, and is deleted.

Killed at any moment it leaves states that the workers go on with, and figures of which each is the
old one or the new one.
"""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from consumers.store.client import Store
from pipeline.core.alone import outcome, person_of
from pipeline.folding import EPOCH_BITS, FINDING_COLUMNS, Flush, finding_rows, fold, version
from pipeline.ledger import ReadJournal, forgotten_cells
from pipeline.registry import Registry
from pipeline.state import PartitionState, StateHeld
from pipeline.writing import insert, insert_columns, until_stored
from schemas.sources import Priorities

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Tell = Callable[[int, int, int], None]
"""Progress: partition, records folded, records in all."""

_ROWS_AT_ONCE = 50_000
_TABLES = ("reports", "people_rows", "finding_rows", "cells")
_NOT_OURS = 1 << 63
"""From this version on no row is ours (it would be epoch 32,768), so one that is there was made by
hand, and nothing could be written over it: it is deleted before the fold."""


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

    Raises:
        StateHeld: a worker has a partition's state open; nothing was changed.
    """
    for partition in ends:
        _check_vacant(states / str(partition))
    registry = Registry(store)
    epoch = await _next_epoch(store)
    await _delete(store, f"version >= {_NOT_OURS}")
    for partition, end in ends.items():
        folder = states / str(partition)
        shutil.rmtree(folder, ignore_errors=True)
        state = PartitionState(folder)
        try:
            state.begin_epoch(epoch)
            state.begin_with_forgotten(await forgotten_cells(store, partition))
            priorities = (await registry.current()).priorities
            async for records in read_journal(partition, 0, end):
                flush = fold(state, partition, records, priorities)
                if flush.reports:
                    await insert_columns(store, "reports", flush.report_columns())
                state.commit(flush.offset, flush.entries, flush.totals)
                tell(partition, flush.offset, end)
            await _publish(store, state, partition, priorities)
        finally:
            state.close()
    await _delete(store, f"version < {version(epoch, 0)}")
    return sum(ends.values())


def _check_vacant(folder: Path) -> None:
    try:
        PartitionState(folder).close()
    except StateHeld:
        raise
    except Exception:  # noqa: S110 - rocksdict's own, about a damaged state: made anew
        pass


async def _publish(
    store: Store, state: PartitionState, partition: int, priorities: Priorities
) -> None:
    """Write everything the state holds."""
    newest = version(state.epoch, max(state.offset - 1, 0))
    flush = Flush(partition, state.offset, newest)
    totals = ((day, *total) for day, cells in state.totals.all() for total in cells.items())
    for some in _some(totals):
        flush.totals = defaultdict(dict)
        for known_on, cell, value in some:
            flush.totals[known_on][cell] = value
        await insert_columns(store, "cells", flush.cell_columns())
    for entries in _some(state.all_entries()):
        flush.people, flush.findings = [], []
        for pseudonym, entry in entries:
            known = outcome(entry, priorities)
            flush.people.append((pseudonym, person_of(known)))
            flush.findings += finding_rows(flush, pseudonym, {}, known)
        await insert_columns(store, "people_rows", flush.people_columns())
        await insert(store, "finding_rows", FINDING_COLUMNS, flush.findings)


async def _next_epoch(store: Store) -> int:
    """One epoch for all partitions, above every row of ours."""
    newest = 0
    for table in _TABLES:
        question = f"SELECT max(version) FROM population.{table} WHERE version < {_NOT_OURS}"  # noqa: S608
        newest = max(newest, (await _ask(store.query, question))[0][0])
    return (newest >> EPOCH_BITS) + 1


async def _delete(store: Store, condition: str) -> None:
    for table in _TABLES:
        await _ask(store.command, f"DELETE FROM population.{table} WHERE {condition}")  # noqa: S608


async def _ask(ask: Callable[[str], Answer], statement: str) -> Answer:
    return await until_stored(lambda: asyncio.to_thread(ask, statement))


def _some(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _ROWS_AT_ONCE)):
        yield chunk
